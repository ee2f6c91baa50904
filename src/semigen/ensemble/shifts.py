"""Whether the labeled and the unlabeled rows of a fit seem to come from different places."""

from __future__ import annotations

import numpy as np

from semigen.ensemble.fit_rows import FitRows
from semigen.ensemble.forms import Forms
from semigen.evaluation.dependence import dependence_differs, separate_numbers
from semigen.evaluation.grids import grid
from semigen.evaluation.parting import parting_columns, parting_sentence


def dependence_shift(rows: FitRows, forms: Forms, seed: int) -> bool:
    """Whether columns are correlated in the labeled rows but not in the unlabeled ones.

    Never of documents, nor of rows that are all combinations of a few values: the columns of these are
    uncorrelated by design.
    """
    if rows.learned.is_sparse:
        return False
    numbers = separate_numbers(forms.mixtures.views_[0].plain_, rows.schema)
    differs = dependence_differs(rows.learned.x, rows.learned.labels.is_labeled, numbers, seed)
    return differs and grid(rows.counted.matrix) is None


def about_parting(rows: FitRows) -> str | None:
    """A sentence about the columns in which many unlabeled rows lie outside of the labeled ones, if any."""
    outside = parting_columns(rows.table, np.where(rows.learned.labels.is_labeled, 0, -1))
    if not outside:
        return None
    return parting_sentence({f"column {name!r}": share for name, share in outside.items()})
