"""Tables that are written, at once or piece by piece, in any format; pieces that outlive an interruption."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from pyarrow import csv, ipc

from semigen.exceptions import TableError
from semigen.io.tables import flat, json_lines

_ABOUT = "about.json"
_COMPRESSED = ipc.IpcWriteOptions(compression="lz4")  # as Feather files are


class TableWriter:
    """Writes a table piece by piece; pieces have the columns of the first one.

    Parameters
    ----------
    path : path
    ending : str
        That tells the format, such as ``.csv.gz``.
    """

    def __init__(self, path: Path, ending: str) -> None:
        self.path, self.ending = path, ending
        self.schema: pa.Schema | None = None
        self._open = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def write(self, table: pa.Table) -> None:
        """Append rows.

        Raises
        ------
        OSError
            If the file cannot be written, such as on a full disk.
        """
        if self.ending.startswith((".csv", ".tsv")):
            table = pa.table(list(map(flat, table.columns)), names=table.column_names)
        if self.schema is None:
            self.schema = table.schema
            self._writer = self._opened(table.schema)
        if self.ending in (".jsonl", ".ndjson"):
            self._writer.write("".join(json_lines(table)))
        else:
            self._writer.write_table(table.cast(self.schema))

    def _opened(self, schema: pa.Schema) -> Any:
        enter = self._open.enter_context
        if self.ending == ".parquet":
            from pyarrow import parquet

            return enter(parquet.ParquetWriter(self.path, schema))
        if self.ending in (".feather", ".arrow"):
            return enter(ipc.new_file(str(self.path), schema, options=_COMPRESSED))
        if self.ending in (".jsonl", ".ndjson"):
            return enter(self.path.open("w", encoding="utf-8"))
        packed = self.ending.endswith(".gz")
        file = enter(
            pa.CompressedOutputStream(str(self.path), "gzip") if packed else pa.OSFile(str(self.path), "wb")
        )
        separator = "\t" if self.ending.startswith(".tsv") else ","
        return enter(csv.CSVWriter(file, schema, write_options=csv.WriteOptions(delimiter=separator)))


def write_table(table: pa.Table, path: Path, ending: str) -> None:
    """Write a table in the format of ``ending``, whatever the path is called."""
    with TableWriter(path, ending) as file:
        file.write(table)


class KeptPieces:
    """Pieces of a result in a folder, each complete or not there, so that the work on others can go on.

    Parameters
    ----------
    folder : path
        Made if need be.
    about : dict
        What the pieces are of; those of something else are refused.

    Raises
    ------
    TableError
        If the folder has pieces of something else.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.rows: list[int] = []
        """Of each piece."""
        noted = folder / _ABOUT
        if noted.exists():
            found = json.loads(noted.read_text(encoding="utf-8"))
            if found.get("about") != about:
                raise TableError(
                    f"{folder} holds a part of other predictions (another model, table or option): give "
                    "the same command to go on, or remove that folder to start again."
                )
            self.rows = list(found["rows"])
        else:
            folder.mkdir(exist_ok=True)
        self._about = about

    def add(self, table: pa.Table) -> None:
        """Keep one more piece."""
        place = self._place(len(self.rows))
        unfinished = place.with_suffix(".unfinished")
        with ipc.new_file(str(unfinished), table.schema) as file:
            file.write_table(table)
        os.replace(unfinished, place)
        self.rows.append(table.num_rows)
        text = json.dumps({"about": self._about, "rows": self.rows})
        unfinished = self.folder / f"{_ABOUT}.unfinished"
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, self.folder / _ABOUT)

    def tables(self) -> Iterator[pa.Table]:
        """The pieces in their order."""
        for number in range(len(self.rows)):
            with ipc.open_file(str(self._place(number))) as file:
                yield file.read_all()

    def remove(self) -> None:
        """Remove the folder: the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, number: int) -> Path:
        return self.folder / f"{number:06d}.arrow"
