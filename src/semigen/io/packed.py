"""Tables in gzip files and zip archives: unpacked in memory, unless they are too large."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from semigen.columns.tables import listing
from semigen.exceptions import TableError
from semigen.io.files import first_line

MOST_BYTES = 2**31 - 1
"""Of text, which pyarrow reads as one block."""


def unzipped(path: Path, content: bytes) -> bytes:
    """The content of a gzip file, refused while it is unpacked if it is too large.

    Raises
    ------
    TableError
        If it is damaged or larger than ``MOST_BYTES``.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            found = file.read(MOST_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{path} is not gzip, or is damaged or cut off: {first_line(error)}") from error
    if len(found) >= MOST_BYTES:
        raise TableError(f"{path} is larger than 2 GiB as text: convert it to Parquet.")
    return found


def of_zip(path: Path, content: bytes, endings: Sequence[str]) -> tuple[str, bytes]:
    """Name and content of the one table in a zip archive, refused while it is unpacked if it is too large.

    Raises
    ------
    TableError
        If it is damaged, holds no file with one of the endings or several, or one that is too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [
                name
                for name in archive.namelist()
                if name.lower().endswith(tuple(endings)) and not Path(name).name.startswith((".", "__"))
            ]
            if len(names) != 1:
                held = f"{len(names)} tables ({listing(names)})" if names else "no table"
                raise TableError(
                    f"{path} holds {held}: unpack it and give one file, ending in one of "
                    f"{listing(endings, 20)}."
                )
            with archive.open(names[0]) as file:
                found = file.read(MOST_BYTES)
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise TableError(f"{path} is no zip archive, or is damaged or locked: {first_line(error)}") from error
    if len(found) >= MOST_BYTES:
        raise TableError(f"{path} is larger than 2 GiB when unpacked: convert it to Parquet.")
    return names[0], found
