"""One refit: from rows and labels to probabilities, what to ask next, and what is known of the model."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from semigen import columns
from semigen.columns import ReadTable
from semigen.comparison import explain
from semigen.data.labels import UNLABELED_PATTERN, Labels
from semigen.ensemble.auto import AutoClassifier
from semigen.ensemble.defaults import BOOSTING, EXTRA_TREES
from semigen.ensemble.held_out import pooled
from semigen.ensemble.settle import shared_weights
from semigen.ensemble.training import Training, held_out_fold
from semigen.estimators.classifiers import RidgeLogistic
from semigen.exceptions import SemigenError, TableError
from semigen.io.images import ImageForm, Pixels, pixel_rows, read_image
from semigen.io.tables import read_table
from semigen.judgement.forecast import forecast
from semigen.judgement.information import closeness, most_informative, similarity_features
from semigen.judgement.query import MOSTLY_UNKNOWN, RIDGE_C
from semigen.labeling.answers import EXPLORE, UNCERTAIN

Array = NDArray[np.float64]

N_MIXTURES = 24
QUEUE = 60
"""Rows that are asked for after a refit: some are left when the next one is done."""
SUSPICIOUS = 0.5
"""A label is suspicious if models without it give another class this much more probability."""
MOST_SUSPICIOUS = 20
SAMPLE_FOLDS = 4
"""Parts in which the random sample is left out."""
MORE = 20
"""Labels more, of which the forecast speaks."""
IMAGE_SIDE = 32
"""Pixels of the longer side of the images that are learned from."""

Given = Sequence[tuple[int, Sequence[int]]]
"""Labeled rows, each with the numbers of its possible classes."""


FIT_SHARE = 0.6
"""Of a time budget; the rest is for the predictions of the random sample, and for what to ask next."""


class QuickClassifier(AutoClassifier):
    """The default classifier without its trees, which take nine tenths of a fit and weigh least of all."""

    _left_out = (EXTRA_TREES, BOOSTING)


@dataclass(frozen=True, eq=False)
class Pool:
    """The rows that the loop works on.

    Attributes
    ----------
    table : ReadTable
    features : ndarray of shape (n, q)
        A space in which rows that are alike are near, learned without labels.
    """

    table: ReadTable
    features: Array

    @classmethod
    def read(cls, job: Mapping[str, Any], folder: Path) -> Pool:
        """The rows of a job; see :meth:`semigen.labeling.items.Items.job`.

        Raises
        ------
        SemigenError
            If the rows cannot be used.
        """
        if "images" in job:
            X: Any = image_rows(Path(job["images"]), job["files"])
            kinds: Any = "number"
        else:
            X, kinds = read_table(folder / job["table"]), job["kinds"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = columns.learn_table(X, kinds, sparse="words", documents=True)
            return cls(table, similarity_features(None, table, job["seed"]))


def image_rows(folder: Path, files: Sequence[str]) -> NDArray[np.float32]:
    """Small images as rows of numbers from 0 to 1; one that cannot be read is gray."""
    first = None
    images: list[Pixels | None] = []
    for name in files:
        try:
            if first is None:
                first = _small(read_image(folder / name).shape[:2])
            images.append(read_image(folder / name, first))
        except TableError:
            images.append(None)
    if first is None:
        raise TableError(f"none of the images in {folder} can be read: repair them.")
    colored = any(image is not None and image.ndim == 3 for image in images)
    gray: Pixels = np.full(first, 128, dtype=np.uint8)
    form = ImageForm(*first, 3 if colored else 1, resized=True)
    return pixel_rows([gray if image is None else image for image in images], form)


def _small(shape: Sequence[int]) -> tuple[int, int]:
    scale = min(1.0, IMAGE_SIDE / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def as_labels(given: Given, n_rows: int, names: Sequence[Any]) -> tuple[Labels | None, list[int]]:
    """Labels of the rows over the classes that some row has for certain, and the numbers of these classes.

    None where there are not two of them. What else a candidate set holds is left out of it.
    """
    known = sorted({classes[0] for _, classes in given if len(classes) == 1})
    if len(known) < 2:
        return None, known
    patterns: dict[tuple[int, ...], int] = {}
    pattern = np.full(n_rows, UNLABELED_PATTERN, dtype=np.intp)
    for row, classes in given:
        possible = tuple(sorted(known.index(one) for one in classes if one in known))
        if 0 < len(possible) < len(known):
            pattern[row] = patterns.setdefault(possible, len(patterns) + 1)
    log_table = np.full((len(patterns) + 1, len(known)), -np.inf)
    log_table[UNLABELED_PATTERN] = 0.0
    for possible, number in patterns.items():
        log_table[number, list(possible)] = 0.0
    return Labels(np.array([names[one] for one in known]), log_table, pattern), known


def refit(
    pool: Pool,
    given: Given,
    names: Sequence[str],
    seed: int,
    time_budget: float,
    last: NDArray[Any] | None,
    sample: Sequence[int] = (),
) -> tuple[dict[str, Any], Array | None]:
    """Fit the model and say what to ask next.

    Parameters
    ----------
    pool : Pool
    given : sequence of (int, sequence of int)
    names : sequence of str
        The classes.
    seed : int
    time_budget : float
        Seconds of the fit, roughly.
    last : ndarray of shape (n,) or None
        The class that the last refit found most probable for each row.
    sample : sequence of int
        Rows of the random sample.

    Returns
    -------
    report : dict
        Plain values: ``queue`` (row, reason), ``checks`` (rows), ``predicted`` (row of the sample, its class
        by models without its label), ``changed``, ``gain``, ``forecast``, ``verdict``, ``seconds``.
    probabilities : ndarray of shape (n, K) or None
        Of all classes; None where not two have a label.
    """
    began = time.perf_counter()
    n_rows = len(pool.features)
    labels, known = as_labels(given, n_rows, names)
    labeled = np.zeros(n_rows, dtype=bool)
    labeled[[row for row, _ in given]] = True
    if labels is None:
        queue = _queue(pool, labeled, None)
        return {"queue": queue, "seconds": time.perf_counter() - began}, None
    model = QuickClassifier(
        verbose=0,
        n_mixtures=N_MIXTURES,
        time_budget=FIT_SHARE * time_budget,
        unlabeled=None,
        n_jobs=1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(pool.table, labels)
        found = model.predict_proba(pool.table)
    probabilities = np.zeros((n_rows, len(names)))
    probabilities[:, known] = found
    hard = labels.hard
    random = np.array([row for row in sample if hard[row] >= 0], dtype=np.intp)
    best = probabilities.argmax(axis=1)
    gain = _gain(pool, labels, seed)
    return {
        "queue": _queue(pool, labeled, found),
        "checks": _suspicious(*_held_out(model), labels),
        "predicted": list(predicted_without(model, pool.table, labels, random).items()),
        "changed": None if last is None else float((best != last).mean()),
        "gain": gain,
        "forecast": None if gain is None else _said(gain),
        "verdict": explain(model.verdict_, int((~labeled).sum())),
        "seconds": time.perf_counter() - began,
    }, probabilities


def _queue(pool: Pool, labeled: NDArray[np.bool_], probabilities: Array | None) -> list[tuple[int, str]]:
    """Rows to ask for in order, with the reason; without a model they cover the clusters."""
    uncertain = np.ones(len(labeled)) if probabilities is None else closeness(probabilities)
    usual = EXPLORE if probabilities is None else UNCERTAIN
    found = most_informative(
        pool.features,
        uncertain,
        np.flatnonzero(labeled),
        np.flatnonzero(~labeled),
        (~labeled).astype(np.float64),
        QUEUE,
    )
    return [
        (row, EXPLORE if unknown > MOSTLY_UNKNOWN else usual)
        for row, unknown in zip(found.rows.tolist(), found.unknown.tolist(), strict=True)
    ]


def _held_out(model: AutoClassifier) -> tuple[NDArray[np.intp], Array]:
    """Labeled rows, and probabilities (m, K) for them by the ensemble that the model is, fitted without."""
    pool = model.pool_
    held_out = pool.held_out_
    start = {name: (pool.weights or {})[name] for name in pool.estimators_}
    if not len(held_out.rows):
        return held_out.rows, np.empty((0, len(model.classes_)))
    learn = shared_weights(start, pool.ridge, model.supervised_share_)
    return held_out.rows, np.exp(held_out.crossfitted(learn))


def predicted_without(
    model: AutoClassifier, table: ReadTable, labels: Labels, rows: NDArray[np.intp]
) -> dict[int, str]:
    """The class that the ensemble finds most probable for some labeled rows without their labels.

    A few of them at a time are left out, and all other labels stay: leaving out a fifth of the labels, as the
    weights of the ensemble are learned, would show how good the model was with a fifth fewer. Where no row of
    its class would be left nothing is predicted, "".
    """
    hard = labels.hard
    pool = model.pool_
    train = Training(model.forms_.of(table), labels, np.ones(len(labels)))
    entries = [one for one in pool.estimators if one[0] in pool.estimators_]
    weights = np.array([pool.weights_[name] for name, _, _ in entries])
    found: dict[int, str] = {}
    for fold in (rows[begin::SAMPLE_FOLDS] for begin in range(min(SAMPLE_FOLDS, len(rows)))):
        rest = np.delete(hard, fold)
        known = np.isin(hard[fold], rest)
        found |= dict.fromkeys(fold[~known].tolist(), "")
        fold = fold[known]
        if not len(fold):
            continue
        part = train.without(fold)
        models = [part.fit(clone(estimator), form) for _, form, estimator in entries]
        held = held_out_fold(train, part, fold, entries, models)
        best = pooled(held.log_prior, held.evidence, weights).argmax(axis=1)
        found |= dict(zip(fold.tolist(), labels.classes[best].tolist(), strict=True))
    return found


def _suspicious(rows: NDArray[np.intp], held: Array, labels: Labels) -> list[int]:
    """Rows to whose label models without it give much less than to another class, the worst first."""
    score = held.max(axis=1, initial=0.0) - held[np.arange(len(rows)), labels.hard[rows]]
    worst = [int(rows[i]) for i in np.argsort(-score, kind="stable") if score[i] > SUSPICIOUS]
    return worst[:MOST_SUSPICIOUS]


def _gain(pool: Pool, labels: Labels, seed: int) -> tuple[float, float, float] | None:
    """How much ``MORE`` labels would raise the accuracy, by the curve of a quick model; its 80 % interval.

    The quick model is ridge regression on the features, which is the main part of the ensemble.
    """
    n_labeled = int((labels.hard >= 0).sum())
    try:
        quick = {"quick": RidgeLogistic(RIDGE_C)}
        found = forecast(pool.features, labels, estimators=quick, random_state=seed, unlabeled=None)
    except SemigenError:
        return None
    now, gain = found.at("quick", n_labeled).value, found.gain("quick", 1 + MORE / n_labeled)
    return now * gain.value, now * gain.low, now * gain.high


def _said(gain: tuple[float, float, float]) -> str:
    return f"{MORE} more labels: about {100 * max(gain[0], 0.0):+.1f} points of accuracy."
