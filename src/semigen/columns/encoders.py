"""Columns that no density can model as they are become numbers: text by its words or value, dates by cycles.

An encoder is learned from the cells of one column and keeps plain arrays, so that a model file holds no code.
The formulas are scikit-learn's (:class:`~sklearn.feature_extraction.text.TfidfVectorizer`, ``TruncatedSVD``),
as in skrub's StringEncoder and DatetimeEncoder.
"""

from __future__ import annotations

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.sparse import csr_array

from semigen.arrays.pieces import evenly
from semigen.columns import dates
from semigen.columns.numerals import Numerals, are_missing, gap_of, numerals_of_column, plain_number
from semigen.columns.tables import is_missing
from semigen.common.notices import warn
from semigen.common.text import quoted
from semigen.exceptions import ColumnError, ColumnWarning

Array = NDArray[np.float64]

N_FEATURES, OF_CODES, OF_NAMES = 30, 10, 4
"""Features of a text column read by its words, as in skrub, and of codes and names read by their letters: on
tables with names of people, teams and places, every further one made predictions worse."""
MOST_WORDS, MOST_BESIDE_OTHERS = 20_000, 1_000
"""Words of a text column that features are made of, and words that are columns beside other columns."""
ROUNDING = 1e-8
"""Share of the largest singular value up to which a direction of texts is none: a few texts have few."""
SVD_ROWS = 20_000
"""Rows that the directions of features are found with; of more, as many evenly spaced ones."""
WORDS_OF_PROSE = 3
"""Words of a cell, in the mean, from which on a text column is read by its words and not by its letters."""
_LEAST_CELLS = ((1000, 3), (100, 2), (0, 1))  # of so many filled cells, a word must be in so many
_ZERO_IN_FRONT = re.compile(" 0[0-9]")  # a run of letters at the start of a word
_WORD = r"(?u)\b[^\W\d_]{2,}\b"


class Encoder(ABC):
    """What a column became.

    Attributes
    ----------
    feature_names : tuple of str
        One for each number that a cell becomes.
    features_kind : str
        What these numbers are: "number", "flag" or "word".
    """

    features_kind: ClassVar[Literal["number", "flag", "word"]] = "number"

    @property
    @abstractmethod
    def feature_names(self) -> tuple[str, ...]: ...

    @abstractmethod
    def read(self, name: Any, cells: Sequence[Any]) -> Any:
        """The cells of a column as numbers, (n, features); NaN where missing."""

    @abstractmethod
    def restore(self, features: Array) -> list[Any]:
        """Cells that have such features, where there are some; None otherwise."""

    @abstractmethod
    def __str__(self) -> str:
        """What a column became, in words."""


@dataclass(frozen=True, eq=False)
class TextEncoder(Encoder):
    """Weighted words of a text (or its runs of two to four letters), or their projections on few directions.

    Attributes
    ----------
    analyzer : str
        "word", or "char_wb" for runs of letters within words.
    vocabulary : tuple of str, V
    idf : ndarray of shape (V,)
        Inverse document frequencies of words; 1 for letters.
    directions : ndarray of shape (V, q) or None
        Leading singular vectors of the weighted words (latent semantic analysis: Deerwester et al. 1990,
        *JASIS* 41:391); None: the words themselves.
    """

    analyzer: str
    vocabulary: tuple[str, ...]
    idf: Array
    directions: Array | None

    @property
    def feature_names(self) -> tuple[str, ...]:
        if self.directions is None:
            return self.vocabulary
        return tuple(f"{self._unit} {number}" for number in range(self.directions.shape[1]))

    @property
    def n_columns(self) -> float:
        """As how many columns of numbers all features count: their root, of letters one.

        With a variance of 1 each, a text would outweigh all columns; with 1 in all, the directions of words
        would be nothing beside them.
        """
        return float(len(self.feature_names)) ** 0.5 if self.analyzer == "word" else 1.0

    @property
    def _unit(self) -> str:
        return "words" if self.analyzer == "word" else "letters"

    @property
    def features_kind(self) -> Literal["number", "word"]:  # type: ignore[override]
        """Words as they are, or numbers made of them."""
        return "word" if self.directions is None else "number"

    def words(self, cells: Sequence[Any]) -> csr_array:
        """Weighted words of each cell, (n, V); a missing cell has none."""
        vectorizer = sklearn.feature_extraction.text.TfidfVectorizer(
            vocabulary=self.vocabulary, **_settings(self.analyzer)
        )
        vectorizer.idf_ = self.idf
        return csr_array(vectorizer.transform(as_texts(cells)))

    def read(self, name: Any, cells: Sequence[Any]) -> Any:
        first = next((cell for cell in cells if not is_missing(cell)), None)
        if isinstance(first, int | float) and any(map(_ZERO_IN_FRONT.fullmatch, self.vocabulary)):
            warn(
                f"column {name!r} has text such as 01067 in the fit, and here numbers such as {first:g}, "
                "which have lost the zeros in front: read it as text.",
                ColumnWarning,
            )
        words = self.words(cells)
        if self.directions is None:
            return words
        features = np.asarray(words @ self.directions)
        features[[is_missing(cell) for cell in cells]] = np.nan
        return features

    def restore(self, features: Array) -> list[Any]:
        """The words of each text in their order in the vocabulary; None of features without words."""
        if self.directions is not None:
            return [None] * len(features)
        rounded = np.rint(np.nan_to_num(features)).astype(int)
        return [" ".join(np.repeat(self.vocabulary, row)) for row in rounded]

    def __str__(self) -> str:
        if self.directions is None:
            return f"{len(self.vocabulary):,} {self._unit if self.analyzer == 'word' else 'runs of letters'}"
        return f"{self.directions.shape[1]} features of its {self._unit}"

    def __getstate__(self) -> dict[str, Any]:
        """One text for the whole vocabulary: no word has a line feed in it."""
        return {**vars(self), "vocabulary": "\n".join(self.vocabulary)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vocabulary = tuple(state["vocabulary"].split("\n"))
        for name, value in {**state, "vocabulary": vocabulary}.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class DateEncoder(Encoder):
    """Dates, times and durations as days, and as sine and cosine of the year, the week and the day.

    Attributes
    ----------
    cycles : tuple of str
        Those of "year", "week" and "day" in which the dates of the fit differ.
    form : str or None
        How dates are written, as for ``strptime``; "" for ISO 8601, None where they are no text.
    words : tuple of str
        Cells of the fit that are no dates, such as "soon": they are missing.
    measure : "date", "time" or "duration"
        What the cells are, the time being one of the day.
    first_year : int or None
        Of the hundred years of dates with two digits for the year, if not those of ``strptime``.
    """

    cycles: tuple[str, ...]
    form: str | None
    words: tuple[str, ...] = ()
    measure: dates.Measure = "date"
    first_year: int | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        return ("time", *(f"{part} of {cycle}" for cycle in self.cycles for part in ("sine", "cosine")))

    def read(self, name: Any, cells: Sequence[Any] | NDArray[Any]) -> Array:
        days = dates.as_days(name, cells, dates.as_written(self.form, self.measure), self.words)
        days = dates.within_century(days, self.first_year)
        parts = [days]
        for cycle in self.cycles:
            angle = 2 * np.pi * _phase(days, cycle)
            parts += [np.sin(angle), np.cos(angle)]
        return np.column_stack(parts)

    def restore(self, features: Array) -> list[Any]:
        """Times and durations to the second."""
        seconds = np.rint(features[:, 0] * 86400)
        return [
            None if s != s else dates.moment(dt.timedelta(seconds=s), self.measure) for s in seconds.tolist()
        ]

    def __str__(self) -> str:
        cycles = "".join(f", {cycle} (sine, cosine)" for cycle in self.cycles)
        told = [f"written as {dates.examples(self.form)}"] if self.form and "|" in self.form else []
        told += [are_missing(self.words)] if self.words else []
        said = ", ".join(told)
        return f"time{cycles}{said and f' ({said})'}"


@dataclass(frozen=True, eq=False)
class NumberEncoder(Encoder):
    """Numbers as people write them.

    Attributes
    ----------
    numerals : Numerals
    example : str
        One of the cells.
    gap : str or None
        A cell that is a word for a missing value.
    """

    numerals: Numerals
    example: str
    gap: str | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        return ("number",)

    def read(self, name: Any, cells: Sequence[Any]) -> Array:
        texts = [None if is_missing(cell) else str(cell) for cell in cells]
        numbers, odd = self.numerals.read_column(texts)
        if odd:
            raise ColumnError(
                f"column {name!r} is numbers in the model, such as {quoted(self.example)}, and {len(odd)} of "
                f"its {len(cells)} cells are none: the first is {quoted(cells[odd[0]])} in row {odd[0]}. "
                "Correct it, or write None if the value is missing."
            )
        return np.array(numbers, dtype=np.float64)[:, None]

    def restore(self, features: Array) -> list[Any]:
        return [None if number != number else number for number in features[:, 0].tolist()]

    def __str__(self) -> str:
        words = self.numerals.missing(self.gap)
        gap = are_missing(words) if words else ""
        if gap and plain_number(self.example) is not None:
            return f"numbers ({gap})"
        number = f"{self.numerals.read(self.example):,.10g}"
        return f"numbers ({quoted(self.example)} is {number}{gap and ', '}{gap})"


@dataclass(frozen=True, eq=False)
class Encoded:
    """One column of a table that became several columns of the matrix.

    Attributes
    ----------
    name : object
        Its name.
    kind : str
        "text", "date" or "number".
    first : int
        Its first column in the matrix.
    encoder : Encoder
    """

    name: Any
    kind: str
    first: int
    encoder: Any

    @property
    def columns(self) -> range:
        """Its columns in the matrix."""
        return range(self.first, self.first + len(self.encoder.feature_names))

    def __str__(self) -> str:
        return f"{self.name!r} ({self.kind}) became {self.encoder}"


def learn_text(name: Any, cells: Sequence[Any], *, words: bool, alone: bool) -> TextEncoder:
    """The encoder of a column of text.

    Parameters
    ----------
    name : object
        For errors.
    cells : sequence
    words : bool
        Whether the words themselves are wanted; otherwise features.
    alone : bool
        Whether the table has columns of text only: words stay sparse then, and may be many.

    Raises
    ------
    ColumnError
        If no word and no letter is left.
    """
    texts = [text for text in as_texts(cells) if text.strip()]
    most = MOST_WORDS if alone or not words else MOST_BESIDE_OTHERS
    least = next(least for n, least in _LEAST_CELLS if len(texts) >= n)
    for analyzer in ("word", "char_wb")[not is_prose(texts) :]:
        for fewest in dict.fromkeys((least, 1)):
            vectorizer = sklearn.feature_extraction.text.TfidfVectorizer(
                **_settings(analyzer), min_df=fewest, max_features=most
            )
            if analyzer == "word":
                vectorizer.set_params(max_df=0.5)
            else:  # what codes share, such as a region, says more than the rest
                vectorizer.set_params(use_idf=False)
            try:
                found = csr_array(vectorizer.fit_transform(texts))
            except ValueError:  # nothing left
                continue
            vocabulary = tuple(map(str, vectorizer.get_feature_names_out()))
            idf = np.asarray(vectorizer.idf_) if vectorizer.use_idf else np.ones(len(vocabulary))
            encoder = TextEncoder(analyzer, vocabulary, idf, None)
            if words:
                return encoder
            codes = 2 * sum(any(map(str.isdecimal, text)) for text in texts) >= len(texts)
            most = N_FEATURES if analyzer == "word" else OF_CODES if codes else OF_NAMES
            return replace(encoder, directions=_directions(found, most))
    raise ColumnError(
        f"column {name!r}: no word is left to learn from. A word is used if it has two letters or more, is "
        f"no English stop word and occurs in at most half of the {len(texts)} filled cells."
    )


def learn_date(name: Any, cells: Sequence[Any] | NDArray[Any]) -> DateEncoder:
    """The encoder of a column of dates, times or durations, as :func:`date_cells` gives them.

    Raises
    ------
    ColumnError
        If cells are none.
    """
    form: str | None = None
    words: tuple[str, ...] = ()
    if not isinstance(cells, np.ndarray):
        cells = [cell for cell in cells if not is_missing(cell)]
        if any(isinstance(cell, str) for cell in cells):
            form, words = dates.dates_of_column(cells) or (None, ())
    measure = dates.measured(cells, form)
    days = dates.as_days(name, cells, form, words)
    days = days[~np.isnan(days)]
    first = dates.first_year(days, form)
    days = dates.within_century(days, first)
    return DateEncoder(dates.cycles_of(days, measure), form, words, measure, first)


def learn_numbers(cells: Sequence[Any]) -> NumberEncoder | None:
    """The encoder of a column of text that is numbers, None if some cell is none."""
    every = as_texts(cells)
    numerals = numerals_of_column(every)
    texts = [] if numerals is None else list(filter(numerals.is_filled, every))
    if numerals is None or not texts:
        return None
    example = next((one for one in texts if plain_number(one) is None), texts[0])
    return NumberEncoder(numerals, example, gap_of(every))


def is_prose(texts: Sequence[str], least: float = WORDS_OF_PROSE) -> bool:
    """Whether texts are read by their words, and not by their letters as names and codes are."""
    return sum(len(text.split()) for text in texts) >= least * max(len(texts), 1)


def as_texts(cells: Sequence[Any]) -> list[str]:
    """Cells as text, whole numbers without a point; nothing where missing."""
    return ["" if is_missing(cell) else _text(cell) for cell in cells]


def _text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _settings(analyzer: str) -> dict[str, Any]:
    if analyzer == "word":
        return {"token_pattern": _WORD, "stop_words": "english", "sublinear_tf": True}
    return {"analyzer": analyzer, "ngram_range": (2, 4), "sublinear_tf": True}


def _directions(words: csr_array, most: int) -> Array:
    """At most so many leading right singular vectors of weighted words, (V, q), none of rounding errors."""
    if words.shape[1] == 1:  # nothing to turn, and scikit-learn refuses
        return np.ones((1, 1))
    rows = evenly(words.shape[0], SVD_ROWS)
    n_axes = max(1, min(most, min(words.shape) - 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # the share of no variance
        found = sklearn.decomposition.TruncatedSVD(n_axes, random_state=0).fit(words[rows])
    real = found.singular_values_ > ROUNDING * found.singular_values_.max(initial=0.0)
    real[0] = True
    return np.ascontiguousarray(found.components_[real].T)


def _phase(days: Array, cycle: str) -> Array:
    """Share of a cycle that is over, from 0 to 1."""
    if cycle == "day":
        return np.asarray(days % 1)
    if cycle == "week":
        return np.asarray((days + 3) % 7 / 7)  # 1970-01-01 was a Thursday
    there = np.isfinite(days)
    date = np.where(there, np.floor(days), 0).astype("datetime64[D]")
    since = (date - date.astype("datetime64[Y]")).astype(float)
    return np.where(there, (since + days % 1) / 366, np.nan)
