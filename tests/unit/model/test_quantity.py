"""The grammar of `resource.Quantity`, and what must be refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusteraudit.model.quantity import (
    MAX,
    QuantityError,
    amount,
    cores,
    cpu,
    nanos,
    show,
    whole,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1Ki", 1024),
        ("1.5Gi", 3 << 29),
        ("1E", 10**18),
        ("1E3", 1000),
        ("12e6", 12_000_000),
        ("5e-3", 1),
        (".5", 1),
        ("1.", 1),
        ("1.G", 10**9),
        ("+1", 1),
        ("-1", -1),
        ("-1.5", -2),
        ("1n", 1),
        ("0.0000000001", 1),
        ("1Ei", 1 << 60),
        ("8Ei", MAX),
        ("123456789012345678901Gi", MAX),
        (7, 7),
        (1.5, 2),
        ("9223372036854775807", MAX),
        ("-8Ei", -MAX),
        ("9" * 5000 + "Gi", MAX),
        ("0" * 5000 + "7", 7),
        ("0." + "0" * 5000 + "1", 1),
        ("1." + "3" * 5000 + "Ei", 1537228672809129302),
        ("1e-99999", 1),
        ("1e-2147483647", 1),
        ("0e99999", 0),
        ("1e" + "0" * 5000 + "3", 1000),
    ],
)
def test_values_round_up_and_binary_ones_are_capped(text: str | float, value: int) -> None:
    assert whole(text) == value


@pytest.mark.parametrize(
    ("text", "milli"),
    [
        ("100n", 1),
        ("1u", 1),
        ("250m", 250),
        ("0.25", 250),
        ("2", 2000),
        (2, 2000),
        ("1.0001", 1001),
    ],
)
def test_cpu_is_in_millicores(text: str | float, milli: int) -> None:
    assert cpu(text) == milli


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, 0) for text in ("+", "-", ".", "+.", "m", "n", "e3", "e-9", "Ki", ".Gi", "Ti")],
        ("1e4294967296", 1),
        ("1e4294967299", 1000),
        ("1e9223372036854775807", 1),
    ],
)
def test_what_the_parser_takes_though_nobody_means_it(text: str, value: int) -> None:
    """Seen of `resource.ParseQuantity`: no digits are 0, exponents count modulo 2**32."""
    assert whole(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "1e22",
        "9223372036854775808",
        "10E",
        "1e400",
        "1e2147483647",
        "9" * 5000,
        2**63,
        1e22,
        10**500,
    ],
)
def test_what_int64_does_not_hold_is_refused(text: str | float) -> None:
    with pytest.raises(QuantityError, match="64 bits"):
        whole(text)


def test_a_capped_amount_of_cpu_does_not_fit_in_millicores() -> None:
    with pytest.raises(QuantityError, match="64 bits"):
        cpu("8Ei")


@pytest.mark.parametrize(
    "text",
    [
        *["", " 1", "1 ", "1 Gi", "1K", "1ki", "1mi", "1e", "1e3Ki", "1_000", "nan", "Infinity"],
        *[
            "\u0663",
            "\uff11",
            "i",
            "1.2.3",
            "--1",
            "0x10",
            "1mm",
            "1KiB",
            "1e+",
            "Pi",
            "Ei",
            "e-10",
        ],
        *[
            "e-10",
            "1e9223372036854775808",
            "1e" + "9" * 800,
            True,
            None,
            float("nan"),
            float("inf"),
        ],
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        whole(text)


def exactly(text: str) -> int | None:
    """Billionths; None for what is refused."""
    try:
        return nanos(text)
    except QuantityError:
        return None


@given(
    st.text("0123456789", min_size=1, max_size=22) | st.text(min_size=1, max_size=3),
    st.sampled_from([*"numkMGTPE", "", *(f"{one}i" for one in "KMGTPEn"), "e3", "K", "i", "٣"]),
)
def test_what_is_read_quickly_is_what_it_is_with_a_sign(digits: str, suffix: str) -> None:
    """Which is never read quickly; a sign before one says no more."""
    if digits[0] not in "+-":
        assert exactly(digits + suffix) == exactly(f"+{digits}{suffix}")


@given(st.integers(min_value=0, max_value=2**53))
def test_what_is_shown_never_promises_more(value: int) -> None:
    assert amount("memory", show("memory", value)) <= value + 1
    assert amount("cpu", show("cpu", value)) == value


@pytest.mark.parametrize(
    ("milli", "text"), [(6000, "6"), (3999, "3.9"), (50, "50m"), (100, "0.1"), (0, "0")]
)
def test_cores_round_down(milli: int, text: str) -> None:
    assert cores(milli) == text
