"""Whether the labeled and the unlabeled rows of a fit seem to come from different places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.columns import ReadTable
from semigen.ensemble.fit_rows import FitRows
from semigen.ensemble.forms import Forms
from semigen.evaluation.dependence import dependence_differs
from semigen.evaluation.grids import grid
from semigen.evaluation.parting import parting_columns, parting_sentence

Array = NDArray[np.float64]


def dependence_shift(rows: FitRows, forms: Forms, seed: int) -> bool:
    """Whether columns are correlated in the labeled rows but not in the unlabeled ones.

    Never of documents, nor of rows that are all combinations of a few values: the columns of these are
    uncorrelated by design.
    """
    if rows.learned.is_sparse:
        return False

    def numbers(matrix: Any) -> Array:
        return _numbers(forms, ReadTable(rows.schema, matrix))

    differs = dependence_differs(rows.learned.x, rows.learned.labels.is_labeled, numbers, seed)
    return differs and grid(rows.counted.matrix) is None


def about_parting(rows: FitRows) -> str | None:
    """A sentence about the columns in which many unlabeled rows lie outside of the labeled ones, if any."""
    outside = parting_columns(rows.table, np.where(rows.learned.labels.is_labeled, 0, -1))
    if not outside:
        return None
    return parting_sentence({f"column {name!r}": share for name, share in outside.items()})


def _numbers(forms: Forms, table: ReadTable) -> Array:
    """Rows as numbers, column by column, without features of text: these are uncorrelated by design."""
    plain = forms.mixtures.views_[0].plain_
    texts = [j for one in table.schema.encoded if one.kind == "text" for j in one.columns]
    of_text = np.flatnonzero(np.isin(plain.numbers_, texts))
    return np.delete(plain.transform(table), of_text, axis=1)
