"""What ``predict`` and ``demo`` share: from a saved model and a table to a table of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from semigen._version import __version__
from semigen.cli.outputs import refuse_existing
from semigen.cli.tables import read_table, require_columns, table_format, write_table
from semigen.cli.training import count_predictions, predict_table
from semigen.exceptions import ModelFileError
from semigen.persistence import load, written_at_once


def predict_file(
    model_path: Path, table_path: Path, out: Path, id_name: str | None, *, force: bool
) -> dict[str, Any]:
    """Predict the rows of a table, write them to a file, and return a summary.

    Raises
    ------
    SemigenError
        If the model or the table cannot be used.
    OSError
        If the file exists and may not be overwritten, or cannot be written.
    """
    ending = table_format(out)
    refuse_existing([out], force=force)
    with written_at_once(out, overwrite=force) as unfinished:
        model = load(model_path)
        table = read_table(table_path, [id_name] if id_name else [])
        names = getattr(model, "feature_names_in_", None)
        if names is None:
            raise ModelFileError(
                f"{model_path} was fitted without column names, so its columns cannot be found in a table: "
                "fit it on a data frame, or with 'semigen fit'."
            )
        require_columns(table, list(map(str, names)), table_path, "the model was fitted on it")
        if id_name is not None:
            require_columns(table, [id_name], table_path, "--id")
        rows = table[id_name] if id_name else pa.array(np.arange(table.num_rows))
        predictions = predict_table(model, table.select(list(map(str, names))), id_name, rows)
        write_table(predictions, unfinished, ending)
    return {
        "semigen": __version__,
        "model": str(model_path),
        "table": str(table_path),
        "n_rows": table.num_rows,
        "predicted": count_predictions(predictions),
        "out": str(out),
    }
