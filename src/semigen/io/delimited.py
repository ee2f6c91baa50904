"""Text tables: bytes of any encoding and cells between any separator, as typed columns or as written."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from semigen.columns.numerals import are_thousands, may_be_thousands
from semigen.exceptions import TableError
from semigen.io.files import first_line
from semigen.io.packed import MOST_BYTES
from semigen.io.reading import Reading

_SAID = re.compile(r'"?sep=([^\w\s"]|\t)"?[ ]*\r?\n')  # as Excel writes and reads it
_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 2**16  # bytes from which the separator is told
_ROWS_FOR_SEPARATOR = 20
ROWS_OF_TITLES = 30
"""Rows in which the names of the columns are looked for, where they are not in the first one."""
_EVIDENCE = 2**18  # bytes from which an encoding is guessed
_LIKELY = [f"cp125{number}" for number in range(9)] + [
    "koi8_r",
    "gb18030",
    "big5",
    "cp932",
    "euc_jp",
    "cp949",
]
_MARKED = ["utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be", "utf_7"]
_WORDS = re.compile(r"[^\s\d!-/:-@[-`{-~]+")  # between spaces, digits and signs of ASCII
_WESTERN = re.compile(
    r"[«“‘„‚¿¡]?[A-Za-zÀ-ÖØ-öø-ÿŠšŽžŒœŸ’–]+[°²³ªº»”’™®…–—€]{0,2}|[€£¥§°±²³µ½¼¾«»“”‘’–—…•·©®™×]"
)
_LONGEST_CELL = 2**30
_LEAST_WIDTH = 3  # of codes: hours and months have two digits
_MARKS = {  # the longest first: that of UTF-32 starts with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WORDS_FOR_MISSING = tuple(arrow_csv.ConvertOptions().null_values)
"""Cells of text tables that are missing, the empty one among them."""


@dataclass(frozen=True)
class Widths:
    """How the whole numbers of a column are written: how many characters, and if any starts with 0."""

    least: int
    most: int
    padded: bool

    @property
    def are_codes(self) -> bool:
        """Three digits or more, in all cells as many, some with zeros in front: text, such as ZIP codes."""
        return self.padded and _LEAST_WIDTH <= self.least == self.most

    def merge(self, other: Widths) -> Widths:
        """Of the cells of both."""
        padded = self.padded or other.padded
        return Widths(min(self.least, other.least), max(self.most, other.most), padded)


@dataclass(frozen=True, eq=False)
class DelimitedFile:
    """An open text table.

    Attributes
    ----------
    path : Path
    names : tuple of str
        Of the columns.
    separator : str
    encoding : str
    notes : tuple of str
        What was guessed.
    n_before : int
        Lines before the names of the columns: empty ones, and Excel's ``sep=;``.
    """

    path: Path
    names: tuple[str, ...]
    separator: str
    encoding: str
    notes: tuple[str, ...]
    n_before: int
    _content: bytes = field(repr=False)
    _reading: Reading = field(repr=False)
    other_sheets: ClassVar[tuple[str, ...]] = ()

    @property
    def decimal(self) -> str:
        """The decimal mark where numbers leave it open; semicolons are used where it is a comma."""
        return "," if self.separator == ";" else self._reading.decimal

    def typed(self, text: Collection[str] = (), *, codes: bool = True) -> pa.Table:
        """Columns with types told from all of their cells.

        Those of ``text`` stay text, and so do codes, numbers with points between thousands, and times on
        the clocks of a place such as 12:00+02:00.
        """
        table = self._read(
            arrow_csv.ConvertOptions(
                null_values=[*WORDS_FOR_MISSING, *self._reading.missing],
                strings_can_be_null=True,
                decimal_point=self._reading.decimal,
                column_types=dict.fromkeys(text, pa.string()),
            )
        )
        found = self._zoned(table) + ([*self._codes(table), *self.thousands(table)] if codes else [])
        return self.typed({*text, *found}, codes=False) if found else table

    def _zoned(self, table: pa.Table) -> list[str]:
        """The columns of a table of this file that would be on the clocks of Greenwich, and are not."""
        names = [one.name for one in table.schema if getattr(one.type, "tz", None)]
        cells = self._filled(names, table).items()
        return [
            name for name, one in cells if compute.any(compute.match_substring_regex(one, _OFFSET)).as_py()
        ]

    def _codes(self, table: pa.Table) -> list[str]:
        return [name for name, widths in self.widths(table).items() if widths.are_codes]

    def thousands(self, table: pa.Table) -> list[str]:
        """The columns of a table of this file whose numbers such as 2.509 beside 915 are 2,509 and 915."""
        names = [one.name for one in table.schema if _may_be_thousands(table[one.name])]
        head = self._head()._filled(names, table)  # few rows tell of most columns
        names = [name for name, cells in head.items() if may_be_thousands(cells.to_pylist())]
        return [name for name, cells in self._filled(names, table).items() if _are_thousands(cells)]

    def _head(self) -> DelimitedFile:
        """The same file without all but its first rows."""
        lines = itertools.islice(io.BytesIO(self._content), ROWS_OF_TITLES)
        return replace(self, _content=_full_rows(b"".join(lines), self.separator))

    def widths(self, table: pa.Table) -> dict[str, Widths]:
        """How the columns are written that are whole numbers in a table of this file."""
        whole = [one.name for one in table.schema if pa.types.is_integer(one.type)]
        found = {}
        for name, cells in self._filled(whole, table).items():
            lengths = compute.min_max(compute.utf8_length(cells)).as_py()
            padded = compute.any(compute.starts_with(cells, "0")).as_py()
            found[name] = Widths(lengths["min"], lengths["max"], padded)
        return found

    def _filled(self, names: Sequence[str], table: pa.Table) -> dict[str, pa.ChunkedArray]:
        """Some columns as they are written, without the cells that are missing in a table of this file."""
        written = self.written(names)
        known = table.slice(0, written.num_rows)
        return {name: written[name].filter(compute.is_valid(known[name])) for name in names}

    def written(self, names: Sequence[str]) -> pa.Table:
        """Some columns as text, cell by cell as it is written; only empty cells are missing."""
        if not names:
            return pa.table({})
        return self._read(
            arrow_csv.ConvertOptions(
                null_values=[""],
                strings_can_be_null=True,
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=list(names),
            )
        )

    def row_of(self, names: Collection[str]) -> int | None:
        """The number of the row, from 1, that has all these cells; None if none of the first ones has."""
        rows = csv.reader(_lines(self._content[:_SAMPLE]), delimiter=self.separator)
        return row_with(names, itertools.islice(rows, ROWS_OF_TITLES))

    def _read(self, convert: arrow_csv.ConvertOptions) -> pa.Table:
        # One block, so that a column whose first cells are empty still gets the type of the later ones; one
        # thread, so that an error knows its row.
        try:
            return arrow_csv.read_csv(
                io.BytesIO(self._content),
                read_options=arrow_csv.ReadOptions(
                    block_size=len(self._content) + 1,
                    use_threads=False,
                    column_names=list(self.names),
                    skip_rows_after_names=1,
                ),
                parse_options=arrow_csv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
                convert_options=convert,
            )
        except pa.ArrowException as error:
            said = first_line(error).removeprefix("CSV parse error: ").replace("Row #", "row ")
            raise TableError(
                f"{self.path} cannot be read as a table: {said}. Rows are counted from 1 with the line of "
                f"names; the separator is taken to be {self.separator!r} (--separator says another)."
            ) from error


_OFFSET = r"[+-]\d\d(:?\d\d)?$"


def _may_be_thousands(column: pa.ChunkedArray) -> bool:
    """Whether numbers have up to three digits before the point, some none after it, and none is as 0.5."""
    if not pa.types.is_floating(column.type):
        return False
    numbers = np.abs(column.drop_null().to_numpy())
    small = (numbers < 1000) & ((numbers >= 1) | (numbers == 0))
    return bool(small.all() and (numbers == np.rint(numbers)).any())


def _are_thousands(column: pa.ChunkedArray) -> bool:
    """Whether cells are numbers with points between thousands, and not all have one, as 915.000 has."""
    pointed = compute.match_substring(column, ".")
    return not compute.all(pointed).as_py() and are_thousands(column.unique().to_pylist())


def row_with(names: Collection[str], rows: Iterable[Sequence[str]]) -> int | None:
    """The number of the first row, from 1, that has all these cells, beside others."""
    wanted = set(names)
    return next((number for number, row in enumerate(rows, 1) if len(row) > 1 and wanted <= set(row)), None)


def open_delimited(
    path: Path, content: bytes, ending: str, reading: Reading, *, whole: bool = True
) -> DelimitedFile:
    """Find out how a text table is written; if ``content`` is not the ``whole`` of it, from its full lines.

    Raises
    ------
    TableError
        If it is empty, no text, or not in the encoding that is given or can be guessed.
    """
    content, encoding, notes = _as_utf8(path, content, reading.encoding, whole=whole)
    full = content if whole else content[: content.rfind(b"\n") + 1]
    content = full.lstrip(b"\r\n")
    n_blank = len(full[: len(full) - len(content)].splitlines())
    if not content or content.isspace():
        raise TableError(f"{path} is empty.")
    if len(content) >= MOST_BYTES:
        raise TableError(f"{path} is larger than 2 GiB as text: convert it to Parquet.")
    content = content if content.endswith(b"\n") else content + b"\n"
    head = content[:_SAMPLE].decode("utf-8", errors="ignore")
    said = _SAID.match(head)
    if said is not None:
        content, head = content[said.end() :], head[said.end() :]
    separator = (
        reading.separator
        or (said and said[1])
        or ("\t" if ending.startswith(".tsv") else _separator(head, whole=len(content) <= _SAMPLE))
    )
    if whole:
        _refuse_open_quote(path, content, separator)
    else:
        content = _full_rows(content, separator)
    names, n_before = _names(content, separator), n_blank + (0 if said is None else 1)
    return DelimitedFile(path, names, separator, encoding, notes, n_before, content, reading)


def _as_utf8(
    path: Path, content: bytes, encoding: str | None, *, whole: bool
) -> tuple[bytes, str, tuple[str, ...]]:
    """The text in UTF-8, the encoding that it was in, and what was guessed."""
    marked = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    known = encoding or marked
    if known is None:
        if b"\0" in content[: 2**20]:
            raise TableError(
                f"{path} is not a text table in UTF-8: it has bytes of 0. If it is text in another encoding "
                "such as UTF-16, name it with --encoding."
            )
        if content.isascii():
            return content, "utf-8", ()
    try:
        text = codecs.getincrementaldecoder(known or "utf-8")().decode(content, final=whole)
        return (content if known is None else text.encode()), known or "utf-8", ()
    except LookupError as error:
        raise TableError(
            f"--encoding {encoding}: there is no such encoding; try utf-8 or latin-1."
        ) from error
    except UnicodeError as error:
        if known is not None:
            raise TableError(f"{path} is not text in {known}: {first_line(error)}.") from error
    guess = _guessed(path, content)
    text = content.decode(guess, errors="replace")
    word = next((word for word in _WORDS.findall(text) if not word.isascii()), "")
    seen = f" (it has {word!r})" if word else ""
    note = f"{path.name} is not UTF-8 and is read as {guess}, by its bytes{seen}. --encoding names another."
    return text.encode(), guess, (note,)


def _guessed(path: Path, content: bytes) -> str:
    """The encoding that a text in another one than UTF-8 is most likely in."""
    cure = "name its encoding, such as --encoding latin-1, or save it as UTF-8"
    lines = b"\n".join(line for line in content.splitlines() if not line.isascii())[:_EVIDENCE]
    if _is_western(lines):
        return "cp1252"
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        raise TableError(
            f"{path} is not text in UTF-8: {cure} (pip install 'semigen[tables]' guesses encodings)."
        ) from None
    best = from_bytes(lines, cp_isolation=_LIKELY).best() or from_bytes(lines, cp_exclusion=_MARKED).best()
    if best is None:
        raise TableError(f"{path} is text in no encoding that can be guessed: {cure}.")
    return str(best.encoding)


def _is_western(lines: bytes) -> bool:
    """Whether bytes are words of Western Europe in cp1252: most have plain letters, none a sign within."""
    try:
        words = {word for word in _WORDS.findall(lines.decode("cp1252")) if not word.isascii()}
    except UnicodeDecodeError:
        return False
    plain = sum(len(word) == 1 or any(map(str.isascii, word)) for word in words)
    return 2 * plain >= len(words) and all(map(_WESTERN.fullmatch, words))


def _refuse_open_quote(path: Path, content: bytes, separator: str) -> None:
    """Refuse a table whose last cell is never closed, which would be read as all of the rows below it."""
    if content.count(b'"') % 2 == 0:
        return
    rows = csv.reader(_lines(content), delimiter=separator, strict=True)
    line = 1
    try:
        for _ in rows:
            line = rows.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise TableError(
                f'{path}: a quotation mark (") is opened in line {line} and never closed: close it, or write '
                '"" for a mark that is meant.'
            ) from error


def _full_rows(content: bytes, separator: str) -> bytes:
    """The start of a table without its last row, where that may end inside a cell with line breaks."""
    if content.count(b'"') % 2 == 0:
        return content
    rows = csv.reader(_lines(content), delimiter=separator)
    before = done = 0
    for _ in rows:
        before, done = done, rows.line_num
    return b"".join(content.splitlines(keepends=True)[:before]) or content


def _lines(content: bytes) -> io.TextIOWrapper:
    csv.field_size_limit(_LONGEST_CELL)
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="replace", newline="")


def _names(content: bytes, separator: str) -> tuple[str, ...]:
    """The cells of the first row; a column without a name has its number."""
    first = next(csv.reader(_lines(content), delimiter=separator), [])
    return tuple(name or f"unnamed: {number}" for number, name in enumerate(first))


def _separator(head: str, *, whole: bool) -> str:
    """The mark that splits the first rows into equally many cells; the comma last, as numbers may have it.

    The last line of a head that is not the whole table may be cut, and does not count.
    """
    lines = head.splitlines()
    lines = lines[: len(lines) if whole else max(1, len(lines) - 1)]
    tables = [list(itertools.islice(rows, _ROWS_FOR_SEPARATOR)) for rows in (lines, _joined(lines))]
    found = [(rows, [mark for mark in _SEPARATORS if mark in rows[0]]) for rows in tables if rows]
    for strict in (True, False):  # strict: a quoted cell ends at its mark, so the other marks are part of it
        for rows, in_header in found:
            for mark in reversed(in_header):
                if _is_even(rows, mark, strict=strict):
                    return mark
    return next((in_header[0] for _, in_header in found if in_header), ",")


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Rows of which cells in quotation marks may have line breaks, which become spaces."""
    row, n_marks = "", 0
    for line in lines:
        row, n_marks = f"{row} {line}" if n_marks % 2 else line, n_marks + line.count('"')
        if n_marks % 2 == 0:
            yield row


def _is_even(lines: Sequence[str], mark: str, *, strict: bool) -> bool:
    """Whether a mark splits the rows into equally many cells."""
    try:
        return len({len(row) for row in csv.reader(lines, delimiter=mark, strict=strict) if row}) == 1
    except csv.Error:
        return False
