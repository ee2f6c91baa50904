"""Text of strangers, made visible: what a file brings along is shown and commands nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}

_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """Text whose control characters are escapes as in JSON, since they could command the terminal.

    These are control characters, format characters such as those of writing direction, surrogates, and
    separators of lines and paragraphs. The joiners of scripts and emoji stay.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def shortened(text: str, most: int) -> str:
    """The text, or its first characters and an ellipsis where it is longer than ``most``."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def quoted(cell: object, most: int = 80) -> str:
    """A cell in quotes, of a long one (a vector or a page, say) its beginning."""
    return repr(shortened(cell, most)) if isinstance(cell, str) else shortened(repr(cell), most)


def in_short(name: str, most: int = 60) -> str:
    """The name of a column, of a long one (the text of a question, say) its beginning and its end."""
    return (
        name if len(name) <= most else f"{name[: 2 * most // 3].rstrip()} … {name[3 - most // 3 :].lstrip()}"
    )


class Printed:
    """A record that a notebook shows as it is printed."""

    def _repr_html_(self) -> str:
        return f"<pre style='white-space: pre-wrap'>{escape(str(self))}</pre>"


def in_columns(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells as lines of text, in columns of one width."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN or character in _JOINERS:
        return character
    units = character.encode("utf-16-be", "surrogatepass")  # as JSON writes them
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
