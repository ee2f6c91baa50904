"""The texts of a table for a model of version 0.2 or older, a pipeline that makes words of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semigen.cli.sources.columns import open_table, row_ids
from semigen.cli.sources.records import Rows
from semigen.columns.encoders import as_texts


def read_texts(path: Path, texts: Sequence[str], id_name: str | None) -> Rows:
    """Read the text of each row: its cells in the columns ``texts``, joined; a missing cell adds nothing.

    Raises
    ------
    SemigenError
        If the table cannot be used.
    """
    ids = [id_name] if id_name else []
    table = open_table(path, {"needed by the model": texts, "--id": ids}, [*ids, *texts])
    columns = [as_texts(table[name].to_pylist()) for name in texts]
    return Rows(["\n".join(cells) for cells in zip(*columns, strict=True)], *row_ids(table, id_name))
