"""Zip archives from strangers: what one states of itself is checked before anything is unpacked.

An archive can state any size, unpack to another one, name an entry twice or let entries overlap. Here every
entry is read in pieces and never becomes larger than it states, and all together state no more than a genuine
model file does.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from typing import Any, BinaryIO, cast

SMALL = 2**26
"""Bytes that an archive may unpack to, however small it is."""
MOST_RATIO = 200
"""A larger one may unpack to this many times its size: genuine models reach 30."""
PIECE = 2**20
"""Bytes that are read at once."""
SLACK = 2**22
"""Bytes that reading may take beyond a multiple of what a file states."""
_QUOTED = 2**16
_WIDTHS = {0xF0: 4, 0xC4: 2, 0: 1}  # bytes of each letter in memory, by the largest byte in UTF-8
_MOST_ENTRIES, _MOST_PER_ENTRY = 2**16, 2**9
_END, _END_SIZE = b"PK\x05\x06", 22
_END_64, _LOCATOR, _END_64_SIZE = b"PK\x06\x06", b"PK\x06\x07", 76
_BYTES_OF_OBJECT, _BYTES_OF_LIST, _BYTES_OF_ITEM = 184, 56, 40  # in memory, at least


class Archive:
    """The entries of an archive, by name.

    Parameters
    ----------
    file : binary file
    packed : bool
        Whether entries may be deflated; no other compression is read.

    Attributes
    ----------
    sizes : dict
        Bytes of each entry, as stated.
    stated : int
        Those of all.

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
        self.stated = sum(self.sizes.values())
        if self.stated > most_unpacked(size) if packed else self.stated > size:
            raise ValueError(f"{size:,} bytes claim to hold {self.stated:,}")

    def open(self, name: str) -> BinaryIO:
        """An entry, to be read in pieces."""
        return cast(BinaryIO, self._zip.open(name))

    def unpack(self, name: str) -> io.BytesIO:
        """All of an entry, in memory."""
        found = io.BytesIO()
        with self.open(name) as entry:
            while piece := entry.read(PIECE):
                found.write(piece)
        return found


def most_unpacked(size: int) -> int:
    """The bytes that an archive of ``size`` bytes may unpack to."""
    return max(SMALL, MOST_RATIO * size)


def structure(text: bytes) -> bytearray:
    """JSON without its texts and spaces, found piece by piece: as a list, its texts take many times as much.

    Raises
    ------
    ValueError
        If there are long texts that are wide: with one rare letter, each of the others takes four bytes.
    """
    found = bytearray()
    inside = is_wide = False
    begin = wide = length = 0
    while begin < len(text):
        end = begin + _QUOTED
        while text[end - 1 : end] == b"\\":  # with the letter that it escapes
            end += 1
        parts = text[begin:end].replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
        found += b"".join(parts[inside::2]).translate(None, b" \t\r\n")
        for number, part in enumerate(parts[not inside :: 2]):
            if number or not inside:  # a text begins
                length, is_wide = 0, False
            n_letters = len(part) - 5 * part.count(rb"\u")
            length += n_letters
            if is_wide or n_letters < len(part):
                wide += 4 * (n_letters if is_wide else length)
                is_wide = True
        inside ^= len(parts) % 2 == 0
        begin = end
    if wide > len(text) // 2 + PIECE:
        raise ValueError("its texts take too much memory for their size")
    return found


def read_json(text: bytes, stated: int) -> Any:
    """What JSON in UTF-8 says.

    Parameters
    ----------
    text : bytes
    stated : int
        Bytes that the archive states, of all entries: the JSON takes three times as many, at most.

    Raises
    ------
    ValueError
        If it is no JSON, or takes more: brackets and commas take up to 30 times their bytes in memory, and a
        text with one rare letter four times.
    """
    outside = structure(text)
    parts = {b"{": _BYTES_OF_OBJECT, b"[": _BYTES_OF_LIST, b",": _BYTES_OF_ITEM}
    needed = sum(n_bytes * outside.count(part) for part, n_bytes in parts.items())
    width = next(width for least, width in _WIDTHS.items() if max(text, default=0) >= least)
    if needed + 2 * width * len(text) > 3 * stated + SLACK:
        raise ValueError("it takes too much memory for its size")
    return json.loads(text)


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
