"""Numbers as people write them: 20,412 · 1 234,5 · $50.20 · 51.3% · (1,200) · 70 kg · 4/5 · <0.05 · 1.2M."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from semigen.common.text import quoted
from semigen.data.spelling import means_nothing

_SPACES = "  '’\u00a0\u202f\u2009"  # between groups of digits
_CURRENCIES = (
    "USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN", "CZK", "BRL",
    "R$", *"$€£¥₹₽₩₺₴₫₪฿₦₱¢",
)  # fmt: skip
_PARTS = "%‰"
_WITH_UNIT = re.compile(
    r"[^A-Za-z]*[0-9][.,]?(?:[KMB](?=\s))?"
    r"(\s+(?:°|[^\W\d_])\D*(?:[0-9]+\D*)?|[a-zµ°]\D*|\s*/\s*[0-9]+(?:[.,][0-9]+)?)"
)  # 70 kg, 70kg, 4/5, 4 out of 5 stars, 2M views; but 70X is a code
_LIMITS = "<>=≤≥~≈"  # before a number that is a limit or about right; after it a plus
_SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "mn": 1e6, "bn": 1e9}
_SCALED = re.compile(rf"([0-9]{{1,4}}(?:[.,][0-9]+)?)\s?({'|'.join(_SCALES)})")


def plain_number(text: str) -> float | None:
    """The number in a text as a program writes it (``float``), None if there is none."""
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Numerals:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal : str
        The decimal mark, a point or a comma; the other one may stand between groups of digits, as spaces and
        apostrophes may.
    symbol : str
        The currency, percent sign or unit that stands before or after them, or the points there are (4/5),
        empty for none. It does not change the number: 51.3% is 51.3.
    words : tuple of str
        Cells that are words and no numbers, such as a "Total" in a last row: they are missing.
    """

    decimal: str = "."
    symbol: str = ""
    words: tuple[str, ...] = ()

    def read(self, cell: str) -> float | None:
        """The number in a cell, None if there is none; that of a limit such as <0.05 or 90+ is the limit."""
        text = cell.strip().lstrip(_LIMITS).removesuffix("+").strip()
        negative = text.startswith("(") and text.endswith(")")
        text = text[1:-1].strip() if negative else text
        sign = text[0] if text[:1] in ("-", "+", "−") else ""
        text = text.removeprefix(sign).strip()
        if self.symbol:
            text = text.removeprefix(self.symbol).removesuffix(self.symbol).strip()
        if not sign and text[:1] in ("-", "+", "−"):  # $-5 as well as -$5
            sign, text = text[0], text[1:]
        scaled = _SCALED.fullmatch(text)
        text, scale = (scaled[1], _SCALES[scaled[2]]) if scaled else (text, 1.0)
        if (negative and sign) or not _PATTERN[self.decimal].fullmatch(text):
            return None
        group = "," if self.decimal == "." else "."
        digits = re.sub(f"[{re.escape(group + _SPACES)}]", "", text).replace(self.decimal, ".")
        value = float(digits) * scale
        return -value if negative or sign in ("-", "−") else value

    def read_again(self, cell: str) -> float | None:
        """The number in a cell of another table, where the column may come as a program writes it."""
        number = self.read(cell)
        return plain_number(cell) if number is None else number

    def read_column(self, cells: Sequence[str | None]) -> tuple[list[float | None], list[int]]:
        """The numbers of a column, None where a cell is missing, and the places of cells that are neither.

        A column that is not written as that of the fit may be as a program writes it: 672.812 beside 2672.8.
        """
        for read in (self.read, plain_number, self.read_again):
            numbers = [read(cell) if self.is_filled(cell) else None for cell in cells]
            odd = [row for row, number in enumerate(numbers) if number is None and self.is_filled(cells[row])]
            if not odd:
                break
        return numbers, odd

    def is_filled(self, cell: str | None) -> TypeGuard[str]:
        """Whether a cell is neither blank nor a word."""
        return is_filled(cell) and cell.strip() not in self.words

    def missing(self, gap: str | None) -> list[str]:
        """The words of a column that are missing values: one of those known everywhere, and its own."""
        return [*([] if gap is None else [gap]), *self.words]


def are_missing(words: Sequence[str]) -> str:
    """What is said of cells that are words and no numbers or dates."""
    return f"{', '.join(map(quoted, words))} {'is' if len(words) == 1 else 'are'} missing"


def _unit(cells: Sequence[str]) -> str:
    """What follows the number in every cell, empty if cells differ."""
    found = _WITH_UNIT.fullmatch(cells[0].strip())
    unit = found[1].strip() if found else ""
    return unit if all(cell.rstrip().endswith(unit) for cell in cells) else ""


def _pattern(decimal: str, group: str) -> re.Pattern[str]:
    point = re.escape(decimal)
    grouped = (
        rf"[1-9][0-9]{{0,2}}(?P<group>[{re.escape(group + _SPACES)}])(?:[0-9]{{2,3}}(?P=group))*[0-9]{{3}}"
    )
    whole = rf"(?:{grouped}|[0-9]+)"
    return re.compile(rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")


_PATTERN = {".": _pattern(".", ","), ",": _pattern(",", ".")}


_ENOUGH = 100
"""Cells that show whether a column is words."""
MOST_WORDS, SHARE_OF_WORDS, FEW_LEVELS = 3, 0.1, 20
"""Words in a column of numbers or dates, their share of the cells, and values that may be levels."""
_ENOUGH_MARKED = 10
"""Numbers with three digits after their point of which some have fewer if it is a decimal one."""


def numerals_of_column(cells: Sequence[str | None], prefer: str = ".") -> Numerals | None:
    """As :func:`numerals_of`, of all cells of a column; gaps are missing, and so are a few words.

    Limits such as <0.05 and 90+ are numbers beside more than twenty different ones, and so are thousands and
    millions such as 500K and 1.2M; but 12M beside 12 may be a code.
    """
    words = _words(cells)
    numerals = None
    for some in (cells[:_ENOUGH], cells):  # other words show soon
        filled = {cell for cell in some if is_filled(cell) and cell.strip() not in words}
        numerals = numerals_of(filled, prefer)
        if filled and numerals is None:
            return None
    symbol = numerals.symbol if numerals is not None else ""
    scales = {_scale(cell, symbol) for cell in filled}
    if len(filled) <= FEW_LEVELS and (scales - {1.0} or any(map(_is_limit, filled))):
        return None  # <50 beside >50 are two levels
    if 1.0 in scales and len(scales) > 1 and 1e3 not in scales and symbol not in _CURRENCIES:
        return None
    return replace(numerals, words=words) if numerals is not None and words else numerals


def _words(cells: Sequence[str | None]) -> tuple[str, ...]:
    """The words in a column of many numbers, if they are few in few cells; a word has no digit."""
    some = list(filter(is_filled, cells[:_ENOUGH]))
    if 2 * sum(map(_has_no_digit, some)) > len(some):
        return ()
    filled = Counter(cell.strip() for cell in cells if is_filled(cell))
    words = {word: n for word, n in filled.items() if _has_no_digit(word)}
    few = len(words) <= MOST_WORDS and sum(words.values()) <= SHARE_OF_WORDS * filled.total()
    return tuple(sorted(words)) if few and len(filled) - len(words) > FEW_LEVELS else ()


def _has_no_digit(text: str) -> bool:
    return not any(map(str.isdigit, text)) and plain_number(text) is None


def _is_limit(cell: str) -> bool:
    return cell.strip().startswith(tuple(_LIMITS)) or cell.strip().endswith("+")


def _scale(cell: str, symbol: str) -> float:
    """What the number in a cell is multiplied by."""
    scaled = _SCALED.search(cell.replace(symbol, "")) if symbol else _SCALED.search(cell)
    return _SCALES[scaled[2]] if scaled else 1.0


def is_filled(cell: str | None) -> TypeGuard[str]:
    """Whether a cell of a column of numbers in text is neither blank nor a word such as ``?`` or ``N/A``."""
    return cell is not None and bool(cell.strip()) and not means_nothing(cell)


def gap_of(cells: Iterable[str | None]) -> str | None:
    """The first cell that is a word for a missing value, None if none is."""
    return next((cell for cell in cells if cell is not None and means_nothing(cell)), None)


def are_numbers_with_gaps(cells: Sequence[str]) -> bool:
    """Whether cells are as a program writes numbers, but for words for missing ones; codes are none."""
    for some in (cells[:_ENOUGH], cells):  # other words show soon
        filled = set(filter(is_filled, some))
        if any(plain_number(cell) is None for cell in filled):
            return False
    in_front = any(len(cell) > 1 and cell.startswith("0") for cell in filled)
    return bool(filled) and gap_of(cells) is not None and not (in_front and are_digits(filled))


_FLAGS = {"true": 1.0, "false": 0.0}


def plain_numbers(cells: Sequence[str], *, flags: bool = False) -> list[float] | None:
    """Numbers of a table that was read as text, NaN where missing; None if a cell is no number.

    With ``flags`` they may be written as True and False.
    """
    known = _FLAGS if flags else {}
    numbers = [known.get(cell.lower(), plain_number(cell)) if is_filled(cell) else math.nan for cell in cells]
    return None if None in numbers else [math.nan if one is None else one for one in numbers]


def are_digits(cells: Iterable[str]) -> bool:
    """Whether all cells are digits alone, which are text on purpose, as codes are."""
    return all(cell.strip().isdecimal() for cell in cells)


def currencies_of(cells: Iterable[str | None]) -> list[str]:
    """The currencies of a column of amounts in several of them, the most frequent first; empty of any other.

    Such a column stays text, since $5 is not €5.
    """
    filled = list(filter(is_filled, cells))
    for some in (filled[:_ENOUGH], filled):
        signs = [next((sign for sign in _CURRENCIES if sign in cell), "") for cell in some]
        bare = {cell.replace(sign, "").strip() for cell, sign in zip(some, signs, strict=True)}
        if not any(signs) or not numerals_of(bare):
            return []
    found = [sign for sign, _ in Counter(signs).most_common() if sign]
    return found if len(found) > 1 else []


def stay_text(currencies: Sequence[str]) -> str:
    """What to do about amounts in several currencies."""
    return f"amounts in {' and '.join(currencies)} stay text: in one currency they would be numbers"


def numerals_of(cells: Iterable[str], prefer: str = ".") -> Numerals | None:
    """How the numbers in some cells are written, None if some cell is no number.

    Parameters
    ----------
    cells : iterable of str
        Filled cells; each distinct one is enough.
    prefer : str
        The decimal mark where the cells leave it open, as 20,412 alone does.

    Examples
    --------
    >>> numerals_of(["20,412", "7"]).read("20,412")
    20412.0
    >>> numerals_of(["1 234,5"]).read("1 234,5")
    1234.5
    >>> numerals_of(["4.648 €", "648 €"]).read("4.648 €")
    4648.0
    >>> numerals_of(["7", "seven"]) is None
    True
    """
    cells = list(cells)
    if not cells:
        return None
    symbol = next((sign for sign in (*_CURRENCIES, *_PARTS) if sign in "".join(cells)), "")
    symbol = symbol or _unit(cells)
    if symbol not in _CURRENCIES and not all(symbol in cell for cell in cells):
        return None  # 0.5 beside 50%: one of them is a hundred times the other
    other = "," if prefer == "." else "."
    first, second = (_unless_odd(Numerals(decimal, symbol), cells) for decimal in (prefer, other))
    if first and second and prefer == "." and are_thousands(cells, symbol):
        return second
    return first or second


def _unless_odd(numerals: Numerals, cells: Sequence[str]) -> Numerals | None:
    return numerals if all(numerals.read(cell) is not None for cell in cells) else None


def may_be_thousands(cells: Iterable[str]) -> bool:
    """Whether each point in some cells may stand between thousands: not in 2.5, 0.509 and 2.509e3."""
    return all("." not in one or _THOUSANDS.fullmatch(one) for one in _digits_in(cells))


def are_thousands(cells: Sequence[str], symbol: str = "") -> bool:
    """Whether points stand between thousands: of a decimal point 4.648 € would not stand beside 648 €."""
    plain = [cell for cell in cells if _scale(cell, symbol) == 1]  # 4.648M is beside 648K
    found = list(_digits_in(plain))
    n_marked = sum("." in one for one in found)
    return (
        n_marked >= (1 if symbol in _CURRENCIES else _ENOUGH_MARKED)
        and may_be_thousands(plain)
        and any(len(one) <= 3 for one in found)
    )


def _digits_in(cells: Iterable[str]) -> Iterator[str]:
    """The first number in each cell that has one, without its sign."""
    return (match[0] for cell in cells if (match := _DIGITS.search(cell)))


_DIGITS = re.compile("[0-9][0-9.]*(?:[eE][+-]?[0-9]+)?")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{3})+")
