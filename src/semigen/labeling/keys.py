"""Names of rows that stay the same when rows are added, removed or put into another order."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.columns.tables import Frame, is_missing, listing
from semigen.exceptions import ParameterError

Words = NDArray[np.uint64]

_MISSING = np.uint64(0x9E3779B97F4A7C15)


def keys_by_id(frame: Frame, name: str) -> list[str]:
    """The cells of a column as keys.

    Raises
    ------
    ParameterError
        If there is no such column, or a cell is empty or repeated.
    """
    if name not in frame.columns:
        raise ParameterError(
            f"the table has no column {name!r} (id): it has {listing(list(map(repr, frame.columns)))}."
        )
    cells = frame.get_column(name).to_list()
    empty = [row for row, cell in enumerate(cells) if is_missing(cell) or not str(cell).strip()]
    if empty:
        raise ParameterError(f"column {name!r} (id) is empty in row {empty[0]} (from 0): fill it in.")
    keys = list(map(str, cells))
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise ParameterError(
            f"column {name!r} (id) does not identify the rows: {listing(list(map(repr, twice)), 3)} is in "
            "more than one. Name another one, or none: rows are then known by their content."
        )
    return keys


def keys_by_content(frame: Frame) -> list[str]:
    """A hash of the cells of each row; rows that are alike are numbered in their order.

    It does not depend on the order of the columns, nor on whether whole numbers are stored as floats.
    """
    total = np.zeros(len(frame), dtype=np.uint64)
    for name in frame.columns:
        total += _mixed(_cells(frame.get_column(name)) ^ _of_texts([str(name)]))
    words = _mixed(total).tolist()
    seen: Counter[int] = Counter()
    keys = []
    for word in words:
        seen[word] += 1
        keys.append(f"{word:016x}" if seen[word] == 1 else f"{word:016x}-{seen[word]}")
    return keys


def fingerprints(keys: list[str]) -> Words:
    """Hashes of keys in increasing order, by which a changed table is noticed."""
    return np.sort(_of_texts(keys))


def _cells(column: Any) -> Words:
    if column.dtype.is_numeric() or column.dtype == nw.Boolean:
        missing = column.is_null().to_numpy().astype(bool)
        filled = column.fill_null(0 if column.dtype.is_numeric() else False)
        numbers = filled.to_numpy().astype(np.float64) + 0.0  # -0.0 is 0.0
        return np.where(missing | np.isnan(numbers), _MISSING, numbers.view(np.uint64))
    cells = column.to_list()
    if column.dtype != nw.String:
        cells = [None if is_missing(cell) else str(cell) for cell in cells]
    distinct = list(set(cells))
    words = _of_texts(["" if is_missing(cell) else cell for cell in distinct])
    words = np.where([is_missing(cell) for cell in distinct], _MISSING, words)
    place = {cell: i for i, cell in enumerate(distinct)}
    return words[[place[cell] for cell in cells]]


def _of_texts(texts: list[str]) -> Words:
    encoded = (text.encode("utf-8", "surrogatepass") for text in texts)
    digests = b"".join([hashlib.blake2b(one, digest_size=8).digest() for one in encoded])
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _mixed(words: Words) -> Words:
    """Spread every bit over all (Steele, Lea & Flood 2014, *OOPSLA*: SplitMix)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
