"""The form in which the API server stores a quantity of a pod: written from its documentation.

The suffix stays of the kind that was given (decimal, binary or an exponent) unless a binary one
would lose something or is below 1024; it is as large as leaves an integer before it. What is in
that form already is left as it is written.
"""

import re
from fractions import Fraction

MAX = 2**63 - 1
_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_PARTS = re.compile(r"([+-]?)([0-9]*)(\.[0-9]*)?(.*)")


def canonical(text: str) -> tuple[str, Fraction]:
    """The text that the server stores for a valid quantity, and what it means."""
    value, kind = _meaning(text)
    kept = _up(value, -3)
    if _kept_as_written(text):
        return text, kept
    if kept == 0:
        return "0", kept
    if kind == "binary" and abs(kept) >= 1024 and kept.denominator == 1:
        return _binary(kept), kept
    number, power = _decimal(kept)
    if kind == "exponent":
        return f"{number}e{power}" if power else str(number), kept
    names = {power: name for name, power in _SUFFIXES.items()}
    return f"{number}{names.get(power, '')}", kept


def _meaning(text: str) -> tuple[Fraction, str]:
    found = _PARTS.fullmatch(text)
    assert found
    sign, whole, point, suffix = found.groups()
    number = Fraction(f"{whole or 0}{point or ''}".rstrip(".") or "0")
    number = -number if sign == "-" else number
    if suffix in _SUFFIXES:
        return _up(number * Fraction(10) ** _SUFFIXES[suffix], -9), "decimal"
    if suffix in _BINARY:
        value = _up(number * 1024 ** _BINARY.index(suffix), -9)
        return max(Fraction(-MAX), min(Fraction(MAX), value)), "binary"
    return _up(number * Fraction(10) ** _exponent(suffix), -9), "exponent"


def _up(value: Fraction, power: int) -> Fraction:
    unit = Fraction(10) ** power
    size = -(-abs(value) // unit) * unit
    return size if value >= 0 else -size


def _decimal(value: Fraction) -> tuple[int, int]:
    """The integer and the power of ten, a multiple of three, of what has no finer part."""
    number, power = int(value * 1000), -3
    while number % 1000 == 0:
        number, power = number // 1000, power + 3
    return number, power


def _binary(value: Fraction) -> str:
    number, step = int(value), 0
    while number % 1024 == 0 and step < len(_BINARY) - 1:
        number, step = number // 1024, step + 1
    return f"{number}{_BINARY[step]}"


def _kept_as_written(text: str) -> bool:
    """Whether the parser takes the text for the canonical form, and remembers it (`+1`, `01`)."""
    found = _PARTS.fullmatch(text)
    assert found
    _, whole, point, suffix = found.groups()
    number, fraction = whole.lstrip("0") or "0", (point or ".")[1:]
    if suffix in _BINARY[1:]:
        room = 15 - len(number) - _BINARY.index(suffix) * 3 - 1
        return room >= 0 and not fraction and int(number) & 7 != 0
    power = _SUFFIXES[suffix] if suffix in _SUFFIXES else _exponent(suffix)
    digits, scale = number + fraction, power - len(fraction)
    short = len(digits) <= 18 and scale >= -3  # finer ones are rounded, and so written anew
    return short and scale % 3 == 0 and digits[0] != "0" and not digits.endswith("000")


def _exponent(suffix: str) -> int:
    return (int(suffix[1:]) + 2**31) % 2**32 - 2**31
