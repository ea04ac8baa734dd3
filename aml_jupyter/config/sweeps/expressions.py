"""Define the ten expressions of a parameter space, in SDK v1's form: ``["uniform", [0, 1]]``.

An expression is plain data; `read_expression` checks what a person or a file wrote. What is sampled from it is in
`aml_jupyter.hyperdrive.space`. Two limits of SDK v1 are lifted: a step `q` may have a fraction, and ``choice`` takes NumPy
arrays and numbers. One is stricter: ``min_value`` has to be less than ``max_value`` also where the bounds are exponents.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from aml_jupyter.config.reading import Place, show
from aml_jupyter.errors import ConfigurationError, nearest

Expression = list[Any]
LARGEST_EXPONENT = 700.0
"""exp() of more is not a number that a float can hold."""


def choice(*options: Any) -> Expression:
    """Choose one of some values.

    Parameters
    ----------
    *options
        The values; or one list, one range or one NumPy array of them. Anything that JSON can say, mappings included.

    Raises
    ------
    ConfigurationError
        When there is no value, a list stands beside other values, or a value is not plain data.
    """
    return _choice(options, Place(keys=("choice",)))


def randint(upper: int) -> Expression:
    """Sample a whole number from 0 to below `upper`.

    Parameters
    ----------
    upper : int
        Above 0.
    """
    return _made("randint", (upper,))


def uniform(min_value: float, max_value: float) -> Expression:
    """Sample evenly between two bounds."""
    return _made("uniform", (min_value, max_value))


def quniform(min_value: float, max_value: float, q: float) -> Expression:
    """Sample ``round(uniform(min_value, max_value) / q) * q``."""
    return _made("quniform", (min_value, max_value, q))


def loguniform(min_value: float, max_value: float) -> Expression:
    """Sample ``exp(uniform(min_value, max_value))``: the bounds are exponents."""
    return _made("loguniform", (min_value, max_value))


def qloguniform(min_value: float, max_value: float, q: float) -> Expression:
    """Sample ``round(exp(uniform(min_value, max_value)) / q) * q``."""
    return _made("qloguniform", (min_value, max_value, q))


def normal(mu: float, sigma: float) -> Expression:
    """Sample from the normal distribution with mean `mu` and standard deviation `sigma`."""
    return _made("normal", (mu, sigma))


def qnormal(mu: float, sigma: float, q: float) -> Expression:
    """Sample ``round(normal(mu, sigma) / q) * q``."""
    return _made("qnormal", (mu, sigma, q))


def lognormal(mu: float, sigma: float) -> Expression:
    """Sample ``exp(normal(mu, sigma))``."""
    return _made("lognormal", (mu, sigma))


def qlognormal(mu: float, sigma: float, q: float) -> Expression:
    """Sample ``round(exp(normal(mu, sigma)) / q) * q``."""
    return _made("qlognormal", (mu, sigma, q))


ARGUMENTS: dict[str, tuple[str, ...]] = {
    "choice": ("options",),
    "randint": ("upper",),
    "uniform": ("min_value", "max_value"),
    "quniform": ("min_value", "max_value", "q"),
    "loguniform": ("min_value", "max_value"),
    "qloguniform": ("min_value", "max_value", "q"),
    "normal": ("mu", "sigma"),
    "qnormal": ("mu", "sigma", "q"),
    "lognormal": ("mu", "sigma"),
    "qlognormal": ("mu", "sigma", "q"),
}
"""Expression -> the names of its arguments."""


def expression_name(value: Any, place: Place) -> str:
    """Return the expression that a name means, whatever its case."""
    word = value.strip().lower().replace("_", "") if isinstance(value, str) else ""
    if word not in ARGUMENTS:
        raise ConfigurationError(
            f"{place}: expected the name of an expression, found {show(value)}; {nearest(word, list(ARGUMENTS))}.",
            field=place.key or None,
        )
    return word


def expression_of(name: str, values: Sequence[Any], place: Place, parent: Any = None) -> Expression:
    """Return the expression `name` with positional arguments, as ``hdconfig.yml`` writes them.

    Parameters
    ----------
    name : str
        One of the ten, in lower case.
    values : sequence
        The arguments.
    place : Place
        Where they stand.
    parent : list, optional
        The list that knows the lines of the values.
    """
    if name == "choice":
        return _choice(values, place)
    names = ARGUMENTS[name]
    if len(values) != len(names):
        raise place.refusal(
            f"{len(names)} value{'s' if len(names) > 1 else ''} for {name}({', '.join(names)})", list(values)
        )
    numbers = [
        _number(value, key, place.item(index, parent))
        for index, (key, value) in enumerate(zip(names, values, strict=True))
    ]
    given = dict(zip(names, numbers, strict=True))
    _check_numbers(name, given, place)
    return [name, numbers]


def read_expression(value: Any, place: Place) -> Expression:
    """Return the checked expression of a parameter space's value, such as ``["uniform", [0, 1]]``.

    Raises
    ------
    ConfigurationError
        When it is none of the ten, or its arguments are wrong.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple)) or len(value) != 2:
        raise place.refusal(f"an expression such as uniform(0, 1) ({', '.join(ARGUMENTS)})", value)
    name, arguments = value
    name = expression_name(name, place)
    if isinstance(arguments, (str, bytes)) or not isinstance(arguments, (list, tuple)):
        raise place.refusal(f"a list of arguments for {name}", arguments)
    return expression_of(name, arguments, place)


def advice(parameter: str, expression: Expression) -> str:
    """Return what a person should hear about an expression that is allowed; empty for most."""
    name, arguments = expression
    if name in ("loguniform", "qloguniform") and 0 < arguments[0] < arguments[1] <= 1:
        low, high = (math.exp(value) for value in arguments[:2])
        return (
            f"{parameter}: the bounds of {name} are exponents, so {name}({arguments[0]:g}, {arguments[1]:g}) samples "
            f"{low:.6g} to {high:.6g}. For {arguments[0]:g} to {arguments[1]:g} write "
            f"{name}({math.log(arguments[0]):.4g}, {math.log(arguments[1]):.4g})."
        )
    return ""


def _made(name: str, values: tuple[Any, ...]) -> Expression:
    return expression_of(name, values, Place(keys=(name,)))


def _choice(options: Sequence[Any], place: Place) -> Expression:
    plain = [_plain(option, place) for option in options]
    lists = [index for index, option in enumerate(options) if _is_list(option)]
    if lists and len(plain) > 1:
        raise place.refusal("either one list or values side by side", plain[lists[0]])
    values = plain[0] if lists else plain
    if not values:
        raise place.refusal("at least one value to choose from", list(values))
    return ["choice", [values]]


def _is_list(option: Any) -> bool:
    return isinstance(option, (list, range)) or (hasattr(option, "tolist") and getattr(option, "ndim", 0) == 1)


def _plain(option: Any, place: Place) -> Any:
    """Return one option as plain data, the same that JSON gives back."""
    if isinstance(option, range):
        return list(option)
    if hasattr(option, "tolist"):  # a NumPy number or array
        option = option.tolist()
    bare = _bare(option)
    try:
        json.dumps(bare, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise place.refusal("values that JSON can say (numbers, texts, true, false, lists, mappings)", option) from None
    return bare


def _bare(option: Any) -> Any:
    """Return YAML's own kinds of numbers, texts and collections as Python's."""
    for kind in (bool, int, float, str):
        if isinstance(option, kind):
            return kind(option)
    if isinstance(option, dict):
        return {_bare(key): _bare(value) for key, value in option.items()}
    if isinstance(option, (list, tuple)):
        return [_bare(entry) for entry in option]
    return option.item() if hasattr(option, "item") and callable(option.item) else option


def _number(value: Any, key: str, place: Place) -> int | float:
    """Return a finite number; whole ones stay whole, text such as ``"1e-3"`` is understood."""
    expected = f"a number for {key}"
    if hasattr(value, "item") and callable(value.item):
        value = value.item()
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                raise place.refusal(expected, value) from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise place.refusal(expected, value)
    if not abs(value) < 1e300:
        raise place.refusal(f"a finite number for {key}", value)
    return int(value) if isinstance(value, int) else float(value)


def _check_numbers(name: str, given: dict[str, int | float], place: Place) -> None:
    """Refuse arguments from which nothing can be sampled."""
    checks: list[tuple[bool, str, Callable[[], Any]]] = []
    if name == "randint":
        upper = given["upper"]
        checks.append((upper >= 1 and upper == int(upper), "a whole number above 0 for upper", lambda: upper))
    if "min_value" in given:
        low, high = given["min_value"], given["max_value"]
        checks.append((low < high, f"min_value < max_value in {name}", lambda: f"{low:g} and {high:g}"))
        if "log" in name:
            fits = high <= LARGEST_EXPONENT
            checks.append(
                (fits, f"exponents of at most {LARGEST_EXPONENT:g} in {name} (it samples exp of them)", lambda: high)
            )
    if "sigma" in given:
        checks.append((given["sigma"] >= 0, f"sigma >= 0 in {name}", lambda: given["sigma"]))
        if "log" in name:
            top = given["mu"] + 9 * given["sigma"]
            checks.append((top <= LARGEST_EXPONENT, f"mu + 9 sigma <= {LARGEST_EXPONENT:g} in {name}", lambda: top))
    if "q" in given:
        checks.append((given["q"] > 0, f"a step q above 0 in {name}", lambda: given["q"]))
    for holds, expected, found in checks:
        if not holds:
            raise place.refusal(expected, found())
    if name == "randint":
        given["upper"] = int(given["upper"])
