"""Which files are meant: of a path, a glob, a folder, a list of paths, or a dataset of pyarrow."""

from __future__ import annotations

import glob
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import dataset as arrow_dataset
from pyarrow import fs

from semigen.exceptions import TableError
from semigen.io.delimited import Reading
from semigen.io.files import first_line
from semigen.io.parts import DatasetPart, Part, dataset_state, part_of

_FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".feather": "ipc",
    ".arrow": "ipc",
}


def parts_of(path: Any, reading: Reading, file_format: str | None = None) -> list[Part]:
    """The files of a table, as :func:`from_files` takes them.

    Raises
    ------
    TableError
        If there is none, or one cannot be read.
    """
    if isinstance(path, arrow_dataset.Dataset):
        return [DatasetPart(repr(path), fs.LocalFileSystem(), dataset_state(path), path.schema, path)]
    found = _dataset(path, file_format)
    parts = [part_of(one, found.schema, reading) for one in found.get_fragments()]
    if not parts:
        raise TableError(f"{path} has no file: check the path.")
    return parts


def _dataset(path: Any, kind: str | None) -> arrow_dataset.Dataset:
    """The files as a dataset, which knows their order, their file system and the columns in folder names."""
    many = isinstance(path, list | tuple)
    texts = [fspath(one) if isinstance(one, PathLike) else str(one) for one in (path if many else [path])]
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
        kind = kind or (_format_in(Path(texts[0])) if folder else _format_of(texts[0]))
        return arrow_dataset.dataset(
            texts if many else texts[0],
            format=kind,
            partitioning="hive" if folder else None,
            schema=pa.schema([]) if kind == "csv" else None,  # CsvPart reads them, whatever their separator
        )
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} cannot be read: {first_line(error)}") from error


def _format_of(name: str) -> str:
    for ending, kind in _FORMATS.items():
        if name.lower().endswith(ending):
            return kind
    raise TableError(f"{name} has no known format: its name must end in one of {', '.join(_FORMATS)}.")


def _format_in(folder: Path) -> str:
    for one in sorted(folder.rglob("*")):
        if one.is_file() and not any(piece.startswith(("_", ".")) for piece in one.relative_to(folder).parts):
            return _format_of(one.name)
    raise TableError(f"{folder} has no file: check the path.")
