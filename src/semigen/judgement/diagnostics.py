"""How well a fit agrees with the rows: pure functions of rows, labels and fits."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.stats import ks_2samp, rankdata
from sklearn.base import clone

from semigen.columns import ReadTable, missing_columns
from semigen.data.blocks import Data
from semigen.data.labels import Labels
from semigen.em import Mixture, Params, log_joint
from semigen.estimators.classifiers import RidgeLogistic
from semigen.exceptions import ConvergenceWarning, ParameterError
from semigen.mixture import MixtureClassifier

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

N_SIMULATED = 40
"""Tables of labeled rows that are drawn from a fit to see how its own rows would look."""
MOST_COMPARED = 600
"""Unlabeled rows that are told from the labeled ones."""
COMPONENTS, SHAPE, TAILS = "three components per class", "correlated columns", "heavier tails"
FREER: dict[str, dict[str, Any]] = {
    COMPONENTS: {"components_per_class": 3},
    SHAPE: {"covariance": "full"},
    TAILS: {"family": "student_t"},
}
"""What a freer mixture is free to have, and the settings of it."""
MOST_COLUMNS, N_DRAWN, LEAST_CELLS = 200, 2000, 20
"""Columns that are looked at, rows that are drawn, values of a column that say something."""
MOST_NATS = 3.0
"""More is counted as so much, or one outlier would outweigh all other rows."""
LEAST_LOG = -1e6
LEAST_SPREAD = 0.02
"""Nats: a smaller spread of a mean log probability is no evidence."""


@dataclass(frozen=True)
class Gain:
    """How much better one density describes rows than another.

    Attributes
    ----------
    mean : float
        Nats per row.
    error : float
        Its standard error.
    n_rows : int
    """

    mean: float
    error: float
    n_rows: int

    @property
    def z(self) -> float:
        """Mean in standard errors."""
        return self.mean / max(self.error, 1e-9)


@dataclass(frozen=True)
class Told:
    """How well two groups of rows can be told apart.

    Attributes
    ----------
    auc : float
        Area under the ROC curve on rows that were left out; 0.5 where they are alike.
    error : float
        Its standard deviation where they are alike.
    """

    auc: float
    error: float

    @property
    def z(self) -> float:
        """Distance from 0.5 in standard deviations."""
        return (self.auc - 0.5) / self.error


def draw_like(
    mixture: Mixture, params: Params, code: Rows, rng: np.random.Generator, seen: Any = None
) -> Any:
    """Rows of the given classes from a fit, one for each code, with the gaps of rows that were ``seen``."""
    within = np.exp(params.log_within)
    components = np.empty(len(code), dtype=np.intp)
    for k in np.unique(code):
        mine, own = np.flatnonzero(code == k), np.flatnonzero(mixture.group == k)
        components[mine] = rng.choice(own, len(mine), p=within[own] / within[own].sum())
    drawn = mixture.family.sample(params.family, components, rng)
    if seen is not None and not issparse(seen):
        drawn[np.isnan(seen)] = np.nan
    return drawn


def simulated(
    fit: MixtureClassifier, seen: Any, joint: Array, code: Rows, rng: np.random.Generator
) -> tuple[float, float]:
    """How labeled rows look to a fit, beside labeled rows drawn from it: two z-values.

    Of the mean log p(x, y) and of the mean log p(y | x): negative where the labeled rows are less probable
    than rows of the model would be (a parametric bootstrap with ``N_SIMULATED`` tables of the same classes).

    Parameters
    ----------
    fit : MixtureClassifier
    seen : ndarray or csr_array of shape (m, D)
        The labeled rows.
    joint : ndarray of shape (m, K)
        Their log p(x, class).
    code : ndarray of shape (m,)
        Their classes.
    rng : Generator
    """
    mixture, params = fit.mixture_, fit.params_
    many = np.tile(code, N_SIMULATED)
    gaps = None if issparse(seen) else np.tile(seen, (N_SIMULATED, 1))
    rows = draw_like(mixture, params, many, rng, gaps)
    drawn = log_joint(mixture, params, Data.unlabeled(rows, missing_columns(rows)))
    drawn = drawn[:, : joint.shape[1]]
    of_drawn, of_seen = drawn[np.arange(len(many)), many], joint[np.arange(len(code)), code]
    return (
        _z(of_seen, of_drawn),
        _z(of_seen - np.logaddexp.reduce(joint, axis=1), of_drawn - np.logaddexp.reduce(drawn, axis=1)),
    )


def _z(seen: Array, drawn: Array) -> float:
    means = np.maximum(drawn, LEAST_LOG).reshape(N_SIMULATED, -1).mean(axis=1)
    spread = max(float(means.std()), LEAST_SPREAD)
    return (float(np.maximum(seen, LEAST_LOG).mean()) - float(means.mean())) / spread


@dataclass(frozen=True, eq=False)
class Half:
    """A mixture with λ = 1 fitted to the labeled and every other unlabeled row; the others judge it.

    Attributes
    ----------
    model : MixtureClassifier
    fitted, left_out : ReadTable
    labels : Labels
        Of the fitted rows.
    log_density : ndarray
        Log p(x) of the rows left out, nats.
    """

    model: MixtureClassifier
    fitted: ReadTable
    left_out: ReadTable
    labels: Labels
    log_density: Array

    @classmethod
    def of(cls, fit: MixtureClassifier, table: ReadTable, labels: Labels, random_state: int) -> Self | None:
        """Fit it as a mixture was; None where fewer than two rows would be left out."""
        rest = np.flatnonzero(~labels.is_labeled)
        kept, out = np.concatenate([np.flatnonzero(labels.is_labeled), rest[::2]]), rest[1::2]
        if len(out) < 2:
            return None
        model = clone(fit).set_params(
            calibrate=1.0,
            unlabeled_weight=1.0,
            covariance="full" if fit.covariance == "auto" else fit.covariance,
            random_state=random_state,
        )
        known = labels.take(kept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(table[kept], known)
        return cls(model, table[kept], table[out], known, model.score_samples(table[out]))

    def gain(self, log_density: Array) -> Gain:
        """How much better another density describes the rows left out."""
        change = np.clip(log_density - self.log_density, -MOST_NATS, MOST_NATS)
        return Gain(float(change.mean()), float(change.std() / np.sqrt(len(change))), len(change))


def freer_densities(half: Half) -> dict[str, Gain]:
    """How much better freer mixtures describe unlabeled rows that none of them has seen.

    ``FREER`` says what is free in each, where the model leaves it open.
    """
    gaussian = getattr(half.model.mixture_.family, "name", "") == "gaussian"
    found = {}
    for name, settings in FREER.items():
        if name != COMPONENTS and (not gaussian or settings.get("covariance") == half.model.covariance):
            continue
        model = clone(half.model).set_params(**settings)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(half.fitted, half.labels)
        except ParameterError:  # fewer rows than components to start from
            continue
        found[name] = half.gain(model.score_samples(half.left_out))
    return found


def tell_apart(plain: Any, labeled: Rows, unlabeled: Rows, rng: np.random.Generator) -> Told:
    """Whether labeled rows can be told from unlabeled ones.

    By logistic regression on the columns and their squares, on rows that were left out, in five folds.
    """
    some = unlabeled
    if len(some) > MOST_COMPARED:
        some = np.sort(rng.choice(unlabeled, MOST_COMPARED, replace=False))
    rows = np.concatenate([labeled, some])
    side = np.repeat([1, 0], [len(labeled), len(some)])
    x = plain[rows]
    if not issparse(x):
        x = np.hstack([x, x**2 - (x**2).mean(axis=0)])
    fold = np.empty(len(rows), dtype=np.intp)
    for part in (0, 1):
        mine = np.flatnonzero(side == part)
        fold[mine] = rng.permutation(len(mine)) % 5
    n_one, n_zero = len(labeled), len(some)
    error = float(np.sqrt((n_one + n_zero + 1) / (12 * max(n_one * n_zero, 1))))
    if min(n_one, n_zero) < 2:
        return Told(0.5, error)
    weight = np.where(side == 1, len(rows) / n_one, len(rows) / n_zero) / 2
    score = np.zeros(len(rows))
    for one in range(5):
        out = fold == one
        model = RidgeLogistic(0.1).fit(x[~out], side[~out], sample_weight=weight[~out])
        score[out] = rankdata(model.predict_proba(x[out])[:, 1]) / max(out.sum(), 1)
    rank = rankdata(score)
    auc = (rank[side == 1].sum() - n_one * (n_one + 1) / 2) / (n_one * n_zero)
    return Told(float(auc), error)


def column_shift(plain: Any, labeled: Rows, unlabeled: Rows) -> tuple[float, float]:
    """The largest shift of a column's mean, and of its spread, between labeled and unlabeled rows.

    Both in standard errors, less what the largest of as many columns has by chance; at least 0, and 0 for
    sparse rows.
    """
    if issparse(plain) or len(labeled) < 3 or len(unlabeled) < 3:
        return 0.0, 0.0
    few, many = plain[labeled], plain[unlabeled]
    spread = many.std(axis=0)
    varies = spread > 1e-9
    if not varies.any():
        return 0.0, 0.0
    few, many, spread = few[:, varies], many[:, varies], spread[varies]
    # rare words vary too little among unlabeled rows alone
    error = plain[:, varies].std(axis=0) * np.sqrt(1 / len(labeled) + 1 / len(unlabeled))
    of_mean = np.abs(few.mean(axis=0) - many.mean(axis=0)) / error
    ratio = np.log(np.maximum(few.std(axis=0, ddof=1), 1e-3 * spread) / spread)
    of_spread = np.abs(ratio) * np.sqrt(2 * (len(labeled) - 1))
    chance = np.sqrt(2 * np.log(2 * len(spread)))
    means, spreads = (float(np.clip(one.max() - chance, 0.0, 20.0)) for one in (of_mean, of_spread))
    return means, spreads


@dataclass(frozen=True)
class ColumnFit:
    """How far a column is from the same column of rows drawn from a fit.

    Attributes
    ----------
    column : str
    distance : float
        Largest distance of the two distribution functions, or total variation of the shares of levels.
    p_value : float
        Of the Kolmogorov-Smirnov test; 0 for levels.
    """

    column: str
    distance: float
    p_value: float


def worst_columns(fit: MixtureClassifier, table: ReadTable, rng: np.random.Generator) -> list[ColumnFit]:
    """The columns whose distribution differs most from that of rows drawn from a fit, the worst first."""
    if issparse(table.matrix):
        return []
    n_classes = fit.mixture_.n_classes
    shares = np.exp(fit.params_.log_group[0][:n_classes])
    code = rng.choice(n_classes, N_DRAWN, p=shares / shares.sum())
    drawn = np.asarray(draw_like(fit.mixture_, fit.params_, code, rng), dtype=np.float64)
    rows, found = np.asarray(table.matrix, dtype=np.float64), []
    for j in range(min(drawn.shape[1], MOST_COLUMNS)):
        seen, model = rows[:, j][~np.isnan(rows[:, j])], drawn[:, j]
        if len(seen) < LEAST_CELLS:
            continue
        if table.schema.kinds[j] in ("category", "flag"):
            levels = np.union1d(seen, model)
            share = [np.array([(side == one).mean() for one in levels]) for side in (seen, model)]
            distance, p_value = float(np.abs(share[0] - share[1]).sum() / 2), 0.0
        else:
            whole = (seen == np.round(seen)).all()  # of whole numbers a density knows the range
            test = ks_2samp(seen, np.round(model) if whole else model)
            distance, p_value = float(test.statistic), float(test.pvalue)
        found.append(ColumnFit(str(table.schema.source(j)), distance, p_value))
    return sorted(found, key=lambda one: -one.distance)
