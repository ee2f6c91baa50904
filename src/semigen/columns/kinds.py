"""The kind of a column, from the type of its values, and where that leaves it open from the values."""

from __future__ import annotations

import numbers
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import evenly
from semigen.columns.dates import date_cells, dates_of_column, is_date
from semigen.columns.encoders import is_prose, learn_date
from semigen.columns.numerals import (
    Numerals,
    are_digits,
    are_missing,
    are_numbers_with_gaps,
    is_filled,
    numerals_of_column,
    plain_number,
)
from semigen.columns.several import learn_one_or_several, options_of, several_numbers
from semigen.columns.standins import stand_ins
from semigen.columns.tables import Series, as_floats, filled_cells, is_missing
from semigen.columns.vectors import LISTS, wide_frame
from semigen.common.text import quoted
from semigen.data.spelling import spelled_alike
from semigen.exceptions import ColumnError

Kind = Literal[
    "number", "count", "flag", "category", "text", "date", "word", "id", "constant", "empty", "other"
]

ENCODED: tuple[Kind, ...] = ("text", "date")
"""Kinds of which each column becomes several of the matrix."""

USED: tuple[Kind, ...] = ("number", "count", "flag", "category", *ENCODED)
"""Kinds that a model of columns reads."""

_LARGEST_MEAN_OF_COUNTS = 10.0
_LEAST_DISPERSION_OF_COUNTS = 0.75  # variance over mean; 1 for Poisson counts
_MOST_LEVELS = 20
_MANY_LEVELS, _ROWS_A_LEVEL = 250, (5, 20)  # up to so many levels five rows each, of more twenty
_LONGEST_LEVEL = 60  # characters
_SHARE_OF_NUMBERS = 0.9  # of a column of text that is not one of levels such as 2, 4, more
_MOST_WORDS_OF_ID = 2
_SHARE_OF_IDS, _LEAST_ROWS_FOR_SHARE = 0.95, 20  # of texts called id that differ: some rows come twice
_LEAST_ROWS_FOR_ORDER = 10
_MOST_DIGITS = 300  # of numbers that may count rows
WORDS_OF_DOCUMENTS = 20  # of a cell, in the mean
_DATES = 1_000  # that tell in which cycles a column has its place
_LOOKS_LIKE_ID = re.compile(
    r"(^|.*[\W_])(ids?|uuid|guid|key|index|idx|rowid)$|^(ids?|uuid|guid)[\W_]|.*[a-z](Id|ID)$"
    r"|^(no|nr|row|unnamed: 0|__index_level_\d+__)\.?$"
)
_IS_CALLED_NUMBER = re.compile(r".+[\W_](no|nr|num|number)\.?$")
_LEAST_NUMBER = 10_000  # of customers, policies, accounts; an atomic number says something


@dataclass(frozen=True)
class Column:
    """What a column of a table is.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        ``"number"`` (also written as $1,200 or 51.3%); ``"count"`` (whole numbers from 0 that are spread as
        counts are); ``"flag"`` (true/false, or exactly the numbers 0 and 1); ``"category"`` (a few values
        that repeat); ``"text"`` (many values: sentences, names, ZIP codes); ``"date"`` (dates, times,
        durations, also as text); ``"id"`` (every row has its own value, which tells rows apart and nothing
        else); ``"constant"``; ``"empty"``; ``"other"`` (lists, records, bytes).
    use : bool
        Whether a model uses it: true for numbers, counts, flags, categories, text and dates.
    reason : str
        Why it is not used, what it becomes if it is text, a date or numbers in text, which of its numbers may
        stand for missing values, or which of its levels may be one; empty if it is read as it is.
    n_missing : int
        Values that are empty, null or NaN.
    n_distinct : int
        Distinct values among the other cells.
    """

    name: str
    kind: Kind
    use: bool
    reason: str
    n_missing: int
    n_distinct: int


def describe(frame: Any) -> tuple[Column, ...]:
    """Say what each column of a table is and whether a model can use it.

    The kinds are those that :func:`learn` infers; besides, columns that cannot help to predict are found: ids
    and constants.

    Parameters
    ----------
    frame : pandas, polars or pyarrow table

    Returns
    -------
    tuple of Column
        In the order of the table.

    Raises
    ------
    ColumnError
        If ``frame`` is no table, or two columns have one name.
    """
    table = wide_frame(frame)
    if table is None:
        raise ColumnError(
            "columns can be described for a data frame (pandas, polars, pyarrow), not for "
            f"{type(frame).__name__}: put the values in one, with column names."
        )
    return tuple(_describe(str(name), table.get_column(name)) for name in table.columns)


def infer(series: Series) -> Kind:
    """The kind of a column: number, count, flag, category, text, date, empty or other.

    - Booleans are a flag, and so are numbers that are 0 and 1 and nothing else, both present.
    - Numbers are counts if all are whole, the smallest is 0, there are more than two different ones, their
      mean is below 10 and their variance is 0.75 times the mean or more. All other numbers are numbers.
    - Categoricals and enums are categories.
    - Text is a number if its cells are numbers as people write them, such as $1,200, 51.3%, 4/5, 1.2M or
      <0.05. Digits alone are codes.
    - Text is several numbers if all cells have them between the same marks, such as 120/80 or 52.52, 13.40,
      in more than twenty different cells.
    - Text of choices such as red;blue is text, which becomes a flag for each choice.
    - Text is a date if its cells are written as one, such as 2024-12-31, 12/31/2024 23:59, 23:59 or 3m 28s,
      in one way or several, unless they are at most 20 values that repeat.
    - Words such as ?, - and N/A among them are missing values. So are, beside more than twenty different
      numbers or dates, up to three others in a tenth of the cells at most (among numbers only those without a
      digit). Limits such as <0.05 are numbers only beside so many.
    - Other text is a category if no cell is longer than 60 characters, at least every third cell repeats
      another, and there are at most 20 values, or 250 and one for every 5 filled rows, or one for every 20;
      where nine cells in ten or more read as numbers (codes, or damaged numbers), only at most 20.
    """
    kind = kind_by_type(series)
    if kind == "number":
        return _kind_of_numbers(as_floats(series))
    if kind != "text":
        return kind
    cells = filled_cells(series)
    texts = list(map(str, cells))
    if are_numbers_with_gaps(texts):
        return "number"
    levels = _levels(cells)
    are_few = 0 < len(levels) <= _MOST_LEVELS
    if options_of(cells) is not None:
        return "text"
    if not are_few and dates_of_column(cells) is not None:
        return "date"
    filled = list(filter(is_filled, texts))
    if not are_digits(filled) and numerals_of_column(filled) is not None:
        return "number"
    if not are_few and several_numbers(filled) is not None:
        return "number"
    if are_few or (levels and _share_of_numbers(levels) < _SHARE_OF_NUMBERS):
        return "category"
    return "text"


def kind_by_type(series: Series) -> Kind:
    """Infer the kind from the type alone, without looking at the values."""
    dtype = series.dtype
    if dtype.is_numeric():
        return "number"
    if dtype == nw.Boolean:
        return "flag"
    if series.null_count() == len(series):
        return "empty"
    if dtype == nw.String:
        return "text"
    if dtype in (nw.Categorical, nw.Enum):
        return "category"
    if dtype.is_temporal():
        return "date"
    return _kind_of_objects(filled_cells(series)) if dtype == nw.Object else "other"


def _kind_of_objects(cells: list[Any]) -> Kind:
    if not cells:
        return "empty"
    if all(isinstance(cell, bool | np.bool_) for cell in cells):
        return "flag"
    if all(isinstance(cell, numbers.Real | Decimal) for cell in cells):
        return "number"
    if all(map(is_date, cells)):
        return "date"
    return "text" if any(isinstance(cell, str) for cell in cells) else "other"


def _kind_of_numbers(values: NDArray[Any]) -> Kind:
    filled = values[~np.isnan(values)]
    if not filled.size:
        return "empty"
    if filled.min() != 0 or not 0 < filled.max() < np.inf:
        return "number"
    if (filled != np.floor(filled)).any():
        return "number"
    if filled.max() == 1:
        return "flag"
    if filled.max() >= _LARGEST_MEAN_OF_COUNTS * filled.size:  # the sums below cannot overflow
        return "number"
    mean = float(filled.mean(dtype=np.float64))
    if mean >= _LARGEST_MEAN_OF_COUNTS or not ((filled != 0) & (filled != filled.max())).any():
        return "number"
    dispersed = filled.var(dtype=np.float64) >= _LEAST_DISPERSION_OF_COUNTS * mean
    return "count" if dispersed else "number"


def _levels(cells: list[Any]) -> Counter[str]:
    """How often each value occurs; empty if they are too many or too long for the levels of a category."""
    count = Counter(map(str, cells))
    few, many = _ROWS_A_LEVEL
    most = max(_MOST_LEVELS, min(_MANY_LEVELS, len(cells) / few), len(cells) / many)
    too_many = len(count) > most or 3 * len(count) > 2 * len(cells)
    return Counter() if too_many or max(map(len, count)) > _LONGEST_LEVEL else count


def _share_of_numbers(count: Counter[str]) -> float:
    read = (n for level, n in count.items() if plain_number(level.replace(",", ".", 1)) is not None)
    return sum(read) / count.total()


def _describe(name: str, series: Series) -> Column:
    kind = infer(series)
    filled = series.drop_nulls()
    if filled.dtype.is_float():
        filled = filled.filter(~filled.is_nan())
    numerals = Numerals()
    if kind in ("number", "date") and filled.dtype == nw.String:
        texts = filled.to_list()
        if kind == "number":
            numerals = numerals_of_column(texts) or numerals
        elif found := dates_of_column(texts):
            numerals = Numerals(words=found[1])
        filled = filled.filter([numerals.is_filled(cell) for cell in texts])
    n_missing = len(series) - len(filled)
    if kind == "other" or filled.dtype == nw.Object:
        cells = filled_cells(filled)
        n_missing = len(series) - len(cells)
        n_distinct = len(set(map(repr, cells)))
    else:
        n_distinct = int(filled.n_unique()) if len(filled) else 0
    kind, reason = _judge(name, kind, filled, n_distinct, series)
    if kind == "date" and numerals.words:
        reason = f"{reason}; {are_missing(numerals.words)}"
    return Column(name, kind, kind in USED, reason, n_missing, n_distinct)


def _judge(name: str, kind: Kind, filled: Series, n_distinct: int, series: Series) -> tuple[Kind, str]:
    """Recognize constants and ids, and say why a column is not used."""
    n_rows = len(series)
    if n_distinct == 0:
        return "empty", EMPTY
    if n_distinct == 1:
        which = "every row" if len(filled) == n_rows else "every filled cell"
        return "constant", f"{which} has the value {quoted(filled.to_list()[0])}"
    if kind in ("number", "count") and _is_numeric_id(name, filled, n_distinct, n_rows):
        return "id", ID_NUMBER
    if kind == "text":
        return _judge_text(name, filled, n_distinct, n_rows)
    if kind == "date":
        return kind, _told_of_dates(name, filled)
    if kind == "number" and not filled.dtype.is_numeric():
        return kind, f"becomes {learn_one_or_several(filled_cells(series))}"
    if kind == "category" and (same := spelled_alike(sorted(filled.unique().to_list(), key=str))):
        alike = ", ".join(map(repr, sorted(same[0])))
        return kind, f"{alike} differ only by spaces or case{', and so do others' if len(same) > 1 else ''}"
    if kind in USED:
        found = stand_ins(as_floats(filled)[:, None]) if kind == "number" else {}
        return kind, str(found[0]) if found else ""
    return kind, other(filled)


def _told_of_dates(name: str, filled: Series) -> str:
    some = filled[evenly(len(filled), _DATES).tolist()]  # a fit reads them all
    places = [f"the {cycle}" for cycle in learn_date(name, date_cells(some)).cycles]
    places[-2:] = [" and ".join(places[-2:])]
    return f"becomes its time{' and its place in ' if places[0] else ''}{', '.join(places)}"


def are_documents(cells: Sequence[Any]) -> bool:
    """Whether texts are so long that a few features of their words say much less than the words do."""
    return are_long(cells) and options_of([str(cell) for cell in cells if not is_missing(cell)]) is None


def are_long(cells: Sequence[Any]) -> bool:
    """The same of cells that are no lists of choices."""
    texts = [str(cell) for cell in cells if not is_missing(cell)]
    return bool(texts) and is_prose(texts, WORDS_OF_DOCUMENTS)


def _judge_text(name: str, filled: Series, n_distinct: int, n_rows: int) -> tuple[Kind, str]:
    cells = list(map(str, filled.to_list()))
    odd = [cell for cell in cells if plain_number(cell) is None]
    becomes = f"text with {n_distinct:,} distinct values becomes features of its "
    if options := options_of(cells):
        return "text", f"becomes {options}"
    if is_id_text(name, cells, n_distinct, n_rows):
        return "id", why_id_text(n_distinct, n_rows)
    if is_prose(cells) and any(map(str.isalpha, "".join(cells))):
        long = is_prose(cells, WORDS_OF_DOCUMENTS)
        return "text", f"{becomes}words{', and in some models the words themselves' if long else ''}"
    if odd and len(odd) < len(cells) / 2:
        return "text", (
            f"{becomes}letters, though {len(cells) - len(odd)} cells read as numbers and {len(odd)} do not "
            f"(such as {odd[0][:20]!r})"
        )
    return "text", f"{becomes}letters{'' if odd else ', though all filled cells read as numbers'}"


def other(series: Series) -> str:
    """Why cells that are lists, records or bytes are not used."""
    first = filled_cells(series)[:1]
    if any(isinstance(cell, LISTS) for cell in first):
        return "its cells are lists, and not all of numbers and of one length"
    dtype = type(first[0]).__name__ if first and series.dtype in (nw.Object, nw.Unknown) else series.dtype
    return f"its cells are of type {dtype}"


EMPTY = "no cell is filled"
ID_NUMBER = "every row has a different number, like an identifier"
ID_TEXT = "every row has a different text, like an identifier"


def why_id_text(n_distinct: int, n_rows: int) -> str:
    """Why a column of text is taken for an identifier."""
    return ID_TEXT if n_distinct == n_rows else f"nearly {ID_TEXT}"


def id_evidence(series: Series) -> tuple[list[str], int, int]:
    """The texts of a column, how many are distinct, and the number of rows."""
    cells = list(map(str, filled_cells(series)))
    return cells, len(set(cells)), len(series)


def is_id_text(name: str, cells: Sequence[str], n_distinct: int, n_rows: int) -> bool:
    """Whether texts only tell rows apart: all differ, are of a word or two, and no numbers but in order.

    In a column that is called id, nearly all differ.
    """
    share = _SHARE_OF_IDS if _is_called_id(name) and n_rows >= _LEAST_ROWS_FOR_SHARE else 1.0
    if n_distinct < share * n_rows or any(len(cell.split()) > _MOST_WORDS_OF_ID for cell in cells):
        return False
    if all(cell.isdecimal() for cell in cells):
        if max(map(len, cells)) > _MOST_DIGITS:
            return False
        numbers = list(map(int, cells))
        return len(numbers) >= _LEAST_ROWS_FOR_ORDER and _counts_rows(numbers)
    return 2 * sum(plain_number(cell.replace(",", ".", 1)) is not None for cell in cells) <= len(cells)


def _counts_rows(numbers: list[int]) -> bool:
    """Whether different integers are in order or without a gap."""
    rising = sorted(numbers)
    return numbers in (rising, rising[::-1]) or rising[-1] - rising[0] + 1 == len(numbers)


def is_named_id(name: str, series: Series) -> bool:
    """Whether numbers are whole, differ in every row, and are called id, customer_id or Unnamed: 0."""
    if series.null_count() or len(series) < _LEAST_ROWS_FOR_ORDER or not _is_named_id(name, series):
        return False
    return _is_numeric_id(name, series, int(series.n_unique()), len(series))


def _is_named_id(name: str, filled: Series) -> bool:
    if _is_called_id(name):
        return True
    called = _IS_CALLED_NUMBER.match(name.lower()) and filled.dtype.is_numeric()
    return bool(called and filled.min() >= _LEAST_NUMBER)


def _is_called_id(name: str) -> bool:
    return bool(_LOOKS_LIKE_ID.match(name) or _LOOKS_LIKE_ID.match(name.lower()))


def _is_numeric_id(name: str, filled: Series, n_distinct: int, n_rows: int) -> bool:
    """Integers that differ in every row, with a name or an order that suggests that they number the rows."""
    if n_distinct < n_rows or not filled.dtype.is_numeric():
        return False
    named = _is_named_id(name, filled)
    if not filled.dtype.is_integer():
        return named and bool((filled == filled.round(0)).all())
    if named:
        return True
    first, smallest, largest = filled.to_list()[0], int(filled.min()), int(filled.max())
    rising, falling = filled.is_sorted(), filled.is_sorted(descending=True)
    if largest - smallest + 1 == n_rows and rising and first in (0, 1):
        return True
    # Ten integers come in order, or without a gap, by chance less than once in a million tables.
    return n_rows >= _LEAST_ROWS_FOR_ORDER and (rising or falling or largest - smallest + 1 == n_rows)
