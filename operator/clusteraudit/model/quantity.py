"""Kubernetes quantities as exact integers.

Source: apimachinery `pkg/api/resource/quantity.go`, `suffix.go`. What the API server would refuse
is a QuantityError here; amounts round up, away from zero, and are capped at int64, as `MilliValue`
and `Value` do.
"""

import re

MAX = 2**63 - 1
MILLI = 1000

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_NANO = 10**9
_GRAMMAR = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?"
    r"(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]+))?"
)
# Long enough for any amount, short enough that no arithmetic on it is felt.
_LONGEST = 200
_EXPONENTS = range(-400, 401)


class QuantityError(ValueError):
    """Not a quantity that the API server would accept."""


def cpu(text: str | float) -> int:
    """Millicores of a CPU quantity, rounded up: `250m` and `0.25` are 250."""
    return _scaled(text, MILLI)


def whole(text: str | float) -> int:
    """The value of any other quantity, rounded up: bytes or a count."""
    return _scaled(text, 1)


def amount(resource: str, text: str | float) -> int:
    """The quantity in the base unit of `resource`: millicores for cpu, else bytes or a count."""
    return cpu(text) if resource == "cpu" else whole(text)


def show(resource: str, value: int) -> str:
    """An amount in the base unit of `resource` as people write it: `1500m`, `6`, `1.5Gi`."""
    if resource == "cpu":
        return str(value // MILLI) if value % MILLI == 0 else f"{value}m"
    if resource in {"memory", "ephemeral-storage"} or resource.startswith("hugepages-"):
        return _bytes(value)
    return str(value)


def cores(milli: int) -> str:
    """Millicores in words of a sentence: `6`, `3.9`; below a tenth of a core as `50m`."""
    if 0 < milli < MILLI // 10:
        return f"{milli}m"
    return f"{milli // 100 / 10:g}"


def _bytes(value: int) -> str:
    for suffix, power in reversed(_BINARY.items()):
        if abs(value) >= 1 << power:
            return f"{_floor_tenth(value, 1 << power)}{suffix}"
    return str(value)


def _floor_tenth(value: int, unit: int) -> str:
    tenths = abs(value) * 10 // unit
    sign = "-" if value < 0 else ""
    return f"{sign}{tenths // 10}" if tenths % 10 == 0 else f"{sign}{tenths / 10}"


def nanos(text: str | float) -> int:
    """Billionths of a quantity, exact but for what is finer; sums of them round only once.

    A number is read as the text that it has in JSON, as the API server reads it.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise QuantityError(f"{text!r} is not a quantity")
    if isinstance(text, int):
        return text * _NANO
    numerator, denominator = _ratio(text if isinstance(text, str) else repr(text))
    return _away(numerator * _NANO, denominator)


def base(resource: str, billionths: int) -> int:
    """Billionths in the base unit of `resource`, rounded up and capped."""
    return _capped(_away(billionths * (MILLI if resource == "cpu" else 1), _NANO))


def _scaled(text: str | float, scale: int) -> int:
    return _capped(_away(nanos(text) * scale, _NANO))


def _away(numerator: int, denominator: int) -> int:
    """The quotient rounded away from zero, as `inf.RoundUp` does."""
    size = -(-abs(numerator) // denominator)
    return size if numerator >= 0 else -size


def _ratio(text: str) -> tuple[int, int]:
    found = _GRAMMAR.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or not (found["whole"] or found["fraction"]):
        raise QuantityError(f"{text[:40]!r} is not a quantity")
    fraction = found["fraction"] or ""
    digits = int((found["whole"] or "0") + fraction)
    numerator = -digits if found["sign"] == "-" else digits
    if found["suffix"] in _BINARY:
        return numerator << _BINARY[found["suffix"]], 10 ** len(fraction)
    power = _power(found["suffix"], found["exponent"], text) - len(fraction)
    return (numerator * 10**power, 1) if power >= 0 else (numerator, 10**-power)


def _power(suffix: str | None, exponent: str | None, text: str) -> int:
    if exponent is None:
        return _DECIMAL[suffix or ""]
    if len(exponent) > len("-400") or int(exponent) not in _EXPONENTS:
        raise QuantityError(f"{text[:40]!r}: the exponent is out of range")
    return int(exponent)


def _capped(value: int) -> int:
    return max(-MAX, min(MAX, value))
