"""Spreadsheets for people to fill in: one sheet of Office Open XML (ECMA-376), and only cells in it."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa

from semigen.common.text import visible

ENDING = ".xlsx"
MOST_TEXT = 32_767
"""Characters in a cell."""
_MOST_CHOICES = 255  # characters of a list that a cell offers

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="rows" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}


def write_spreadsheet(
    table: pa.Table, path: Path, choices: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Write a table as the one sheet of a workbook. Text is text: no cell is a formula.

    Parameters
    ----------
    table : pyarrow table
        Numbers and booleans become such cells, everything else text.
    path : Path
    choices : mapping of column to texts, optional
        What the cells of a column offer to choose from; other texts may be written, too.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in _PARTS.items():
            book.writestr(name, _HEAD + content)
        book.writestr("xl/worksheets/sheet1.xml", _HEAD + "".join(_sheet(table, choices or {})))


def _sheet(table: pa.Table, choices: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    yield '<pane ySplit="1" topLeftCell="A2" state="frozen"/></sheetView></sheetViews><sheetData>'
    yield f"<row>{''.join(map(_cell, map(str, table.column_names)))}</row>"
    for row in table.to_pylist():
        yield f"<row>{''.join(_cell(row[name]) for name in table.column_names)}</row>"
    yield "</sheetData>"
    lists = [
        (table.column_names.index(name), ",".join(texts))
        for name, texts in choices.items()
        if name in table.column_names and texts and not any("," in text for text in texts)
    ]
    lists = [(column, text) for column, text in lists if len(text) <= _MOST_CHOICES]
    if lists and table.num_rows:
        yield f'<dataValidations count="{len(lists)}">'
        for column, text in lists:
            letters = _letters(column)
            quoted = escape('"' + text.replace('"', '""') + '"')
            where = quoteattr(f"{letters}2:{letters}{table.num_rows + 1}")
            yield f'<dataValidation type="list" allowBlank="1" sqref={where}><formula1>{quoted}</formula1>'
            yield "</dataValidation>"
        yield "</dataValidations>"
    yield "</worksheet>"


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float) and abs(value) < 2**53:
        return f"<c><v>{value!r}</v></c>"
    lines = "\n".join(map(visible, str(value).splitlines()))[:MOST_TEXT]
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(lines)}</t></is></c>'


def _letters(column: int) -> str:
    """What a spreadsheet calls a column, from 0: A … Z, AA …"""
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(65 + rest) + found
    return found
