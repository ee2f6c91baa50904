"""Fewer iterations: EM as a fixed-point iteration on its expected statistics, extrapolated.

One iteration maps statistics to statistics, ``S -> G(S)``: the E-step under the parameters that the M-step
makes of S. Statistics are sums, so those of any family can be extrapolated, and the M-step makes of them
parameters that keep every constraint. The loop takes a proposal only if the objective does not fall;
otherwise it goes on as if the proposal had not been made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from semigen.em.records import Array, Stats, as_vector, leaves, like
from semigen.exceptions import ParameterError

STEADY = 1e-3
"""Nats per row: EM that rises by more is still choosing a maximum; an extrapolation may choose another."""
NEEDED = 2
"""Pairs (S, G(S)) that a proposal is made from."""
LONGEST_WAIT = 32
"""EM steps between two proposals, where one after the other is refused."""
MEMORY = 10
"""Pairs that Anderson's extrapolation combines."""
MOST_BYTES = 2**26
"""For these pairs; of larger statistics fewer are kept."""

SQUARED_STEPS = 3
"""Proposals of the other formula, after one of Anderson's was refused."""

Pairs = list[tuple[Array, Array]]
"""S and G(S), the latest last; arrays of shape (P,)."""
Formula = Callable[[Pairs, Array], Array]
"""A proposal (P,) from pairs and the size of each number (P,)."""


def combined(pairs: Pairs, scale: Array) -> Array:
    """The affine combination of the last G(S) whose moves G(S) - S cancel best, (P,).

    Anderson's extrapolation, with a new start after each refusal as in DAAREM, which extrapolates parameters:
    Henderson and Varadhan (2019), *Journal of Computational and Graphical Statistics* 28:834.
    """
    given, found = (np.array(part) for part in zip(*pairs, strict=True))
    moves = (found - given) / scale
    shares = np.linalg.lstsq(np.diff(moves, axis=0).T, moves[-1], rcond=1e-10)[0]
    return np.asarray(found[-1] - shares @ np.diff(found, axis=0))


def squared(pairs: Pairs, scale: Array) -> Array:
    """``S + 2 α r + α² v`` with ``α = |r| / |v|``, (P,): r is the first of two moves, v their difference.

    Varadhan and Roland (2008), *Scandinavian Journal of Statistics* 35:335, scheme S3.
    """
    (start, once), (_, twice) = pairs[-2:]
    move, turn = once - start, twice - 2 * once + start
    bend = float(np.linalg.norm(turn / scale))
    alpha = max(1.0, float(np.linalg.norm(move / scale)) / bend) if bend > 0 else 1.0
    return np.asarray(start + 2 * alpha * move + alpha**2 * turn)


ACCELERATIONS: dict[str, tuple[Formula, ...]] = {
    "auto": (combined, squared),
    "anderson": (combined,),
    "squarem": (squared,),
}


class Acceleration:
    """Proposals for one fit, from the pairs (S, G(S)) that it came by.

    Parameters
    ----------
    usual, other : function of pairs and the size of each number
        ``other`` makes some proposals after one of ``usual`` was refused.
    """

    def __init__(self, usual: Formula, other: Formula | None = None) -> None:
        self._usual, self._other = usual, other
        self._others_left = 0
        self._pairs: Pairs = []
        self._given: Array | None = None  # what the parameters of the next E-step are made of
        self._proposal: Array | None = None
        self._wait = self._longer = NEEDED

    def propose(self, stats: Stats, rise: float) -> Stats | None:
        """Statistics to try instead of those of the last E-step; None: nothing better is known.

        Parameters
        ----------
        stats : Stats
        rise : float
            Of the objective in the last step, nats per row.
        """
        found = as_vector(replace(stats, log_lik=0.0))
        if self._given is not None:
            self._pairs.append((self._given, found))
        self._pairs = self._pairs[-max(NEEDED, min(MEMORY, MOST_BYTES // (2 * found.nbytes))) :]
        self._given = found
        self._wait -= 1
        if rise > STEADY or self._wait > 0 or len(self._pairs) < NEEDED:
            return None
        self._proposal = self._formula(self._pairs, _scale(stats))
        trial = like(stats, self._proposal)
        if np.isfinite(self._proposal).all() and (trial.weight >= 0).all():
            return trial
        self.answer(accepted=False)
        return None

    def answer(self, *, accepted: bool) -> None:
        """Whether the objective did not fall, and the fit goes on from the last proposal."""
        formula = self._formula
        if formula is not self._usual:
            self._others_left -= 1
        if accepted:
            self._given, self._longer = self._proposal, NEEDED
            if formula is squared:  # its pairs are steps in a row
                self._pairs = []
            return
        self._pairs = []
        if formula is self._usual and self._other is not None:
            self._others_left, self._wait = SQUARED_STEPS, NEEDED
        else:
            self._longer = min(2 * self._longer, LONGEST_WAIT)
            self._wait = self._longer

    @property
    def _formula(self) -> Formula:
        return self._other if self._other is not None and self._others_left > 0 else self._usual


def as_acceleration(name: Any) -> Acceleration | None:
    """What an estimator's ``acceleration`` names, new for each fit.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    if name is None:
        return None
    if isinstance(name, str) and name in ACCELERATIONS:
        return Acceleration(*ACCELERATIONS[name])
    known = ", ".join(f'"{one}"' for one in ACCELERATIONS)
    raise ParameterError(f"acceleration={name!r} is not known: use None or one of {known}.")


def _scale(stats: Stats) -> Array:
    """The size of each number: the root mean square over components, (P,)."""
    sizes = [
        np.broadcast_to(np.sqrt((leaf**2).mean(axis=0)) if leaf.ndim else np.abs(leaf), leaf.shape).ravel()
        for leaf in leaves(stats)
    ]
    scale = np.concatenate(sizes)
    return np.where(scale > 0, scale, 1.0)
