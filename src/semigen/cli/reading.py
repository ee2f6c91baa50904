"""Rows to learn from: read, and told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from semigen.cli.console import Output
from semigen.cli.recipes import recipe_of, refuse_families
from semigen.cli.sources import ReadOptions, Source, TableSource
from semigen.cli.wording import Lines


def read_table(
    table: Path,
    target: str,
    output: Output,
    *,
    id_name: str | None,
    weight: str | None,
    drop: Sequence[str],
    read_as: Mapping[str, str],
    options: ReadOptions,
) -> TableSource:
    """Read a table that the default model can learn from, and say what is in it.

    Raises
    ------
    SemigenError
        If the table cannot be used.
    """
    refuse_families("auto", recipe_of("auto"), read_as)
    with output.progress("reading"):
        source = TableSource.read(
            table,
            target,
            id_name=id_name,
            weight=weight,
            drop=tuple(drop),
            read_as=read_as,
            options=options,
        )
    say_source(source, output)
    return source


def say_source(source: Source, output: Output, work: str | None = None) -> None:
    """Say what was read, what training there will be, and what to know of it."""
    lines: Lines = [] if work is None else [("training", work)]
    output.say_lines(source.path.name, [*source.describe(), *lines])
    for note in source.notes:
        output.note(note)
