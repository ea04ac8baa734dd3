"""Own what a submit line says about a run's environment: packages, a registered one, an image; it wins over a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any, Final

from aml_jupyter.config import CondaDependencies, Environment, RunConfiguration
from aml_jupyter.config.conda_dependencies import package_name, same_package
from aml_jupyter.config.environment import DEFAULT_NAME
from aml_jupyter.environments import is_template
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service.environments import find_registered, with_environment
from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["LineEnvironment", "split_packages"]

_BETWEEN: Final = re.compile(r"\s*,\s*(?=[A-Za-z])|\s+(?=[A-Za-z])")


@dataclass(frozen=True)
class LineEnvironment:
    """Hold what a line says: ``--conda``, ``--pip``, ``--environment NAME[:VERSION]``, ``--image``."""

    conda: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    environment: str | None = None
    image: str | None = None

    @classmethod
    def of(
        cls,
        conda: Iterable[str] = (),
        pip: Iterable[str] = (),
        environment: str | None = None,
        image: str | None = None,
    ) -> LineEnvironment:
        """Return what the values of the four options say; each may name several packages.

        Raises
        ------
        UserErrorException
            When a value is empty.
        """
        for option, values in (
            ("--conda", conda),
            ("--pip", pip),
            ("--environment", [] if environment is None else [environment]),
            ("--image", [] if image is None else [image]),
        ):
            for value in values:
                if not value.strip():
                    raise UserErrorException(
                        f"{option} {value!r}: a name was expected, found an empty text", option[2:]
                    )
        return cls(
            tuple(package for value in conda for package in split_packages(value)),
            tuple(package for value in pip for package in split_packages(value)),
            environment,
            image,
        )

    def __bool__(self) -> bool:
        return bool(self.conda or self.pip or self.environment or self.image)

    def apply(
        self, folder: WorkspaceFolder, run_config: RunConfiguration, submitter: Mapping[str, Any]
    ) -> tuple[RunConfiguration, tuple[str, ...]]:
        """Return a run configuration with what the line says, and what is to be said about it.

        Parameters
        ----------
        folder : WorkspaceFolder
            The workspace that keeps registered environments.
        run_config : RunConfiguration
            What a file or the defaults say; left as it is.
        submitter : dict
            As `environments.submitter()` returns it.

        Raises
        ------
        UserErrorException
            When an environment is not known, or something is no package.
        """
        if not self:
            return run_config, ()
        made = copy(run_config)
        if self.environment is not None:
            name, _, version = self.environment.partition(":")
            made.environment, notes = find_registered(folder, name, version or None)
        else:
            made, notes = with_environment(folder, made)
        if self.conda or self.pip or self.image:
            environment = _copied(made.environment)
            notes = (*notes, *self._add_packages(environment, str(submitter.get("version") or "")))
            if self.image is not None:
                _use_image(made, environment, self.image)
            made.environment = environment
        return made, notes

    def _add_packages(self, environment: Environment, version: str) -> tuple[str, ...]:
        if not self.conda and not self.pip:
            return ()
        python = environment.python
        notes: tuple[str, ...] = ()
        if python.user_managed_dependencies:
            option = "--conda" if self.conda else "--pip"
            if python.interpreter_path not in (None, "", "python"):
                said = (
                    f"{option} asks for packages, so an environment is built; {python.interpreter_path}, the Python of the "
                    "run configuration, is not used"
                )
                notes = (said,)
            python.user_managed_dependencies = False
            python.interpreter_path = "python"
            python.conda_dependencies = None
        dependencies = python.conda_dependencies
        if dependencies is None or is_template(dependencies):
            dependencies = CondaDependencies.from_dict({"name": "project_environment", "dependencies": []})
        for package in self.conda:
            _check(package, "--conda")
            for other in [entry for entry in dependencies.pip_packages if same_package(entry, package)]:
                dependencies.remove_pip_package(other)
            dependencies.add_conda_package(package)
        for package in self.pip:
            _add_pip(dependencies, package)
        if self.conda and not any(package_name(entry) == "python" for entry in dependencies.conda_packages):
            # a run that is sent from a Python has that Python, unless it says another
            dependencies.set_python_version(".".join(version.split(".")[:2]))
        python.conda_dependencies = dependencies
        return notes


def split_packages(value: str) -> list[str]:
    """Return the packages that one option's value names: ``a b``, ``a,b>=1,<2``; a requirement with a marker is one.

    Examples
    --------
    >>> split_packages("pandas>=2,<3 scikit-learn,joblib")
    ['pandas>=2,<3', 'scikit-learn', 'joblib']
    """
    text = value.strip()
    if text.startswith("-") or any(sign in text for sign in (";", " @ ", "://", "[")):
        return [text]
    return [part for part in _BETWEEN.split(text) if part]


def _check(package: str, option: str) -> None:
    if package.startswith("-") or not package_name(package.split("::")[-1]):
        raise UserErrorException(
            f"{option} {package!r}: a package was expected, for example {option} scikit-learn", option[2:]
        )


def _add_pip(dependencies: CondaDependencies, package: str) -> None:
    if package.startswith("-"):
        dependencies.set_pip_option(package)
        return
    _check(package, "--pip")
    for other in [entry for entry in dependencies.conda_packages if same_package(entry, package)]:
        dependencies.remove_conda_package(other)
    dependencies.add_pip_package(package)


def _copied(environment: Environment) -> Environment:
    """Return a copy to change: it keeps its name, and is another version."""
    name = environment.name or DEFAULT_NAME
    if environment.is_reference:
        return Environment(name)
    copied = deepcopy(environment)
    copied.name, copied.version = (DEFAULT_NAME if name.lower().startswith("amljupyter-") else name), None
    return copied


def _use_image(run_config: RunConfiguration, environment: Environment, image: str) -> None:
    python = environment.python
    environment.docker.base_image = image
    if python.conda_dependencies is None or is_template(python.conda_dependencies):
        python.user_managed_dependencies = True  # the image's own Python
        python.interpreter_path = "python"
        python.conda_dependencies = None
    docker = deepcopy(run_config.docker)
    docker.use_docker = True
    run_config.docker = docker
