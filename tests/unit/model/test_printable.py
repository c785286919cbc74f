"""Texts as they may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusteraudit.model.printable import LONGEST, printable, sentence
from support.hostile import ORDERS, texts


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-0", "web-0"),
        ("Größe 日本", "Größe 日本"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2028", r"\u2028"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_gives_orders_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("order", ORDERS)
def test_none_of_them_is_left(order: str) -> None:
    assert printable(order).isprintable()


@given(texts())
def test_shown_is_printable_and_whole(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    if text.isprintable():
        assert shown is text


@given(texts(2000), st.integers(1, 2000))
def test_a_sentence_has_a_length(text: str, limit: int) -> None:
    shown = sentence(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    if len(printable(text)) <= limit:
        assert shown == printable(text)


def test_what_is_cut_says_so() -> None:
    assert sentence("x" * 5000) == "x" * (LONGEST - 1) + "…"
