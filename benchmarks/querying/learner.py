"""The classifier of the learning curves: cheap models of the default ensemble, at their default weights.

Representations see no label, so they are computed once for all rows of a pool. No row is held out to learn
weights, so a fit takes a fraction of a second; boundaries and probabilities are about those of
``AutoClassifier``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks.accuracy import mixed
from benchmarks.accuracy.splits import TABLES as BUNDLED
from semigen import columns
from semigen.columns import ReadTable
from semigen.data.weights import estimated_shares
from semigen.ensemble.defaults import DEFAULT_WEIGHTS, EXTRA_TREES, GRAPH, LOGISTIC, MIXTURES
from semigen.ensemble.forms import FormedRows, Forms
from semigen.ensemble.held_out import log_evidence, pooled
from semigen.estimators.adapters import class_log_proba
from semigen.estimators.classifiers import ExtraTrees, RidgeLogistic
from semigen.judgement.information import similarity
from semigen.representation import MixtureEnsembleFeatures, NeighborGraph, PlainColumns

N_MIXTURES, N_TREES = 24, 20
MOST_POOL, MOST_TEST, TEST_SHARE = 900, 1000, 0.3
MODELS = {
    MIXTURES: ("responsibilities", RidgeLogistic(25.0)),
    LOGISTIC: ("plain", RidgeLogistic(1.0)),
    GRAPH: ("graph_features", RidgeLogistic(10.0)),
    EXTRA_TREES: ("plain", ExtraTrees(N_TREES)),
}
"""Forms of the rows that they read, and classifiers."""
SHARE = sum(DEFAULT_WEIGHTS.values()) / sum(DEFAULT_WEIGHTS[name] for name in MODELS)


@dataclass(frozen=True)
class Pool:
    """Rows to ask for with their classes, and rows to judge on; ``features`` say how alike the former are.

    ``native`` are both tables with categories of pandas, for classifiers of their own.
    """

    y: np.ndarray
    y_test: np.ndarray
    n_classes: int
    rows: FormedRows
    test: FormedRows
    features: np.ndarray
    native: tuple[Any, Any]


def read(name: str) -> tuple[Any, np.ndarray]:
    """Columns and classes of a bundled or mixed table."""
    if name in BUNDLED:
        return BUNDLED[name](return_X_y=True, as_frame=True)
    return mixed.read(name)


def pool(name: str, seed: int) -> Pool:
    """Stratified rows of a table, those to judge on never in the pool."""
    X, y = read(name)
    y = np.unique(np.asarray(y), return_inverse=True)[1]
    train, test = train_test_split(np.arange(len(y)), test_size=TEST_SHARE, stratify=y, random_state=seed)
    rng = np.random.default_rng(seed)
    train, test = rng.permutation(train)[:MOST_POOL], rng.permutation(test)[:MOST_TEST]
    schema, matrix = columns.learn(X)  # of all rows, so that no cell to judge on is of another kind
    mixtures = MixtureEnsembleFeatures(N_MIXTURES, n_jobs=1, random_state=seed)
    mixtures.fit(ReadTable(schema, matrix[train]))
    known, new = (ReadTable(mixtures.schema_, matrix[part]) for part in (train, test))
    forms = Forms(
        PlainColumns().fit(known),
        mixtures,
        NeighborGraph(random_state=seed).fit(mixtures.views_[-1].transform(known)),
    )
    rows = forms.of(known)
    return Pool(
        y[train],
        y[test],
        int(y.max()) + 1,
        rows,
        forms.of(new),
        similarity(rows.responsibilities.whole, rows.principal_axes),
        mixed.native(*(X.iloc[part].reset_index(drop=True) for part in (train, test))),
    )


@dataclass(frozen=True)
class Learned:
    """What the models make of rows, for those of the pool and those to judge on; nothing from a single class.

    Attributes
    ----------
    n_classes : int
    classes : ndarray of shape (k,)
        Those that have a label.
    code : ndarray of shape (m,)
        Of each label, its place in ``classes``.
    evidence : tuple of two ndarray of shape (M, n, k)
    weights : ndarray of shape (M,)
    """

    n_classes: int
    classes: np.ndarray
    code: np.ndarray
    evidence: tuple[np.ndarray, np.ndarray]
    weights: np.ndarray

    @property
    def count(self) -> np.ndarray:
        """Labels of each class."""
        return np.bincount(self.code).astype(float)

    def probabilities(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of all classes, under class shares of those that have a label."""
        found = []
        for evidence in self.evidence:
            probs = np.zeros((evidence.shape[1], self.n_classes))
            probs[:, self.classes] = np.exp(pooled(np.log(shares), evidence, self.weights))
            found.append(probs)
        return found[0], found[1]


def fit(one: Pool, labeled: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Class probabilities of all rows of the pool and of those to judge on, from the labels of some."""
    found = learn(one, labeled, seed)
    return found.probabilities(estimated_shares(found.count))


def learn(one: Pool, labeled: np.ndarray, seed: int) -> Learned:
    """Fit the models to the labels of some rows of the pool."""
    classes, code = np.unique(one.y[labeled], return_inverse=True)
    if len(classes) < 2:
        nothing = (np.zeros((0, len(one.rows), 1)), np.zeros((0, len(one.test), 1)))
        return Learned(one.n_classes, classes, code, nothing, np.zeros(0))
    count = np.bincount(code).astype(float)
    models = {
        name: (form, model.set_params(**({"random_state": seed} if name == EXTRA_TREES else {})))
        for name, (form, model) in MODELS.items()
    }
    evidence: list[list[np.ndarray]] = [[], []]
    for form, model in models.values():
        model.fit(getattr(one.rows, form)[labeled], code)
        for found, rows in zip(evidence, (one.rows, one.test), strict=True):
            log_probs = class_log_proba(model, getattr(rows, form), np.arange(len(classes)))
            found.append(log_evidence(log_probs, count / count.sum()))
    weights = SHARE * np.array([DEFAULT_WEIGHTS[name] for name in models])
    of_pool, of_test = (np.stack(found) for found in evidence)
    return Learned(one.n_classes, classes, code, (of_pool, of_test), weights)
