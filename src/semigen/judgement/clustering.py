"""Have the rows clusters, and does a mixture that begins from labels find them?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from semigen.columns import ReadTable, missing_columns
from semigen.em import Data, ThreadEngine, fit, log_joint
from semigen.judgement.diagnostics import Gain, Half
from semigen.representation.plain import ROUNDING
from semigen.representation.starts import Start

Array = NDArray[np.float64]

N_STARTS = 2
NUMBER = "number"


def clusters(half: Half, random_state: int) -> tuple[Gain, Gain]:
    """How much better two other densities of the same family describe the rows left out.

    One component, and as many as the mixture has, fitted without labels. Where the first is no worse the rows
    show no clusters; where the second is better they have others than those that labels begin. 0 for sparse
    rows.
    """
    x, out = half.fitted.matrix, half.left_out.matrix
    if issparse(x):
        return Gain(0.0, 1.0, 0), Gain(0.0, 1.0, 0)
    alone = _fitted(half, 1, [random_state])
    seeds = [[random_state, one] for one in range(N_STARTS)]
    natural = max(
        (_fitted(half, half.model.mixture_.n_components, one) for one in seeds), key=lambda one: one[0]
    )
    missing = missing_columns(np.vstack([x, out]))
    rows = Data.unlabeled(out, missing)
    of_one, of_natural = (
        half.gain(np.logaddexp.reduce(log_joint(start.mixture, params, rows), axis=1))
        for _, start, params in (alone, natural)
    )
    return of_one, of_natural


def _fitted(half: Half, n_components: int, seed: Any) -> tuple[float, Start, Any]:
    x = half.fitted.matrix
    missing = missing_columns(np.vstack([x, half.left_out.matrix]))
    columns, rng = np.arange(x.shape[1]), np.random.default_rng(seed)
    start = Start.of(-1, columns, x, missing, half.model.mixture_.family, n_components, rng)
    begun = (start.mixture, start.prior, start.data, start.params)
    found = fit(*begun, ThreadEngine(1), max_iter=60, tol=1e-4)
    return found.objective, start, found.params


def form(table: ReadTable) -> tuple[float, float, float]:
    """What the columns are like: the share of numbers, of cells that repeat another, and how heavy tails are.

    The last is the mean of asinh of the excess kurtosis, 0 without numbers. Sparse rows are all repetition.
    """
    if issparse(table.matrix):
        return 0.0, 1.0, 0.0
    x = np.asarray(table.matrix, dtype=np.float64)
    is_number = np.array([one == NUMBER for one in table.schema.kinds])
    repeated = [1 - len(np.unique(column)) / len(x) for column in x.T]
    tails = 0.0
    if is_number.any():
        numbers = x[:, is_number]
        mean, spread = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
        z = (numbers - mean) / np.where(spread > ROUNDING * np.abs(mean), spread, np.inf)
        tails = float(np.arcsinh(np.nanmean(z**4, axis=0) - 3).mean())
    return float(is_number.mean()), float(np.mean(repeated)), tails
