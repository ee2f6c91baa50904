"""Labels in a column of a table: classes are what was written."""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.sources.records import ReadOptions
from semigen.cli.wording import cell_text, counted
from semigen.columns.dates import date_format
from semigen.columns.numerals import numerals_of_column, plain_number
from semigen.columns.tables import hint, listing
from semigen.columns.vectors import numbers_called
from semigen.data.spelling import means_nothing, spelled_alike
from semigen.exceptions import TableError
from semigen.io.tables import is_text, value_type

_WHOLE_FLOAT = re.compile(r"([+-]?\d+)\.0")  # 1.00 is another text, and must not become the same class
_MANY_CLASSES, _MOST_CLASSES = 20, 200


def require_columns(
    names: Sequence[str],
    wanted: Sequence[str],
    path: Path,
    wanted_by: str,
    row_of: Callable[[Sequence[str]], int | None] = lambda _: None,
    other_sheets: Sequence[str] = (),
) -> None:
    """Raise TableError if a wanted column is not among the names, with those that come close.

    ``row_of`` finds them in a row below the first one, and ``other_sheets`` are those that may have them.
    """
    absent = [name for name in wanted if name not in names]
    if not absent:
        return
    cure = f"{hint(absent[0], names)}"
    if row := row_of(absent):
        cure = f"the names of the columns are in row {row}: delete the rows above."
    elif any(looks_like_data(name) for name in names):
        cure += " The first row is taken for the names of the columns: write them there."
    elif other_sheets:
        cure += f" --sheet reads another sheet of the file ({', '.join(map(repr, other_sheets))})."
    elif len(names) == 1:
        cure += " If cells are separated by another mark, name it with --separator."
    raise TableError(f"{path} has no column {listing(list(map(repr, absent)))} ({wanted_by}): {cure}")


def looks_like_data(name: str) -> bool:
    """Whether the name of a column is a number or a date."""
    return numerals_of_column([name]) is not None or date_format([name]) is not None


def matching(names: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """The columns that are wanted by name or by a pattern such as ``q*``; what is no column's stays.

    The name of a column of lists means the columns of all its numbers.
    """
    found: dict[str, None] = {}
    for pattern in wanted:
        alike = [pattern] if pattern in names else numbers_called(pattern, names)
        alike = alike or [name for name in names if fnmatchcase(name, pattern)]
        found |= dict.fromkeys(alike or [pattern])
    return list(found)


def labels_of(
    table: pa.Table, name: str, path: Path, options: ReadOptions, least: int = 2
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the labels in a column as they are written, or in their own type where they have one.

    Only empty cells and the markers of ``options`` are no labels. Where all labels are written as whole
    floats (``1.0``), as pandas writes integers if some are missing, they are integers (``1``).

    Returns
    -------
    labels : ndarray of shape (n,), object
        None where a row has none.
    notes : tuple of str
        Classes that may not be meant as such.

    Raises
    ------
    TableError
        If the cells are neither text nor numbers nor booleans, hold fewer than ``least`` classes, or are
        measurements.
    """
    column = table[name]
    labels = given_labels(column, name, path, options)
    if options.strip_labels:
        labels = _most_frequent_spelling(labels)
    found = Counter(label for label in labels if label is not None)
    if len(found) < least:
        one = "".join(f"only one class, {label!r}: {n:,} labeled of" for label, n in found.items())
        raise TableError(
            f"{path}: column {name!r} has {one or 'no label in'} {counted(len(labels), 'row')}: label rows "
            "of at least two classes ('semigen label' or 'semigen next' asks for those that teach most)."
        )
    _refuse_measurements(found, len(labels), name, path)
    return labels, tuple(_notes(found, column, len(labels), name, options))


def given_labels(column: pa.ChunkedArray, name: str, path: Path, options: ReadOptions) -> NDArray[Any]:
    """The labels in a column, None where a row has none, (n,); there may be none at all.

    Raises
    ------
    TableError
        If the cells are neither text nor numbers nor booleans.
    """
    kind = value_type(column.type)
    types = pa.types
    if not (
        is_text(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_null(kind)
    ):
        raise TableError(
            f"{path}: column {name!r} has cells of type {kind}, and classes are text, integers or booleans: "
            "write them as text."
        )
    cells = [None if _is_unlabeled(cell, options) else cell for cell in column.to_pylist()]
    infinite = [row for row, cell in enumerate(cells) if isinstance(cell, float) and math.isinf(cell)]
    if infinite:
        raise TableError(f"{path}: column {name!r} has infinity in row {infinite[0]} (from 0): correct it.")
    labels = np.empty(len(cells), dtype=object)
    labels[:] = _whole(cells)
    return labels


def as_classes(labels: NDArray[Any], classes: Iterable[Any], options: ReadOptions) -> NDArray[Any]:
    """Labels as the classes of a model that have the same text, as another file may have another type.

    Those of no class stay as they are.
    """
    known = {_key(cell_text(one), options): one for one in classes}
    found = np.empty(len(labels), dtype=object)
    found[:] = [
        None if label is None else known.get(_key(cell_text(label), options), label) for label in labels
    ]
    return found


def _key(text: str, options: ReadOptions) -> str:
    return text.strip().casefold() if options.strip_labels else text


def _is_unlabeled(cell: Any, options: ReadOptions) -> bool:
    if cell is None or cell != cell:
        return True
    if isinstance(cell, str):
        texts = {cell, _plain(cell)} | ({cell.strip()} if options.strip_labels else set())
        return not cell.strip() or any(marker in texts for marker in options.unlabeled)
    if isinstance(cell, bool):
        return cell_text(cell) in map(str.lower, options.unlabeled)
    return any(plain_number(marker) == cell for marker in options.unlabeled)


def _plain(text: str) -> str:
    """A whole float as an integer, any other text as it is."""
    found = _WHOLE_FLOAT.fullmatch(text)
    return found[1] if found else text


def _whole(cells: list[Any]) -> list[Any]:
    """Floats as integers, in numbers and in words, where all are whole; integers beyond 64 bits as text."""
    there = [cell for cell in cells if cell is not None]
    if any(isinstance(cell, int) and not -(2**63) <= cell < 2**63 for cell in there):
        return [None if cell is None else str(cell) for cell in cells]
    if there and all(isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53 for cell in there):
        return [None if cell is None else int(cell) for cell in cells]
    if there and all(isinstance(cell, str) and _WHOLE_FLOAT.fullmatch(cell) for cell in there):
        return [None if cell is None else _plain(cell) for cell in cells]
    return cells


def classes_of(
    count: Mapping[Any, int], kind: pa.DataType, name: str, path: Path, options: ReadOptions
) -> dict[Any, Any]:
    """The class of each distinct cell of a target, None for no label, by how often each is there.

    Raises
    ------
    TableError
        If the cells are neither text nor numbers nor booleans.
    """
    cells = list(count)
    labels = given_labels(pa.chunked_array([pa.array(cells, kind)]), name, path, options)
    if options.strip_labels:
        labels = _most_frequent_spelling(labels, list(count.values()))
    return dict(zip(cells, labels.tolist(), strict=True))


def _most_frequent_spelling(labels: NDArray[Any], count: Sequence[int] | None = None) -> NDArray[Any]:
    """Labels without spaces around them; of those that differ only in case the most frequent spelling."""
    stripped = [label.strip() if isinstance(label, str) else label for label in labels]
    seen: Counter[str] = Counter()
    for label, n in zip(stripped, count or [1] * len(stripped), strict=True):
        if isinstance(label, str):
            seen[label] += n
    spelled: dict[str, str] = {}
    for label, _ in seen.most_common():
        spelled.setdefault(label.casefold(), label)
    found = np.empty(len(labels), dtype=object)
    found[:] = [spelled[label.casefold()] if isinstance(label, str) else label for label in stripped]
    return found


def _refuse_measurements(found: Counter[Any], n_rows: int, name: str, path: Path) -> None:
    """Refuse a column that measures something, or names every row; classes may have a label each."""
    n_labeled = found.total()
    most = max(_MANY_CLASSES, n_labeled // 2)
    if all(isinstance(label, str) and plain_number(label) is None for label in found):
        most = max(most, min(_MOST_CLASSES, n_rows // 2))
    if len(found) <= most:
        return
    what = "measurements" if any(_is_fraction(label) for label in found) else "names of rows"
    raise TableError(
        f"{path}: column {name!r} has {len(found):,} different values in "
        f"{counted(n_labeled, 'labeled row')}, such as {next(iter(found))!r}: these look like {what}, not "
        "classes. Name another --target, or sort the values into a few classes first."
    )


def _is_fraction(label: Any) -> bool:
    try:
        return not float(label).is_integer()
    except (ValueError, OverflowError):
        return False


def _notes(
    found: Counter[Any], column: pa.ChunkedArray, n_rows: int, name: str, options: ReadOptions
) -> Iterable[str]:
    if found.total() == n_rows and options.unlabeled:
        markers = " or ".join(map(repr, options.unlabeled))
        yield f"no cell of {name!r} is empty or equal to {markers}: every row is labeled."
    single = [repr(label) for label, count in found.items() if count == 1]
    if single and len(single) < len(found):
        have = "has" if len(single) == 1 else "have"
        yield (
            f"in {name!r}, {listing(single)} {have} one label, which cannot be held out, so the scores are "
            "of the other classes."
        )
    suspects = [label for label in found if cell_text(label) == "-1" or means_nothing(cell_text(label))]
    if suspects:
        which = listing([f"{label!r} ({counted(found[label], 'row')})" for label in suspects])
        cure = " ".join(f"--unlabeled={shlex.quote(cell_text(label))}" for label in suspects)
        one = len(suspects) == 1
        yield (
            f"in {name!r}, {which} {'is' if one else 'are'} taken as {'a class' if one else 'classes'}. "
            f"If {'it means' if one else 'they mean'} 'no label', add {cure}"
        )
    for same in spelled_alike(found):
        which = listing([f"{label!r} ({found[label]:,})" for label in same])
        yield (
            f"classes of {name!r} differ only by spaces or case: {which}. If they are one class, add "
            "--strip-labels"
        )
    if is_text(column.type) and any(
        _WHOLE_FLOAT.fullmatch(str(cell)) for cell in column.unique().to_pylist()
    ):
        classes = listing(sorted(map(repr, found)), 3)
        if not any(_WHOLE_FLOAT.fullmatch(str(label)) for label in found):
            yield f"the labels in {name!r} are written as floats (1.0): their classes are called {classes}."
