"""Sums of what held-out predictions are worth, from which a comparison is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.comparison.record import CLASS_SHARES, Comparison
from semigen.evaluation.metrics import row_brier, row_log_loss

_Floats = NDArray[np.float64]
_Rows = NDArray[np.intp]


class Tally:
    """Adds up predictions of named estimators, and of the class shares, for the same rows.

    Parameters
    ----------
    names : sequence of str
        The estimators.
    rows : ndarray of shape (m,), intp
        Row numbers that are held out at some time, in increasing order.
    code : ndarray of shape (m,), intp
        Their true classes.
    classes : ndarray of shape (K,)
    """

    def __init__(self, names: Sequence[str], rows: _Rows, code: _Rows, classes: NDArray[Any]) -> None:
        self._names, self._rows, self._code = tuple(names), rows, code
        self._classes = tuple(classes.tolist())
        every = (*self._names, CLASS_SHARES)
        self._correct, self._losses, self._briers = (
            {name: np.zeros(len(rows)) for name in every} for _ in range(3)
        )
        self._total = {name: np.zeros((len(rows), len(classes))) for name in self._names}

    def add(self, name: str, test: _Rows, probabilities: _Floats) -> None:
        """One fit's probabilities for rows that it has not seen; columns after the classes are no classes."""
        at = np.searchsorted(self._rows, test)
        code = self._code[at]
        self._correct[name][at] += probabilities.argmax(axis=1) == code
        self._losses[name][at] += row_log_loss(probabilities, code)
        self._briers[name][at] += row_brier(probabilities, code)
        if name in self._total:
            self._total[name][at] += probabilities[:, : self._total[name].shape[1]]

    def add_shares(self, test: _Rows, shares: _Floats) -> None:
        """The class shares (K,) of the rows that are not held out, as a prediction for those that are."""
        self.add(CLASS_SHARES, test, np.tile(shares, (len(test), 1)))

    def comparison(
        self,
        n_splits: int,
        n_repeats: int,
        weight: _Floats,
        *,
        n_labeled: int,
        n_unlabeled: int,
        random_state: int | None,
    ) -> Comparison:
        """The comparison; arguments as its attributes, each row having been held out in each repeat."""

        def mean(sums: dict[str, _Floats]) -> dict[str, _Floats]:
            return {name: value / n_repeats for name, value in sums.items()}

        return Comparison(
            self._names,
            n_splits,
            n_repeats,
            self._rows,
            weight,
            mean(self._correct),
            mean(self._losses),
            n_labeled,
            n_unlabeled,
            random_state,
            probabilities=mean(self._total),
            row_briers=mean(self._briers),
            code=self._code,
            classes=self._classes,
        )
