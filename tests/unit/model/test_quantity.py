"""The grammar of `resource.Quantity`, and what must be refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusteraudit.model.quantity import MAX, QuantityError, amount, cores, cpu, show, whole


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
        (1e22, MAX),
    ],
)
def test_values_round_up_and_are_capped(text: str | float, value: int) -> None:
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
    "text",
    [
        *["", " 1", "1 ", "1 Gi", "1K", "1ki", "1mi", "1e", "1e3Ki", "1_000", "nan", "Infinity"],
        *["\u0663", "\uff11", ".", "+", "-", "i", "1.2.3", "--1", "0x10", "1e99999"],
        *["1e" + "9" * 800, "9" * 5000, True, None, float("nan")],
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        whole(text)


@given(st.integers(min_value=0, max_value=2**53))
def test_what_is_shown_never_promises_more(value: int) -> None:
    assert amount("memory", show("memory", value)) <= value + 1
    assert amount("cpu", show("cpu", value)) == value


@pytest.mark.parametrize(
    ("milli", "text"), [(6000, "6"), (3999, "3.9"), (50, "50m"), (100, "0.1"), (0, "0")]
)
def test_cores_round_down(milli: int, text: str) -> None:
    assert cores(milli) == text
