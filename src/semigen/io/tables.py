"""Tables on disk: CSV and TSV, plain or gzipped, and Parquet, through pyarrow."""

from __future__ import annotations

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from semigen.columns.tables import listing, plain_types
from semigen.exceptions import TableError
from semigen.io.files import first_line

_FORMATS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
_BLOCK_LIMIT = 2**31 - 1


def table_format(path: Path) -> str:
    """Return the ending of a path that tells the format, such as ``.csv.gz``.

    Raises
    ------
    TableError
        If it is none of those that can be read and written.
    """
    for ending in _FORMATS:
        if path.name.lower().endswith(ending):
            return ending
    raise TableError(f"{path} has no known table format: its name must end in one of {', '.join(_FORMATS)}.")


def read_table(path: Path, text_columns: Sequence[str] = ()) -> pa.Table:
    """Read a table, with every column's type told from all of its cells.

    Empty cells, and the usual words for them (NA, NaN, null), are missing. A column without a name is called
    ``unnamed: <its number>``.

    Parameters
    ----------
    path : path
    text_columns : sequence of str
        Columns of a text file whose cells are kept as they are written, such as ids with leading zeros.

    Raises
    ------
    TableError
        If there is no such file, or it is empty, damaged, not UTF-8 or no table, or column names repeat.
    """
    ending = table_format(path)
    if not path.exists():
        raise TableError(f"{path} does not exist: check the path.")
    if path.is_dir():
        raise TableError(f"{path} is a folder: give a file.")
    table = _read_parquet(path) if ending == ".parquet" else _read_text(path, ending, text_columns)
    names = [name or f"unnamed: {number}" for number, name in enumerate(table.column_names)]
    twice = [repr(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise TableError(f"{path} has more than one column named {', '.join(twice)}: give each its own name.")
    if table.num_rows == 0:
        raise TableError(f"{path} has column names but no rows.")
    return table.rename_columns(names)


def write_table(table: pa.Table, path: Path, ending: str) -> None:
    """Write a table in the format of ``ending``, whatever the path is called."""
    if ending == ".parquet":
        pyarrow.parquet.write_table(table, path)
        return
    options = pyarrow.csv.WriteOptions(delimiter="\t" if ending.startswith(".tsv") else ",")
    with (
        pa.CompressedOutputStream(str(path), "gzip")
        if ending.endswith(".gz")
        else pa.OSFile(str(path), "wb") as file
    ):
        pyarrow.csv.write_csv(table, file, write_options=options)


def is_text(kind: pa.DataType) -> bool:
    """Whether cells of a type are text, categories of text included."""
    kind = value_type(kind)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the cells, for categories that of their levels."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _read_parquet(path: Path) -> pa.Table:
    try:
        return plain_types(pyarrow.parquet.ParquetFile(path).read())
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} cannot be read as Parquet: {first_line(error)}") from error


def _read_text(path: Path, ending: str, text_columns: Sequence[str]) -> pa.Table:
    content = path.read_bytes()
    if ending.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{path} is not gzip, or is damaged or cut off: {first_line(error)}") from error
    if not content or content.isspace():
        raise TableError(f"{path} is empty.")
    not_utf8 = f"{path} is not a text table in UTF-8: save it as CSV with the encoding UTF-8."
    if b"\0" in content[: 2**20]:
        raise TableError(not_utf8)
    if len(content) >= _BLOCK_LIMIT:
        raise TableError(f"{path} is larger than 2 GiB as text: convert it to Parquet.")
    delimiter = "\t" if ending.startswith(".tsv") else _delimiter(content)
    try:
        # One block, so that a column whose first cells are empty still gets the type of the later ones.
        table = pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(block_size=len(content) + 1),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                strings_can_be_null=True, column_types={name: pa.string() for name in text_columns}
            ),
        )
        binary = [
            repr(name)
            for name, kind in zip(table.column_names, table.schema.types, strict=True)
            if kind == pa.binary()
        ]
    except UnicodeDecodeError as error:
        raise TableError(not_utf8) from error
    except pa.ArrowException as error:
        raise TableError(f"{path} cannot be read as a table: {first_line(error)}") from error
    if binary:
        raise TableError(f"{not_utf8} Other bytes are in column {listing(binary)}.")
    return table


def _delimiter(content: bytes) -> str:
    """Comma, unless the line of names has none but semicolons or tabs."""
    header = content[: 2**20].lstrip().split(b"\n", 1)[0]
    return next((mark for mark in (",", ";", "\t") if mark.encode() in header), ",")
