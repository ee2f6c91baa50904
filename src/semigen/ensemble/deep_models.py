"""Deep models in the ensemble: which are tried, and whether they are worth their seconds."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from semigen.comparison import Standing, stand
from semigen.data.labels import Labels
from semigen.ensemble.forms import FormedRows
from semigen.ensemble.held_out import HeldOut
from semigen.ensemble.pool import PoolClassifier
from semigen.ensemble.settle import ALL_MODELS
from semigen.exceptions import MissingExtraError

M2, GAN = "M2", "K+1 GAN"
DEEP = (M2, GAN)
WITHOUT_DEEP = "without deep models"
N_FITS = 6
"""On all rows, and on five folds."""
TIMED_STEPS = 20
MOST_OF_BUDGET = 0.5


class ToTry(NamedTuple):
    """Name, form of the rows and classifier of each deep model; names of those for which time is short."""

    models: list[tuple[str, str, Any]]
    left_out: tuple[str, ...] = ()


def deep_to_try(
    deep: Any, seconds: float | None, seed: int, rows: FormedRows, labels: Labels, weight: NDArray[np.float64]
) -> ToTry:
    """The deep models that are tried.

    None for documents, and with "auto" none where PyTorch is not installed. Of a number of seconds all fits
    may take half at most, by the time of a few steps. How sure models are is left to the ensemble.

    Raises
    ------
    MissingExtraError
        If they are asked for and PyTorch is not installed.
    """
    if deep is False or rows.forms.plain.sparse_:
        return ToTry([])
    try:
        from semigen.deep import GANClassifier, VAEClassifier  # loads for seconds
        from semigen.deep.estimator import n_steps_of
    except MissingExtraError:
        if deep is True:
            raise
        return ToTry([])
    given: dict[str, Any] = {"unlabeled": None, "unlabeled_weight": 1.0, "calibrate": 1.0}
    given["random_state"] = seed
    models = [(M2, "table", VAEClassifier(**given)), (GAN, "table", GANClassifier(**given))]
    if seconds is None:
        return ToTry(models)
    left, kept = MOST_OF_BUDGET * seconds, []
    for name, form, model in models:
        few, took = clone(model).set_params(n_steps=TIMED_STEPS), np.inf
        for _ in range(2):  # what PyTorch loads at first is not counted
            begin = time.perf_counter()
            few.fit(getattr(rows, form), labels, weight)
            took = min(took, time.perf_counter() - begin)
        left -= took * (1 + N_FITS * n_steps_of(model, len(rows)) / TIMED_STEPS)
        if left < 0:
            break
        kept.append((name, form, model))
    return ToTry(kept, DEEP[len(kept) :])


def settle_deep(pool: PoolClassifier) -> Standing | None:
    """Drop the deep models of a fitted ensemble unless held-out rows show that they make it better.

    Returns
    -------
    Standing or None
        Of the ensemble beside itself without them; None without deep models or held-out rows.
    """
    names = [name for name in pool.estimators_ if name in DEEP]
    if not names:
        return None
    held_out = pool.held_out_
    kept = np.array([name not in names for name in pool.estimators_])
    start = np.array([(pool.weights or {})[name] for name in pool.estimators_])
    comparison = held_out.validation(
        {
            ALL_MODELS: held_out.crossfitted(partial(HeldOut.pool_weights, start=start, ridge=pool.ridge)),
            WITHOUT_DEEP: held_out.only(kept).crossfitted(
                partial(HeldOut.pool_weights, start=start[kept], ridge=pool.ridge)
            ),
        }
    )
    standing = None if comparison is None else stand(comparison, ALL_MODELS, WITHOUT_DEEP)
    if standing is None or standing.outcome != "better":
        pool.drop(names)
    return standing


def explain_deep(standing: Standing | None, seconds: float, left_out: tuple[str, ...] = ()) -> list[str]:
    """Whether deep models were kept, their price, and for which time was short, in sentences for a person."""
    lines = []
    if standing is not None:
        change = standing.change.log_loss
        kept = "kept" if standing.outcome == "better" else "left out"
        lines.append(
            f"Deep models took {seconds:.0f} seconds and changed the log-loss by {change.value:+.3f} nats "
            f"per row ({change.low:+.3f} to {change.high:+.3f}): {kept}."
        )
    if left_out:
        lines.append(
            f"{' and '.join(left_out)}: not tried, since that would take more than half of the time budget."
        )
    return lines
