"""What the rows of a sparse matrix are: words of documents, or columns of which most cells are 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from semigen.exceptions import ColumnError

MOST_COLUMNS = 1_000
"""Indicators and numbers in more columns are taken for words, unless some are negative."""
MOST_CELLS = 2**28
"""2 GiB as float64."""
_UNIT = 1e-3  # by which the lengths of weighted documents may differ from 1
_OFTEN, _LARGE = 0.5, 20.0  # a column that is filled so often with numbers so large counts no word
_FEW = 0.05  # of many columns: the commonest words of long documents, the most active genes of cells


def as_words(matrix: csr_array) -> tuple[bool, str]:
    """Whether rows are words of documents, and what is assumed of them, in words.

    - Whole numbers from 0 are counts of words, unless a column is filled in more than half of the rows with
      numbers of more than 20 in the mean. One of twenty columns may be so where the others are counts, too.
    - Numbers from 0 of which each row has the length 1 or the sum 1 are weighted words (tf-idf).
    - 0 and 1 are indicators (one-hot) if each row has as many ones as the others or there are at most 1,000
      columns; otherwise they say which words occur.
    - All others are numbers; without negative ones, in more than 1,000 columns, weighted words.
    """
    cells, wide = matrix.data, matrix.shape[1] > MOST_COLUMNS
    of_columns = f"X is sparse and was read as {matrix.shape[1]:,} columns of "
    of_words = f"X is sparse and was read as documents: {matrix.shape[1]:,} columns of "
    if cells.size and cells.min() < 0:
        return False, f"{of_columns}numbers, since some are negative."
    if (cells[cells != 0] == 1).all():
        filled = np.diff(matrix.indptr)
        if not cells.size or (wide and filled.min() != filled.max()):
            return True, f"{of_words}words that occur or not."
        return False, f"{of_columns}indicators, since all cells are 0 or 1."
    if (cells == np.floor(cells)).all():
        often = np.bincount(matrix.indices, minlength=matrix.shape[1]) > _OFTEN * matrix.shape[0]
        mean = np.bincount(matrix.indices, cells, matrix.shape[1]) / matrix.shape[0]
        large = often & (mean > _LARGE)
        of_others = cells[~large[matrix.indices]]
        others_count = of_others.size and (of_others > 1).mean() > _FEW
        if large.any() and not (others_count and large.mean() <= _FEW):
            return False, f"{of_columns}numbers, since some are large in most rows."
        return True, f"{of_words}counts of words."
    if any(_all_one(matrix, power) for power in (1, 2)):
        return True, f"{of_words}weighted words (tf-idf)."
    if wide:
        return True, f"{of_words}weighted words, since numbers in so many columns are rarely anything else."
    return False, f"{of_columns}numbers."


def as_dense(matrix: Any) -> Any:
    """A sparse matrix as an array.

    Raises
    ------
    ColumnError
        If it would not fit in memory.
    """
    if matrix.shape[0] * matrix.shape[1] > MOST_CELLS:
        raise ColumnError(
            f"X is sparse with {matrix.shape[0]:,} x {matrix.shape[1]:,} cells that are no words of "
            "documents, and too large to be made dense: project it with scikit-learn's TruncatedSVD first."
        )
    return matrix.toarray()


def _all_one(matrix: csr_array, power: int) -> bool:
    """Whether the sum of the powers of every row that is not empty is 1."""
    with np.errstate(over="ignore"):
        total = np.asarray((matrix**power if power > 1 else matrix).sum(axis=1)).ravel()
    return bool((np.abs(total[total != 0] - 1) < _UNIT).all())
