"""Options that commands share: how tables are read and predictions written. Nothing heavy loads here."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from semigen.cli.sources import ReadOptions

TABLE_HELP = (
    "CSV, TSV or TXT (plain or .gz), JSON Lines, Parquet, Feather or Arrow, Excel (extra 'tables'), also in "
    "a .zip; - for standard input."
)

FILES_HELP = TABLE_HELP.replace(
    "; -", "; a folder or a quoted pattern ('part-*.csv') of Parquet, Arrow or CSV files; -"
)

_TABLES, _RESULTS = "How tables are read", "What predictions hold"

Encoding = Annotated[
    str | None,
    typer.Option(
        help="Of a text table; default: UTF-8, or what its bytes look like (extra 'tables').",
        metavar="NAME",
        rich_help_panel=_TABLES,
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        help="Between the cells of a text table: one character, or 'tab'; default: told from its first rows.",
        metavar="CHAR",
        rich_help_panel=_TABLES,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(help="Of a spreadsheet; default: the first one.", metavar="NAME", rich_help_panel=_TABLES),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        help="Decimal mark of a text table, '.' or ','; default: '.'.",
        metavar="CHAR",
        rich_help_panel=_TABLES,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        help="A cell of a feature that means 'missing', such as -999, besides empty ones and, among numbers "
        "and dates, words such as '?' or N/A; repeatable.",
        metavar="TEXT",
        rich_help_panel=_TABLES,
    ),
]
Cost = Annotated[
    list[str] | None,
    typer.Option(
        help="What it costs to miss a row of a class, such as yes=20; 1 for other classes. Adds a column "
        "'least_cost', the class of least expected cost; repeatable.",
        metavar="CLASS=NUMBER",
        rich_help_panel=_RESULTS,
    ),
]
Embeddings = Annotated[
    Path | None,
    typer.Option(
        help="NumPy file (.npy) with a row of numbers for each row of TABLE, such as sentence embeddings: "
        "further columns. A column of lists in Parquet needs no option.",
        metavar="FILE",
        rich_help_panel=_TABLES,
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        help="Column to copy to the predictions, or a pattern such as 'q*', or 'all'; repeatable.",
        metavar="COL",
        rich_help_panel=_RESULTS,
    ),
]
CsvSafe = Annotated[
    bool,
    typer.Option(
        "--csv-safe",
        help="Put an apostrophe before text that a spreadsheet would run as a formula (=, +, -, @).",
        rich_help_panel=_RESULTS,
    ),
]

Target = Annotated[
    str, typer.Option("--target", help="Column with the classes; empty cells are unlabeled.", metavar="COL")
]
Weight = Annotated[
    str | None,
    typer.Option(help="Column with row weights, 0 or more; 1 is one row.", metavar="COL"),
]
Id = Annotated[
    str | None,
    typer.Option("--id", help="Column that identifies the rows: not used as a feature.", metavar="COL"),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(help="Column to leave out, or a pattern such as 'q*'; repeatable.", metavar="COL"),
]
ReadAs = Annotated[
    list[str] | None,
    typer.Option(
        "--as",
        help="How to read a column, the columns of a pattern ('q*=category') or of a type: number, count, "
        "flag, category, text or date; repeatable.",
        metavar="COL=KIND",
    ),
]
Markers = Annotated[
    list[str] | None,
    typer.Option(
        "--unlabeled",
        help="A cell of the target that means 'no label', such as -1 or '?', besides empty ones; repeatable.",
        metavar="TEXT",
    ),
]
StripLabels = Annotated[
    bool,
    typer.Option(
        "--strip-labels", help="Take labels that differ only by spaces around them or by case as one class."
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", help="Seed of all random choices.", min=0, max=2**31 - 1, metavar="N")
]

SummaryAsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")]
OverwriteFile = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]

_NAMED_SEPARATORS = {"tab": "\t", r"\t": "\t", "space": " "}


@dataclass(frozen=True)
class TableOptions:
    """Options that all commands which read tables have: see :func:`reads_tables`."""

    missing: Missing = None
    encoding: Encoding = None
    separator: Separator = None
    sheet: Sheet = None
    decimal: Decimal = None

    def reading(
        self,
        *,
        keep: Sequence[str] | None = None,
        unlabeled: Sequence[str] | None = None,
        strip_labels: bool = False,
        embeddings: Path | None = None,
    ) -> ReadOptions:
        """How tables are to be read.

        Raises
        ------
        typer.BadParameter
            If a mark is none.
        """
        from semigen.cli.sources import ReadOptions
        from semigen.io.reading import Reading, is_separator

        decimal, separator = self.decimal, _NAMED_SEPARATORS.get(self.separator or "", self.separator)
        if decimal not in (None, ".", ","):
            raise typer.BadParameter(f"--decimal {decimal}: the decimal mark is '.' or ','.")
        if separator is not None and not is_separator(separator):
            raise typer.BadParameter(f"--separator {separator!r}: give one character such as ';', or 'tab'.")
        if separator is not None and separator == decimal:
            raise typer.BadParameter(f"--separator and --decimal are both {separator!r}.")
        missing = tuple(self.missing or ())
        reading = Reading(self.encoding, separator, decimal or ".", missing, embeddings, self.sheet)
        return ReadOptions(reading, tuple(unlabeled or ()), strip_labels, tuple(keep or ()))


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command each of :class:`TableOptions` as an option; it gets them as its argument ``tables``."""
    own = inspect.signature(command, eval_str=True)
    shared = [
        one.replace(kind=one.KEYWORD_ONLY)
        for one in inspect.signature(TableOptions, eval_str=True).parameters.values()
    ]
    options = [two for one in own.parameters.values() for two in (shared if one.name == "tables" else [one])]

    @wraps(command)
    def wrapped(**given: Any) -> None:
        tables = TableOptions(**{one.name: given.pop(one.name) for one in shared})
        command(**given, tables=tables)

    wrapped.__signature__ = own.replace(parameters=options)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in options}
    return wrapped


def refuse_for_images(given: Mapping[str, Any]) -> None:
    """Refuse options of tables beside a folder of images.

    Raises
    ------
    typer.BadParameter
        If one is given.
    """
    stray = [option for option, value in given.items() if value]
    if stray:
        verb = "is" if len(stray) == 1 else "are"
        raise typer.BadParameter(f"{', '.join(stray)} {verb} for the columns of a table, not for images.")


def refuse_inside(folder: Path, *results: Path | None) -> None:
    """Refuse results in a folder that is read: the next run would take them for some of its files.

    Raises
    ------
    typer.BadParameter
        If one is there; none is where ``folder`` is a file.
    """
    if not folder.is_dir():
        return
    place = os.path.realpath(folder)
    inside = [one for one in results if one and Path(os.path.realpath(one)).is_relative_to(place)]
    if inside:
        raise typer.BadParameter(
            f"{inside[0]} is in {folder}, whose files the next run reads: write it elsewhere."
        )


def is_stdin(path: Path | None) -> bool:
    """Whether a table is standard input."""
    return path == Path("-")


def table_name(path: Path) -> str:
    """The name of a table without its ending; "stdin" for standard input.

    Raises
    ------
    TableError
        If the ending is not that of a table.
    """
    from semigen.io.tables import READ, table_format  # loads pyarrow

    return "stdin" if is_stdin(path) else path.name[: -len(table_format(path, READ))]


def results_folder(name: str) -> Path:
    """Where a fit of what has this name writes by default."""
    return Path(f"{name}-semigen")


def class_and_cost(word: str) -> tuple[str, float]:
    """Class and cost of ``class=cost``; the name of the class may contain ``=``."""
    name, _, number = word.rpartition("=")
    try:
        cost = float(number)
    except ValueError:
        cost = math.nan
    if not (name and 0 <= cost < math.inf):
        raise typer.BadParameter(f"--cost {word}: write CLASS=NUMBER, 0 or more, such as --cost yes=20.")
    return name, cost


def shares_of_classes(words: list[str]) -> str | dict[str, float] | None:
    """What ``--class-prior`` says: a word, or the share of each class."""
    if len(words) == 1 and words[0] in ("shared", "unlabeled", "uniform"):
        return words[0]
    found: dict[str, float] = {}
    for word in words:
        name, _, number = word.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = math.nan
        if not (name and 0 < share < 1) or name in found:
            raise typer.BadParameter(
                f"--class-prior {word}: write shared, unlabeled or uniform, or CLASS=SHARE for each class "
                "(above 0, with sum 1), such as --class-prior yes=0.03 --class-prior no=0.97."
            )
        found[name] = share
    return found or None


def column_and_kind(word: str) -> tuple[str, str]:
    """Column and kind of ``column=kind``; the column's name may contain ``=``."""
    name, separator, kind = word.rpartition("=")
    if not (separator and name and kind):
        raise typer.BadParameter(f"--as {word}: write COLUMN=KIND, such as --as zip=category.")
    return name, kind
