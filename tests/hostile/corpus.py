"""Tiny tables as people make them: label columns, and ways to write numbers, that were complained about."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

N_ROWS, N_LABELED = 36, 18


@dataclass(frozen=True)
class LabelColumn:
    """Labels as they are written, the options that they need, and what must come out."""

    labels: tuple[str, ...]
    classes: tuple[str, ...] | None = None
    options: tuple[str, ...] = ()
    note: str = ""
    empty: str = ""

    @property
    def expected(self) -> set[str]:
        return set(self.labels if self.classes is None else self.classes)


LABELS = {
    "leading zeros": LabelColumn(("01", "1")),
    "only zeros differ": LabelColumn(("007", "7", "0007")),
    "twenty digits": LabelColumn(("12345678901234567890", "12345678901234567891")),
    "a country called NA": LabelColumn(("NA", "DE"), note="'NA' (9 rows) is taken as a class"),
    "exponents": LabelColumn(("1E2", "100")),
    "hexadecimal": LabelColumn(("0x1", "1")),
    "booleans": LabelColumn(("TRUE", "FALSE")),
    "booleans of two spellings": LabelColumn(("TRUE", "true"), note="differ only by spaces or case"),
    "minus one and one": LabelColumn(("-1", "1"), note="'-1' (9 rows) is taken as a class"),
    "minus one and one as floats": LabelColumn(("-1.0", "1.0"), ("-1", "1"), note="--unlabeled=-1"),
    "integers with gaps": LabelColumn(("0.0", "1.0"), ("0", "1"), note="written as floats"),
    "grades": LabelColumn(("1.5", "2.0", "2.5")),
    "zeros behind the point": LabelColumn(("1.0", "1.00")),
    "spaces": LabelColumn(("no", "no ", "yes"), note="differ only by spaces or case: 'no' (6), 'no ' (6)"),
    "spaces, stripped": LabelColumn(("no", "No ", "yes"), ("no", "yes"), ("--strip-labels",)),
    "a marker": LabelColumn(("a", "b"), options=("--unlabeled", "?"), empty="?"),
    "two markers": LabelColumn(("a", "b", "-"), ("a", "b"), ("--unlabeled", "?", "--unlabeled=-"), empty="?"),
    "minus one as marker of floats": LabelColumn(
        ("0.0", "1.0"), ("0", "1"), ("--unlabeled", "-1"), empty="-1.0"
    ),
    "words for nothing": LabelColumn(("Missing", "n/a", "null"), note="'null'"),
    "dates": LabelColumn(("2020-01-01", "2020-01-02")),
    "infinity": LabelColumn(("inf", "-inf", "nan")),
    "commas, quotes, lines": LabelColumn(("a,b", 'a"b', "a\nb")),
    "control characters": LabelColumn(("\x1b[31mred", "\x9b5m", "b\x07")),
    "other directions": LabelColumn(("\u202eabc", "abc", "שלום")),
    "formulas": LabelColumn(('=HYPERLINK("http://x")', "+1", "-1+2", "@x")),
    "markup": LabelColumn(("[bold]a[/bold]", "[/]", ":smile:")),
    "thousands of letters": LabelColumn(("x" * 3000, "y")),
    "other scripts": LabelColumn(("größe", "ärmel", "長さ", "👩\u200d💻")),
    "combining marks": LabelColumn(("é", "e\u0301")),
    "names of prediction columns": LabelColumn(("predicted", "probability", "row")),
}


@dataclass(frozen=True)
class Numbers:
    """How the numbers of a table are written."""

    text: Callable[[float], str]
    options: tuple[str, ...] = ()
    separator: str = ","
    digits: int = 2
    extra: dict[int, str] = field(default_factory=dict)
    """Cells, by row, that stand instead of a number."""


NUMBERS = {
    "thousands": Numbers(lambda value: f"{value:,.0f}", digits=0),
    "thousands and cents": Numbers(lambda value: f"{value:,.2f}"),
    "dollars": Numbers(lambda value: f"${value:,.2f}"),
    "euros behind": Numbers(lambda value: f"{value:.2f} €"),
    "percent": Numbers(lambda value: f"{value:.1f}%", digits=1),
    "decimal comma": Numbers(lambda value: f"{value:.2f}".replace(".", ",")),
    "decimal comma and spaces": Numbers(lambda value: f"{value:,.2f}".replace(",", " ").replace(".", ",")),
    "decimal comma, semicolons": Numbers(
        lambda value: f"{value:.3f}".replace(".", ","), separator=";", digits=3
    ),
    "decimal comma, asked": Numbers(
        lambda value: f"{value:.3f}".replace(".", ","), ("--decimal", ","), separator=";", digits=3
    ),
    "swiss": Numbers(lambda value: f"{value:,.2f}".replace(",", "’")),
    "accounting": Numbers(lambda value: f"({-value:,.2f})" if value < 0 else f"{value:,.2f}"),
    "question marks": Numbers(lambda value: f"{value:.2f}", ("--missing", "?"), extra={3: "?", 20: "?"}),
    "two markers": Numbers(
        lambda value: f"{value:.2f}", ("--missing", "?", "--missing", "-999"), extra={3: "?", 20: "-999"}
    ),
    "tabs": Numbers(lambda value: f"{value:.2f}", separator="\t"),
    "bars": Numbers(lambda value: f"{value:.2f}", separator="|"),
    "another separator": Numbers(lambda value: f"{value:.2f}", ("--separator", "^"), separator="^"),
}


def true_labels(labels: tuple[str, ...]) -> np.ndarray:
    """The label of each row; half of them are shown."""
    return np.array(labels, dtype=object)[np.arange(N_ROWS) % len(labels)]


def features(n_classes: int) -> np.ndarray:
    """Two columns in which classes are far apart, from -900 to thousands."""
    rng = np.random.default_rng(0)
    code = np.arange(N_ROWS) % n_classes
    return -900 + 2500 * code[:, None] + 100 * rng.normal(size=(N_ROWS, 2))


def as_csv(header: list[str], rows: list[list[str]], separator: str = ",") -> bytes:
    """A text table with every cell quoted that needs it."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()
