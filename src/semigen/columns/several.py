"""Cells that hold several values: numbers such as 120/80 and 52.52, 13.40, or choices such as red;blue."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from semigen.columns.dates import dates_of_column
from semigen.columns.encoders import Array, Encoder, as_texts, learn_numbers
from semigen.columns.numerals import FEW_LEVELS, is_filled, numerals_of_column
from semigen.columns.tables import listing
from semigen.columns.vectors import as_text
from semigen.common.notices import warn
from semigen.common.text import quoted
from semigen.exceptions import ColumnError, ColumnWarning

_NUMBER = re.compile(r"((?:(?<![^\s,;/x×*|'′±°(\[{])[+-])?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_CODE = re.compile(r"(?<![\d.])(?<![eE][+-])0\d")
_BEFORE = re.compile(r"(?:[^\W\d_]+ )?|(?:[^\W\d_]+ ?)?[(\[{] ?")
_BRACKET = re.compile(r"(?<=[(\[{]) | (?=[)\]}])")
_BETWEEN = re.compile(r"[,;/x×*|'′±°]|\s(?:[,;/x×*|±]\s)?|[,;]\s|\s?[a-z]{1,5}\.?,?\s")
_MOST_NUMBERS, _MOST_IN_BRACKETS = 6, 4096
_SEPARATORS = (";", "|", ",")
_MOST_OPTIONS, _LONGEST_OPTION = 50, 60
_ENOUGH, _SOME = 100, 2_000
"""Cells that show whether there is a separator, and whether there are too many options."""
_LEAST_SEVERAL, _MOST_OTHERS = 0.1, 0.1
"""Shares of the cells with more than one option, and of those with one that is rare."""
_QUOTES = " \t\"'"
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_LIST = re.compile(rf"\[\s*(?:{_QUOTED})(?:(?:\s*,)?\s*(?:{_QUOTED}))*(?:\s*,)?\s*\]", re.DOTALL)
_OF_NUMPY = re.compile(rf"np\.str_\(({_QUOTED})\)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class SeveralNumbers(Encoder):
    """Several numbers in a cell.

    Attributes
    ----------
    marks : tuple of str
        What stands before the first number, between two, and after the last one.
    example : str
        One of the cells.
    """

    marks: tuple[str, ...]
    example: str

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"number {place}" for place in range(1, len(self.marks)))

    def read(self, name: Any, cells: Sequence[Any]) -> Array:
        """Cells written otherwise are refused."""
        found = np.full((len(cells), len(self.marks) - 1), np.nan)
        known: dict[str, list[float]] = {}
        for row, text in enumerate(as_texts(cells)):
            if not is_filled(text):
                continue
            if text not in known:
                marks, known[text] = _parts(text)
                if marks != self.marks:
                    raise ColumnError(
                        f"column {name!r} is {len(self.marks) - 1} numbers a cell in the model, such as "
                        f"{quoted(self.example)}, and its cell in row {row} is {quoted(cells[row])}: "
                        "correct it, or write None if it is missing."
                    )
            found[row] = known[text]
        return found

    def restore(self, features: Array) -> list[Any]:
        """Numbers between their marks; None where one is missing."""
        rows = ([repr(number).removesuffix(".0") for number in row] + [""] for row in features.tolist())
        pairs = (zip(self.marks, row, strict=True) for row in rows)
        found = ["".join(f"{mark}{number}" for mark, number in row) for row in pairs]
        return [None if (row != row).any() else cell for row, cell in zip(features, found, strict=True)]

    def __str__(self) -> str:
        return f"{len(self.marks) - 1} numbers (as {quoted(self.example)} has)"


@dataclass(frozen=True, eq=False)
class Options(Encoder):
    """Choices of a list in a cell, a flag for each.

    Attributes
    ----------
    separator : str
    options : tuple of str
        Those that occur more than once, the most frequent first.
    """

    features_kind: ClassVar[Literal["number", "flag", "word"]] = "flag"
    separator: str
    options: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.options

    @property
    def n_columns(self) -> float:
        """As how many columns of numbers all flags count: their root, as with words."""
        return math.sqrt(len(self.options))

    def read(self, name: Any, cells: Sequence[Any]) -> Array:
        """An option that is not known has no flag; a warning says if most cells have only such ones."""
        place = {option: j for j, option in enumerate(self.options)}
        found = np.zeros((len(cells), len(place)))
        strange = []
        for row, text in enumerate(as_texts(cells)):
            options = _split(text, self.separator)
            known = [place[option] for option in options if option in place]
            found[row, known] = 1
            if options and not known:
                strange.append(row)
            elif not text.strip():
                found[row] = np.nan
        if 2 * len(strange) > np.isfinite(found[:, 0]).sum():
            warn(
                f"most cells of column {name!r}, such as {quoted(cells[strange[0]])}, have none of the "
                f"{len(place)} options of the fit, such as {self.options[0]!r} (between them is "
                f"{self.separator!r}): they say next to nothing about the class.",
                ColumnWarning,
            )
        return found

    def restore(self, features: Array) -> list[Any]:
        """The chosen options, as a list where one has the separator in it; None where they are missing."""
        plain = not any(self.separator in option for option in self.options)
        write = f"{self.separator} ".join if plain else as_text
        chosen = (
            [one for one, is_there in zip(self.options, row > 0.5, strict=True) if is_there]
            for row in features
        )
        return [None if (row != row).any() else write(one) for row, one in zip(features, chosen, strict=True)]

    def __str__(self) -> str:
        return f"a flag for each of its {len(self.options)} options ({listing(self.options, 4)})"


def learn_one_or_several(cells: Sequence[Any]) -> Encoder | None:
    """The encoder of a column of numbers in text: one in a cell, or several; None of other text."""
    return learn_numbers(cells) or several_numbers(cells)


def several_numbers(cells: Sequence[Any]) -> SeveralNumbers | None:
    """The encoder of a column whose cells have several numbers between the same marks; None of others.

    There are more than twenty different cells, the marks between the numbers are such as stand between
    measurements (not the points, colons and hyphens of codes), and no number begins with a zero as codes do.
    """
    found: tuple[str, ...] | None = None
    distinct: dict[str, list[float]] = {}
    for text in as_texts(cells):
        if not is_filled(text) or text in distinct:
            continue
        marks, numbers = _parts(text)
        if found is None:
            if not _are_marks(marks):
                return None
            found = marks
        if marks != found or _CODE.search(text):
            return None
        distinct[text] = numbers
    if found is None or len(distinct) <= FEW_LEVELS:
        return None
    with_points = 2 * sum("." in text for text in distinct) >= len(distinct)
    in_brackets = found[0].rstrip().endswith(("(", "[", "{"))
    if not with_points and not in_brackets and not {",", " "}.isdisjoint(found):
        return None  # 52,52 may be one number, and 555 1234 that of a telephone
    return SeveralNumbers(found, next(iter(distinct)).strip())


def options_of(cells: Sequence[Any]) -> Options | None:
    """The encoder of a column whose cells are choices of a list, as in surveys; None of other text.

    Cells have different numbers of options, none twice; the options are at most fifty and fewer than the
    different cells, and a tenth of the cells at most has one that is in no other cell. Numbers such as 1,500
    and dates are none.
    """
    texts = [text for text in as_texts(cells) if text.strip()]
    for separator in _SEPARATORS:
        if not any(separator in text for text in texts[:_ENOUGH]):
            continue
        some = texts[:: len(texts) // _SOME + 1]
        if len(_known(Counter(some), separator)) > _MOST_OPTIONS:  # as of prose and addresses
            continue
        count = Counter(texts)
        split = {text: _split(text, separator) for text in count}
        several = sum(n for text, n in count.items() if len(split[text]) > 1)
        if several < _LEAST_SEVERAL * len(texts) or any(len(set(one)) < len(one) for one in split.values()):
            continue
        known = _known(count, separator)
        if not 1 < len(known) <= _MOST_OPTIONS or len(known) >= len(count):
            continue
        others = sum(n for text, n in count.items() if not known.keys() >= set(split[text]))
        if others <= _MOST_OTHERS * len(texts) and len(set(map(len, split.values()))) > 1:
            is_other = numerals_of_column(texts) is not None or dates_of_column(texts) is not None
            return None if is_other else Options(separator, tuple(known))
    return None


def _known(count: Mapping[str, int], separator: str) -> dict[str, int]:
    """How often each option occurs, of those that do so more than once, the most frequent first."""
    options: Counter[str] = Counter()
    for text, n in count.items():
        options.update(dict.fromkeys(_split(text, separator), n))
    return {one: n for one, n in options.most_common() if n > 1 and len(one) <= _LONGEST_OPTION}


def _parts(text: str) -> tuple[tuple[str, ...], list[float]]:
    """What stands around the numbers of a text, one space for several, and the numbers."""
    parts = _NUMBER.split(_BRACKET.sub("", " ".join(text.split())))
    return tuple(parts[::2]), list(map(float, parts[1::2]))


def _are_marks(marks: Sequence[str]) -> bool:
    if len(marks) < 3:
        return False
    first, *between, _ = marks
    few = len(between) < (_MOST_IN_BRACKETS if first else _MOST_NUMBERS)
    return few and bool(_BEFORE.fullmatch(first)) and all(map(_BETWEEN.fullmatch, between))


def _split(text: str, separator: str) -> list[str]:
    """The options of a cell, which may be written as a list in brackets and quotes."""
    text = text.strip()
    if text.startswith("[np.str_("):
        text = _OF_NUMPY.sub(r"\1", text)
    if text[:1] == "[" and _LIST.fullmatch(text):
        return [option for one in re.findall(_QUOTED, text, re.DOTALL) if (option := _unquoted(one))]
    text = text[1:-1] if text[:1] + text[-1:] in ("[]", "{}", "()") else text
    return [option for one in text.split(separator) if (option := one.strip(_QUOTES))]


def _unquoted(text: str) -> str:
    """A text between quotation marks, as Python or JSON writes it."""
    try:
        return str(json.loads(text)).strip()
    except ValueError:  # single ones, or signs that JSON does not know
        return re.sub(r"\\(.)", r"\1", text[1:-1]).strip()
