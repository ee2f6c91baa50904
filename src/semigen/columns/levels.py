"""Categories: the levels of a column, and its values as numbers of levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.columns.tables import Series, is_missing
from semigen.common.notices import warn
from semigen.exceptions import ColumnError, ColumnWarning

Levels = tuple[Any, ...]
_PLAIN = (str, bool, int, float)


def declared_levels(series: Series) -> Levels:
    """Levels that the type of a column declares, in its order; polars' plain categoricals declare none."""
    native = getattr(series.to_native(), "cat", None)
    categories = getattr(native, "categories", None)  # pandas
    if categories is None and isinstance(series.dtype, nw.Enum):
        categories = series.dtype.categories  # polars
    return () if categories is None else tuple(map(_plain, categories))


def find_levels(name: Any, cells: Iterable[Any], declared: Levels = ()) -> Levels:
    """Declared levels and, after them in their own order, those that only the cells have.

    Raises
    ------
    ColumnError
        If cells are neither text nor numbers nor booleans.
    """
    found = {_plain(cell) for cell in _distinct(name, cells) if not is_missing(cell)}
    odd = [level for level in (*declared, *found) if not isinstance(level, _PLAIN)]
    if odd:
        raise ColumnError(
            f"column {name!r} has cells of type {type(odd[0]).__name__}, and the levels of a category are "
            "text, numbers or booleans: turn them into text, or drop the column."
        )
    return (*declared, *sorted(found.difference(declared), key=lambda level: (isinstance(level, str), level)))


def encode(name: Any, cells: Sequence[Any], levels: Levels) -> NDArray[np.float64]:
    """The number of the level of each value: one past the last if unknown, NaN if missing, (n,).

    Raises
    ------
    ColumnError
        If all cells are text and all levels are not, or the reverse: then nothing would be known.

    Warns
    -----
    ColumnWarning
        If most values are unknown.
    """
    distinct, known = _distinct(name, cells), {level: float(code) for code, level in enumerate(levels)}
    number = {cell: np.nan if is_missing(cell) else known.get(_plain(cell), len(levels)) for cell in distinct}
    unknown = [cell for cell, code in number.items() if code == len(levels)]
    codes = np.fromiter((number[cell] for cell in cells), dtype=np.float64, count=len(cells))
    if levels and unknown and not (codes < len(levels)).any():
        texts = {isinstance(cell, str) for cell in unknown}
        if texts.isdisjoint({isinstance(level, str) for level in levels}):
            raise ColumnError(
                f"column {name!r} holds cells such as {unknown[0]!r}, and the model knows it as "
                f"{levels[0]!r} and the like: convert it to {type(levels[0]).__name__}."
            )
    unseen = codes == len(levels)
    if 2 * unseen.sum() > np.isfinite(codes).sum():
        warn(
            f"most values of column {name!r}, such as {cells[int(unseen.argmax())]!r}, are none of the "
            f"{len(levels)} of the fit, such as {levels[0]!r}: they say next to nothing about the class.",
            ColumnWarning,
        )
    return codes


def unseen(counts: Mapping[Any, int], levels: Levels) -> Counter[Any]:
    """Of values and how often each occurs, those that are neither a level nor missing."""
    known = set(levels)
    new: Counter[Any] = Counter()
    for cell, number in counts.items():
        if not is_missing(cell) and _plain(cell) not in known:
            new[_plain(cell)] += number
    return new


def decode(codes: NDArray[Any], levels: Levels) -> list[Any]:
    """The level of each number, None for NaN and one past the last."""
    table = [*levels, None]
    numbers = np.where(np.isnan(codes), len(levels), codes).astype(np.intp)
    return [table[number] for number in numbers.tolist()]


def _distinct(name: Any, cells: Iterable[Any]) -> set[Any]:
    try:
        return set(cells)
    except TypeError as error:
        raise ColumnError(
            f"column {name!r} has cells that cannot be levels of a category ({error}): drop it, or turn them "
            "into text."
        ) from error


def _plain(cell: Any) -> Any:
    """A level as it is kept: NumPy's scalars as Python's, pandas' intervals as text."""
    if isinstance(cell, np.generic):
        return cell.item()
    return str(cell) if hasattr(cell, "closed_left") else cell
