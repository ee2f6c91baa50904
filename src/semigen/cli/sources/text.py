"""The texts of a table for a model of version 0.2 or older, a pipeline that makes words of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semigen.cli.sources.columns import OpenTable, read_rows
from semigen.cli.sources.records import ReadOptions, Rows
from semigen.columns.encoders import as_texts


def read_texts(path: Path, id_name: str | None, noted: Mapping[str, Any], options: ReadOptions) -> Rows:
    """Read the text of each row: its cells in the columns noted, joined; a missing cell adds nothing.

    Raises
    ------
    SemigenError
        If the table cannot be used.
    """
    texts = noted["text"]

    def features(opened: OpenTable) -> list[str]:
        columns = [as_texts(opened.table[name].to_pylist()) for name in texts]
        return ["\n".join(cells) for cells in zip(*columns, strict=True)]

    return read_rows(path, texts, id_name, noted, options, features, text=texts)
