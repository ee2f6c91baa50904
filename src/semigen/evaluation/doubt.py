"""Labels that look wrong, by the probabilities of a model that has not seen them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LOOK_WRONG = "labels that look wrong"
"""The finding about them."""
MISTAKES = 1 / 11
"""Share of labels that are wrong before anything is seen: a label is as likely wrong as right where one other
class is ten times as probable."""


@dataclass(frozen=True)
class Doubts:
    """What is said against m labels.

    Attributes
    ----------
    wrong : ndarray of shape (m,)
        Probability that each label is wrong.
    alternative : ndarray of shape (m,), intp
        The most probable other class.
    disputed : ndarray of shape (m,), bool
        Whether that is more probable than the label by the probabilities alone: many rows between two classes
        are that are labeled correctly.
    order : ndarray of shape (m,), intp
        The labels, the most doubtful first.
    """

    wrong: Array
    alternative: Rows
    disputed: NDArray[np.bool_]
    order: Rows

    @property
    def listed(self) -> list[int]:
        """The labels that are more likely wrong than right, the most doubtful first."""
        return [int(i) for i in self.order if self.wrong[i] > 0.5]


def label_doubts(probabilities: Array, code: Rows) -> Doubts:
    """Doubts about labels, from class probabilities without these labels.

    A label is wrong with probability ``MISTAKES`` before, and then any other class is as probable, but one
    that has fewer labels than the mean of the classes in proportion less: if a tenth of all labels were
    changed at random, most positives of 3 % would be wrong. With the probability p of the given class among
    K, which has a share s of the labels, the odds of a wrong label are
    ``(1 - p) MISTAKES min(1, K s) / (K - 1)`` to ``p (1 - MISTAKES)``.

    Parameters
    ----------
    probabilities : ndarray of shape (m, K)
    code : ndarray of shape (m,), intp
        The classes that the labels give.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.evaluation.doubt import label_doubts
    >>> found = label_doubts(np.array([[0.9, 0.1], [0.02, 0.98], [0.6, 0.4]]), np.array([0, 0, 1]))
    >>> found.order.tolist(), found.wrong.round(2).tolist(), found.disputed.tolist()
    ([1, 2, 0], [0.01, 0.83, 0.09], [False, True, True])
    """
    rows = np.arange(len(code))
    given = probabilities[rows, code]
    others = probabilities.copy()
    others[rows, code] = 0.0
    alternative = others.argmax(axis=1)
    right = given * (1 - MISTAKES)
    n_classes = probabilities.shape[1]
    shares = np.bincount(code, minlength=n_classes) / max(len(code), 1)
    odd = (1 - given) * MISTAKES * np.minimum(n_classes * shares, 1.0)[code] / max(n_classes - 1, 1)
    wrong = odd / np.maximum(right + odd, np.finfo(float).tiny)
    disputed = others[rows, alternative] > given
    return Doubts(wrong, alternative, disputed, np.argsort(-wrong, kind="stable"))
