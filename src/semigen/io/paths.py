"""Which files are meant: of a path, a glob, a folder, a list of paths, or a dataset of pyarrow."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import dataset as arrow_dataset
from pyarrow import fs

from semigen.exceptions import TableError
from semigen.io.embeddings import holds_numbers
from semigen.io.files import first_line
from semigen.io.parts import HEAD_ROWS, DatasetPart, Part, dataset_state, part_of
from semigen.io.reading import Reading

_FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".feather": "ipc",
    ".arrow": "ipc",
}
_CURE = {
    "incompatible types": " A folder named 'a=1' is a column a, too: name the folder or the column anew.",
    "duplicate field": " Give each column a name of its own.",
    "parquet": " Write it as Parquet again, or leave it out.",
    "ipc": " Write it as an Arrow file (pyarrow.ipc.new_file, or .feather.write_feather): a stream is none.",
}
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_EMPTY = "__HIVE_DEFAULT_PARTITION__"


def parts_of(path: Any, reading: Reading, file_format: str | None = None) -> list[Part]:
    """The files of a table, as :func:`from_files` takes them.

    Raises
    ------
    TableError
        If there is none, or one cannot be read.
    """
    if isinstance(path, arrow_dataset.Dataset):
        whole = DatasetPart(repr(path), fs.LocalFileSystem(), dataset_state(path), path.schema, path)
        return _with_lists([whole])
    found = _dataset(path, file_format)
    fragments = list(found.get_fragments())
    keys = [arrow_dataset.get_partition_keys(one.partition_expression) for one in fragments]
    constant = {name: None for name in found.schema.names if any(name in one for one in keys)}
    parts = []
    for one, own in zip(fragments, keys, strict=True):
        part = part_of(one, reading)
        for name in own.keys() & {*part.schema.names}:
            _refuse_other(part, name, own[name])
        parts.append(part.with_constants({**constant, **own}, found.schema))
    if not parts:
        raise TableError(f"{path} has no file: check the path.")
    return _with_lists(parts)


def _refuse_other(part: Part, name: str, cell: Any) -> None:
    """Raise a TableError if the first rows of a file have other cells than the name of its folder says."""
    for *_, batch in part.pieces([name], HEAD_ROWS):
        other = [one for one in batch.column(0).to_pylist() if str(one) != str(cell)]
        if other:
            raise TableError(
                f"{part.path}: column {name!r} has the cell {other[0]!r}, and the name of its folder says "
                f"{cell!r}: give the folder or the column another name."
            )
        return


def _with_lists(parts: Sequence[Part]) -> list[Part]:
    """The files with a column for each number of columns of lists of one length."""
    widths: dict[str, int] = {}
    for part in parts:
        for one in part.schema:
            if holds_numbers(one.type) and one.name not in widths and (width := part.width(one.name)):
                widths[one.name] = width
    return [part.with_lists(widths) for part in parts] if widths else list(parts)


def _dataset(path: Any, kind: str | None) -> arrow_dataset.Dataset:
    """The files as a dataset, which knows their order, their file system and the columns in folder names."""
    many = isinstance(path, list | tuple)
    if not all(isinstance(one, str | PathLike) for one in (path if many else [path])):
        raise TableError(
            f"a {type(path).__name__} is no path: give paths of files, or a pyarrow.dataset.Dataset; a table "
            "in memory is X itself."
        )
    texts = [fspath(one) for one in (path if many else [path])]
    if not many and "://" not in texts[0] and not Path(texts[0]).exists():
        texts = sorted(glob.glob(texts[0], recursive=True))
        many = True
    if not texts:
        raise TableError(f"{path} does not exist: check the path.")
    for one in texts:
        if "://" not in one and not Path(one).exists():
            raise TableError(f"{one} does not exist: check the path.")
    try:
        folder = not many and Path(texts[0]).is_dir()
        files = _files_in(Path(texts[0])) if folder else texts
        if not files:
            raise TableError(f"{path} has no file: check the path.")
        kind = kind or _format_of(str(files[0]))
        if kind != "csv":
            given = "hive" if folder else None
            return arrow_dataset.dataset(texts if many else texts[0], format=kind, partitioning=given)
        schema = _in_names(Path(texts[0])) if folder else pa.schema([])
        return arrow_dataset.dataset(  # CsvPart reads the other columns, whatever their separator
            texts if many else texts[0],
            format="csv",
            partitioning=arrow_dataset.partitioning(schema, flavor="hive"),
            schema=schema,
        )
    except (pa.ArrowException, OSError) as error:
        said = first_line(error).rstrip(".")
        cures = [cure for words, cure in _CURE.items() if words in said or words == kind]
        raise TableError(f"{path} cannot be read: {said}.{''.join(cures[:1])}") from error


def _format_of(name: str) -> str:
    for ending, kind in _FORMATS.items():
        if name.lower().endswith(ending):
            return kind
    raise TableError(f"{name} has no known format: its name must end in one of {', '.join(_FORMATS)}.")


def _in_names(folder: Path) -> pa.Schema:
    """The columns that the names of its subfolders say, whole numbers or text."""
    cells: dict[str, set[str]] = {}
    for one in _files_in(folder):
        for piece in one.relative_to(folder).parts[:-1]:
            name, is_column, cell = piece.partition("=")
            if is_column:
                cells.setdefault(name, set()).add(cell)
    return pa.schema(
        [
            (name, pa.int64() if all(map(_WHOLE.fullmatch, known - {_EMPTY})) else pa.string())
            for name, known in cells.items()
        ]
    )


def _files_in(folder: Path) -> list[Path]:
    """The files of a folder and its subfolders, but hidden ones.

    Raises
    ------
    TableError
        If one is a link to a file that does not exist: its rows would be missing without a word.
    """
    every = [
        one
        for one in sorted(folder.rglob("*"))
        if not any(piece.startswith(("_", ".")) for piece in one.relative_to(folder).parts)
    ]
    for one in every:
        if one.is_symlink() and not one.exists():
            raise TableError(
                f"{one} links to {os.readlink(one)}, which does not exist: restore it or remove the link."
            )
    return [one for one in every if one.is_file()]
