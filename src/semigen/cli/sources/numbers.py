"""Text columns whose cells are numbers as people write them: 20,412 · $50.20 · 51.3%."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from semigen.columns.numerals import (
    Numerals,
    are_numbers_with_gaps,
    currencies_of,
    gap_of,
    numerals_of_column,
    plain_number,
    stay_text,
)
from semigen.columns.tables import listing
from semigen.exceptions import ColumnError
from semigen.io.tables import is_text


def read_written_numbers(
    table: pa.Table, as_text: Collection[str], as_numbers: Collection[str], prefer: str
) -> tuple[pa.Table, dict[str, Numerals], tuple[str, ...]]:
    """Read text columns as numbers where every cell is one, and some are not written as in a program.

    Parameters
    ----------
    table : pyarrow table
    as_text : collection of str
        Columns that stay text.
    as_numbers : collection of str
        Columns that are numbers, however they are written.
    prefer : str
        The decimal mark where all cells leave it open; where those of one column do not, its mark is meant.

    Returns
    -------
    table : pyarrow table
    numerals : dict
        How the numbers of the columns that were read are written.
    notes : tuple of str
    """
    found: dict[str, Numerals] = {}
    examples: list[str] = []
    texts = _texts(table, as_text)
    for name, (cells, numerals) in _numerals(table, texts, prefer).items():
        position = table.column_names.index(name)
        filled = filter(numerals.is_filled, cells)
        odd = next((cell for cell in filled if plain_number(cell) != numerals.read(cell)), None)
        told = [] if odd is None else [f"{odd.strip()!r} is {numerals.read(odd):,.10g}"]
        if odd is not None or numerals.words or are_numbers_with_gaps(cells):
            told += [f"{word.strip()!r} is missing" for word in numerals.missing(gap_of(cells))]
        if told:
            examples.append(f"{name} ({', '.join(told)})")
        elif name not in as_numbers:  # digits that are text on purpose, such as codes
            continue
        found[name] = numerals
        table = table.set_column(position, name, pa.array(numerals.read_column(cells)[0], pa.float64()))
    cure = "To read one as it is written, add --as COLUMN=category"
    several = {name: currencies_of(cells) for name, cells in texts.items() if name not in found}
    notes = [f"read as numbers: {listing(examples)}. {cure}"] if examples else []
    notes += [f"{name}: {stay_text(signs)}" for name, signs in several.items() if signs]
    return table, found, tuple(notes)


def _texts(table: pa.Table, as_text: Collection[str]) -> dict[str, list[Any]]:
    """The cells of the columns that are text, but not on purpose."""
    return {
        name: column.to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name not in as_text and is_text(column.type) and not pa.types.is_dictionary(column.type)
    }


def _numerals(
    table: pa.Table, texts: Mapping[str, list[Any]], prefer: str
) -> dict[str, tuple[list[Any], Numerals]]:
    """The cells of those of the text columns that are numbers, and how they are written.

    Where a column tells that its decimal mark is the other one, and no column tells against it, it is that
    of the table: 20,412 is 20.412 beside 1.250,5.
    """

    def found(mark: str) -> dict[str, tuple[list[Any], Numerals]]:
        read = ((name, cells, numerals_of_column(cells, mark)) for name, cells in texts.items())
        return {name: (cells, numerals) for name, cells, numerals in read if numerals is not None}

    first, other = found(prefer), "," if prefer == "." else "."
    if all(numerals.decimal == prefer for _, numerals in first.values()):
        return first
    second = found(other)
    points = any(map(pa.types.is_floating, table.schema.types))  # as a program writes them
    agree = all(numerals.decimal == other for _, numerals in second.values())
    return second if agree and not (points and other == ",") else first


def read_numbers_again(
    table: pa.Table,
    names: Collection[str],
    noted: Mapping[str, Any],
    prefer: str,
    path: Path,
    asked: str = "",
) -> pa.Table:
    """Read the text columns of another table that are numbers to a model, written as they were in the fit.

    Where ``asked`` is a comma, it is the decimal mark of this table, whatever that of the fit was.

    Raises
    ------
    ColumnError
        If a cell is no number, with its row.
    """
    for position, name in enumerate(table.column_names):
        column = table.column(position)
        if name not in names or not is_text(column.type):
            continue
        known = noted.get(name)
        cells = column.to_pylist()
        numerals = Numerals(**known) if known else Numerals()
        if not known and numerals.read_column(cells)[1]:
            found = numerals_of_column(cells, prefer) or numerals
            numerals = replace(found, words=())  # no word was missing in the fit
        if asked == ",":
            numerals = replace(numerals, decimal=asked)
        numbers, bad = numerals.read_column(cells)
        if bad:
            worst = cells[bad[0]]
            raise ColumnError(
                f"{path}: column {name!r} is numbers in the model, and {len(bad)} of its {len(cells)} cells "
                f"{'is' if len(bad) == 1 else 'are'} not: the first is {worst!r} in row {bad[0]} (from 0). "
                f"{_cure(numerals, [cells[row] for row in bad])}"
            )
        table = table.set_column(position, name, pa.array(numbers, pa.float64()))
    return table


def _cure(numerals: Numerals, bad: Sequence[str]) -> str:
    """What to do about cells that are no numbers as they are written in a column."""
    other = replace(numerals, decimal="." if numerals.decimal == "," else ",")
    if any(other.read(cell) is None for cell in bad):
        return f"Correct it, or leave it empty; if it means 'missing', add --missing={shlex.quote(bad[0])}"
    if other.decimal == ",":
        return "If the decimal mark of this table is a comma, add --decimal ,"
    return "The decimal mark was a comma in the table of the fit: write numbers as there"
