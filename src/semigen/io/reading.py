"""How a table is to be read, where its file does not say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semigen.exceptions import TableError


@dataclass(frozen=True)
class Reading:
    """What a file does not say about itself.

    Attributes
    ----------
    encoding : str or None
        Of a text file; None: that of its byte order mark, else UTF-8, else guessed.
    separator : str or None
        Between the cells of a text file; None: told from its first lines.
    decimal : str
        The decimal mark of numbers in a text file.
    missing : tuple of str
        Cells that are missing, besides empty ones and the usual words (NA, NaN, null).
    embeddings : Path or None
        A NumPy file with a row of numbers for each row of the table.
    sheet : str or None
        Of a spreadsheet; None: the first one.
    """

    encoding: str | None = None
    separator: str | None = None
    decimal: str = "."
    missing: tuple[str, ...] = ()
    embeddings: Path | None = None
    sheet: str | None = None


def is_separator(mark: str) -> bool:
    """Whether it can stand between cells: one ASCII character, no quotation mark and no end of line."""
    return len(mark) == 1 and mark.isascii() and mark not in '"\r\n'


def refuse_separator(separator: str) -> None:
    """Refuse what cannot stand between cells.

    Raises
    ------
    TableError
        If it is not one ASCII character, or a quotation mark or an end of line.
    """
    if not is_separator(separator):
        raise TableError(f"--separator {separator!r}: give one character, such as ';', '|' or tab.")


def refuse_sheet(path: Path | str, reading: Reading) -> None:
    """Raise a TableError if a sheet is named of a file that has none."""
    if reading.sheet is not None:
        raise TableError(f"{path} is no spreadsheet: leave out --sheet {reading.sheet!r}.")
