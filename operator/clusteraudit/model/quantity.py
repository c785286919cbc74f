"""Kubernetes quantities as exact integers.

Source: apimachinery 0.37 `pkg/api/resource/quantity.go`, `suffix.go`. What the API server would
refuse is a QuantityError here. Its parser takes more than it documents: a number without digits is
0 (`m`, `.`, `+`), and an exponent counts modulo 2**32. Amounts round away from zero, first to a
billionth. Binary amounts are capped at int64, as it caps them; decimal ones it lets overflow, so
one that does not fit is an error here.
"""

import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_UP, Context, Decimal
from functools import lru_cache

MAX = 2**63 - 1
MILLI = 1000

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_NANO = 10**9
_GRAMMAR = re.compile(
    r"(?P<number>[+-]?[0-9]*(?:\.[0-9]*)?)"
    r"(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]+))?"
)
# Exact at any length: nothing is rounded but where `quantize` is told to.
_EXACT = Context(prec=MAX_PREC, rounding=ROUND_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)
_UNITS = {suffix: Decimal(1 << power) for suffix, power in _BINARY.items()}
_PLAIN: dict[str, int] = {
    suffix: _NANO << _BINARY[suffix] if suffix in _BINARY else 10 ** (9 + _DECIMAL[suffix])
    for suffix in ("n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi")
}
"""In billionths."""
_SURE = {suffix: 18 if unit <= _NANO else 9 for suffix, unit in _PLAIN.items()}
"""Digits with which no such amount overflows."""
_NUMERALS = "0123456789"
_UNREAD = ("Pi", "Ei")  # too large for the parser's short way, the only one that takes no digits
_FINEST = -9
_BILLIONTH = Decimal("1e-9")
_BILLION = Decimal(_NANO)
_LARGEST = Decimal(MAX)
_DIGITS = len(str(MAX))
_USUAL = 32


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
    return _bytes(value) if in_bytes(resource) else str(value)


def canonical(resource: str, value: int) -> str:
    """The same without loss, so that amounts that differ read differently: `1536Mi`, `100M`."""
    if resource == "cpu" or not in_bytes(resource) or value == 0:
        return show(resource, value)
    for suffix, power in reversed(_BINARY.items()):
        if value % (1 << power) == 0:
            return f"{value >> power}{suffix}"
    for suffix, power in reversed(_DECIMAL.items()):
        if power >= 0 and value % 10**power == 0:
            return f"{value // 10**power}{suffix}"
    return str(value)


def in_bytes(resource: str) -> bool:
    """Whether amounts of it are bytes."""
    return resource in {"memory", "ephemeral-storage"} or resource.startswith("hugepages-")


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
    if isinstance(text, str):
        suffix = text.lstrip(_NUMERALS)
        size = len(text) - len(suffix)
        if 0 < size <= _SURE.get(suffix, 0):  # a few digits and a usual suffix
            return int(text[:size]) * _PLAIN[suffix]
        return _written(text)
    if isinstance(text, bool) or not isinstance(text, int | float):
        raise QuantityError(f"{text!r} is not a quantity")
    return fitting(text) * _NANO if isinstance(text, int) else _written(repr(text))


def base(resource: str, billionths: int) -> int:
    """Billionths in the base unit of `resource`, rounded up; raises QuantityError over int64."""
    return fitting(away(billionths * (MILLI if resource == "cpu" else 1), _NANO), resource)


def fitting(value: int, of: str = "an amount") -> int:
    """The value itself, if int64 holds it; raises QuantityError."""
    if abs(value) > MAX:
        raise QuantityError(f"{of} of {Decimal(value):.3e} does not fit into 64 bits")
    return value


def away(numerator: int, denominator: int) -> int:
    """The quotient rounded away from zero, as `inf.RoundUp` does."""
    size = -(-abs(numerator) // denominator)
    return size if numerator >= 0 else -size


def _scaled(text: str | float, scale: int) -> int:
    return fitting(away(nanos(text) * scale, _NANO))


def _written(text: str) -> int:
    return _usual(text) if len(text) <= _USUAL else _billionths(text)


def _billionths(text: str) -> int:
    return int(_EXACT.multiply(_number(text), _BILLION))


_usual = lru_cache(maxsize=8192)(_billionths)
"""A cluster says the same few amounts again and again."""


def _number(text: str) -> Decimal:
    """The number that the text means, rounded to billionths; binary ones capped."""
    found = _GRAMMAR.fullmatch(text)
    if not text or found is None:
        raise QuantityError(f"{text[:40]!r} is not a quantity")
    suffix, digits = found["suffix"] or "", found["number"]
    if suffix in _BINARY:
        number = _EXACT.multiply(_read(digits, text, short=suffix not in _UNREAD), _UNITS[suffix])
        number = _EXACT.max(_EXACT.min(number, _LARGEST), -_LARGEST)
    else:
        power = _power(suffix, found["exponent"], text)
        number = _EXACT.scaleb(_read(digits, text, short=power >= _FINEST), power)
    if number and number.adjusted() >= _DIGITS:
        raise QuantityError(f"{text[:40]!r} does not fit into 64 bits")
    return number.quantize(_BILLIONTH, context=_EXACT)


def _read(digits: str, text: str, *, short: bool) -> Decimal:
    """The digits as a number; where there are none, 0 if the parser's short way takes them."""
    if digits.strip("+-."):
        return Decimal(digits)
    if not short:
        raise QuantityError(f"{text[:40]!r} is not a quantity")
    return Decimal(0)


def _power(suffix: str, exponent: str | None, text: str) -> int:
    """The power of ten; an exponent is read as int64 and cut to int32, as the parser does."""
    if exponent is None:
        return _DECIMAL[suffix]
    sign, digits = exponent.startswith("-"), exponent.lstrip("+-").lstrip("0") or "0"
    power = int(digits[: _DIGITS + 1]) * (-1 if sign else 1)
    if not -MAX - 1 <= power <= MAX:
        raise QuantityError(f"{text[:40]!r}: the exponent is out of range")
    return (power + 2**31) % 2**32 - 2**31
