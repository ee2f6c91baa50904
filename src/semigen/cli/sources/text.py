"""The texts of a table for a model of version 0.2 or older, a pipeline that makes words of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semigen.cli.sources.columns import known_target, open_table, row_ids
from semigen.cli.sources.labels import given_labels
from semigen.cli.sources.records import ReadOptions, Rows
from semigen.columns.encoders import as_texts
from semigen.io.tables import open_table as open_file


def read_texts(path: Path, id_name: str | None, noted: Mapping[str, Any], options: ReadOptions) -> Rows:
    """Read the text of each row: its cells in the columns noted, joined; a missing cell adds nothing.

    Raises
    ------
    SemigenError
        If the table cannot be used.
    """
    ids, texts = [id_name] if id_name else [], noted["text"]
    file = open_file(path, options.reading)
    target = known_target(file.names, noted)
    named = {"needed by the model": texts, "--id": ids}
    opened = open_table(file, named, options, as_written=[*ids, *target], text=texts)
    table = opened.table
    truth = given_labels(table[target[0]], target[0], path, options) if target else None
    columns = [as_texts(table[name].to_pylist()) for name in texts]
    rows = ["\n".join(cells) for cells in zip(*columns, strict=True)]
    return Rows(rows, *row_ids(table, id_name), opened.notes, opened.kept, truth)
