r"""Text of objects as it may be shown: nothing in it moves a cursor, turns the line or ends it.

Names and labels that an API server holds are plain ASCII; reasons, messages, and all that a file
says, need not be. What Unicode has as control, format, separator, surrogate or unassigned becomes
an escape (`\x1b`, `\u202e`), as Python's `repr` writes it.
"""

LONGEST = 1024
"""Characters of a sentence: what the API takes of an Event's note, and a line that can be read."""


def printable(text: str) -> str:
    """The text with escapes in the place of what is not to be seen; itself where all is."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escape(one) for one in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def sentence(text: str, limit: int = LONGEST) -> str:
    """The same, and no longer than `limit` characters: what is cut ends in an ellipsis."""
    shown = printable(text if len(text) <= limit else text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
