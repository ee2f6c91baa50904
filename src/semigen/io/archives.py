"""Zip archives from strangers: what one states of itself is checked before anything is unpacked.

An archive can state any size, unpack to another one, name an entry twice or let entries overlap. Here every
entry is read in pieces and never becomes larger than it states, and all together state no more than a genuine
model file does.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO, cast

SMALL = 2**26
"""Bytes that an archive may unpack to, however small it is."""
MOST_RATIO = 200
"""A larger one may unpack to this many times its size: genuine models reach 30."""
BYTES_PER_ITEM = 8
"""JSON has at least so many bytes for each list, object and item of one: genuine files have more than 20."""

_MOST_ENTRIES, _MOST_PER_ENTRY = 2**16, 2**9
_PIECE = 2**20
_END, _END_SIZE = b"PK\x05\x06", 22
_END_64, _LOCATOR, _END_64_SIZE = b"PK\x06\x06", b"PK\x06\x07", 76
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class Archive:
    """The entries of an archive, by name.

    Parameters
    ----------
    file : binary file
    packed : bool
        Whether entries may be deflated; no other compression is read.

    Raises
    ------
    ValueError, zipfile.BadZipFile
        If it is no archive, or states what no genuine model file does.
    """

    def __init__(self, file: BinaryIO, *, packed: bool) -> None:
        size = file.seek(0, os.SEEK_END)
        _check_directory(file, size)
        self._zip = zipfile.ZipFile(file)
        infos = self._zip.infolist()
        self.sizes = {info.filename: info.file_size for info in infos}
        methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if packed else (zipfile.ZIP_STORED,)
        if any(info.compress_type not in methods or info.flag_bits & 1 for info in infos):
            raise ValueError("an entry is encrypted, or packed in a way that semigen does not use")
        if len(self.sizes) < len(infos):
            raise ValueError("two entries have the same name")
        stated = sum(self.sizes.values())
        if stated > most_unpacked(size) if packed else stated > size:
            raise ValueError(f"{size:,} bytes claim to hold {stated:,}")

    def open(self, name: str) -> BinaryIO:
        """An entry, to be read in pieces."""
        return cast(BinaryIO, self._zip.open(name))

    def unpack(self, name: str) -> io.BytesIO:
        """All of an entry, in memory."""
        found = io.BytesIO()
        with self.open(name) as entry:
            while piece := entry.read(_PIECE):
                found.write(piece)
        return found


def most_unpacked(size: int) -> int:
    """The bytes that an archive of ``size`` bytes may unpack to."""
    return max(SMALL, MOST_RATIO * size)


def read_json(text: bytes, build: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """What JSON in UTF-8 says; ``build`` takes each object as soon as it is read and returns what it stands
    for.

    Raises
    ------
    ValueError
        If it is no JSON, or mostly brackets and commas: these take up to 30 times their bytes in memory.
    """
    most = (len(text) + _PIECE) // BYTES_PER_ITEM
    if _n_items(text) > most and _n_items(_STRING.sub(b"", text)) > most:
        raise ValueError("it has too many lists and objects for its size")
    decoded = str(text, "utf-8")
    del text
    return json.loads(decoded, object_hook=build)


def _n_items(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{") + text.count(b",")


def _check_directory(file: BinaryIO, size: int) -> None:
    """Refuse an archive whose list of entries is long: each takes ten times its bytes in memory."""
    file.seek(max(0, size - _END_SIZE - _END_64_SIZE))
    tail = file.read()
    large, end = tail[:-_END_SIZE], tail[-_END_SIZE:]
    if not end.startswith(_END):
        raise zipfile.BadZipFile("File is not a zip file")
    n_entries, n_bytes = struct.unpack("<10xHL6x", end)
    if large[-20:].startswith(_LOCATOR):  # of an archive of more than 2 GiB
        if not large.startswith(_END_64):
            raise zipfile.BadZipFile("File is not a zip file")
        n_entries, n_bytes = struct.unpack("<32xQQ28x", large)
    if n_entries > _MOST_ENTRIES or n_bytes > _MOST_PER_ENTRY * n_entries:
        raise ValueError("its list of entries is too long")
