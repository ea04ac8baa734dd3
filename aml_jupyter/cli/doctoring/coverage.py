"""Ask the package itself whether it has a name, a member or an argument of SDK v1's."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import textwrap
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, NamedTuple

from aml_jupyter.errors import AmlError, nearest
from aml_jupyter.supervisor.client.unbuilt import HINTS

__all__ = ["Verdict", "argument", "imported", "is_refused_class", "is_stand_in", "member", "named", "result_of"]


class Verdict(NamedTuple):
    """Say whether something works, why not, and what it is."""

    status: str
    text: str = ""
    value: Any = None


WORKS: Final = "works"
MISSING: Final = "missing"
DIFFERS: Final = "differs"


@contextmanager
def _ours_first() -> Iterator[None]:
    """Have our own modules answer, also where azureml-core is installed."""
    before = os.environ.get("AML_AZUREML")
    os.environ["AML_AZUREML"] = "self"
    try:
        yield
    finally:
        if before is None:
            del os.environ["AML_AZUREML"]
        else:
            os.environ["AML_AZUREML"] = before


@lru_cache(maxsize=4096)
def imported(module: str, name: str | None = None) -> Verdict:
    """Judge ``import module`` or ``from module import name``."""
    with _ours_first():
        try:
            found: Any = importlib.import_module(module)
        except ImportError as error:
            return Verdict(MISSING, _said(error))
        if name is None or name == "*":
            return Verdict(WORKS, "", found)
        try:
            found = getattr(found, name)
        except (AttributeError, ImportError, AmlError) as error:
            try:
                return Verdict(WORKS, "", importlib.import_module(f"{module}.{name}"))
            except ImportError:
                return Verdict(MISSING, _said(error))
    refused = is_refused_class(found)
    return Verdict(MISSING, refused, found) if refused else Verdict(WORKS, "", found)


def _said(error: BaseException) -> str:
    return getattr(error, "message", None) or str(error)


def is_refused_class(value: Any) -> str:
    """Return what a class says that stands for a kind of target which is not built; empty for any other."""
    from aml_jupyter.sdk.compute.target import not_built

    if not inspect.isclass(value) or not any(base.__name__ == "_Unbuilt" for base in value.__mro__):
        return ""
    return str(not_built(value.__name__, "create").message)


def named(owner: Any) -> str:
    """Return the name that a person knows a class by: what a script has of its own run is a Run, too."""
    return "Run" if owner.__name__ in ("SubmittedRun", "InProcessRun", "OfflineRun") else str(owner.__name__)


def is_stand_in(function: Any) -> bool:
    """Say whether a method is of a class that is refused as a whole, so that its arguments are not worth a word."""
    return str(getattr(getattr(function, "__func__", function), "__qualname__", "")).startswith("_Unbuilt.")


@lru_cache(maxsize=4096)
def member(owner: Any, name: str) -> Verdict:
    """Judge the attribute `name` of a class (or of its instances)."""
    if name.startswith("_") or not inspect.isclass(owner):
        return Verdict(WORKS)
    for base in owner.__mro__:
        if name in vars(base):
            found = inspect.getattr_static(base, name)
            refused = _refusal(found)
            return (
                Verdict(MISSING, f"{named(owner)}.{name} is refused{refused}") if refused else Verdict(WORKS, "", found)
            )
    cls: Any = owner
    if name in _set_in_methods(cls):
        return Verdict(WORKS, "", _hint(cls, name))
    for base in owner.__mro__:
        table = getattr(inspect.getmodule(base), "UNBUILT", {})
        if isinstance(table, dict) and name in table:
            return Verdict(MISSING, f"{named(owner)}.{name} is not here yet. {table[name]}".strip())
    if owner.__module__.startswith("aml_jupyter.supervisor.client") and name in HINTS:
        return Verdict(MISSING, f"{named(owner)}.{name} is not here yet: {HINTS[name]}")
    known = [entry for entry in dir(owner) if not entry.startswith("_")]
    return Verdict(MISSING, f"{named(owner)} has no {name}; {nearest(name, known)}")


def _refusal(function: Any) -> str:
    """Return what a function says that does nothing but raise (": " and its reason, or "."); empty for any other."""
    function = getattr(function, "__func__", function)
    if not inspect.isfunction(function):
        return ""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ""
    body = tree.body[0].body if isinstance(tree.body[0], ast.FunctionDef) else []
    statements = [each for each in body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    if len(statements) != 1 or not isinstance(statements[0], ast.Raise):
        return ""
    first = (inspect.getdoc(function) or "").partition("\n")[0]
    return first.removeprefix("Refuse") if first.startswith("Refuse") else "."


def _hint(owner: Any, name: str) -> Any:
    """Return the class of an attribute that is set in methods, where the class says it."""
    for base in owner.__mro__:
        written = str(getattr(base, "__annotations__", {}).get(name, ""))
        if written.isidentifier():
            return getattr(inspect.getmodule(base), written, None)
    return None


@lru_cache(maxsize=256)
def _set_in_methods(owner: Any) -> frozenset[str]:
    """Return the attributes that the methods of a class set on `self`, and its annotated fields."""
    found = set()
    for base in owner.__mro__:
        found |= set(getattr(base, "__annotations__", {}))
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
                continue
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                found.add(node.attr)
    return frozenset(found)


def argument(function: Any, name: str) -> Verdict:
    """Judge the keyword argument `name` of a class or function."""
    if isinstance(function, (staticmethod, classmethod)):
        function = function.__func__
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return Verdict(WORKS)
    if name in parameters:
        return Verdict(WORKS)
    catch_all = next((each.name for each in parameters.values() if each.kind is each.VAR_KEYWORD), None)
    what = getattr(function, "__qualname__", str(function)).removesuffix(".__init__")
    if catch_all is None:
        known = [each for each in parameters if each not in ("self", "cls")]
        return Verdict(MISSING, f"{what} does not take {name}; {nearest(name, known)}")
    if catch_all.startswith("_"):
        return Verdict(DIFFERS, f"{what} accepts {name}, and nothing follows from it")
    return Verdict(WORKS)


def result_of(function: Any) -> Any:
    """Return the class that a function, method or property returns, or None where its hints do not say."""
    if isinstance(function, property):
        function = function.fget
    if isinstance(function, (staticmethod, classmethod)):
        function = function.__func__
    if inspect.isclass(function):
        return function
    if getattr(function, "__name__", "") == "get_context":
        from aml_jupyter.supervisor.client.own import SubmittedRun

        return SubmittedRun
    try:
        hint = typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):
        hint = _named_hint(function)
    for each in (hint, *typing.get_args(hint)):
        if inspect.isclass(each) and each.__module__.startswith("aml_jupyter"):
            return each
    return None


def _named_hint(function: Any) -> Any:
    """Return the class that a hint names which is imported for type checkers only."""
    import aml_jupyter

    written = str(getattr(function, "__annotations__", {}).get("return", "")).strip("'\"").partition(" ")[0]
    return getattr(aml_jupyter, written, None) if written.isidentifier() else None
