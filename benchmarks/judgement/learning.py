"""The probability of harm, learned over cases with a known outcome, and judged on tables left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression

from benchmarks.accuracy import packages
from benchmarks.accuracy.learning import RELATIVES
from benchmarks.judgement.cases import FRESH_SEEDS
from semigen.judgement.prior import LINE, LOG_LABELS, REPEATED, Harm, apart, calibrated, evidence

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

FIRST_SIGN = "seconds"
"""The column of the file after which the signs begin."""
CLEAR = 2.0
"""Standard errors by which test rows decide a case."""
BLIND = (
    "t", "difference", "t of Brier", "t against logistic", "accuracy change", "accuracy before",
    "surprise", "surprise in points",
)  # fmt: skip
"""Signs that need held-out labels."""
N_TREES, N_BLIND_TREES, DEPTH, LEAST_OF_LEAF = 100, 50, 10, 8
RIDGE = 0.1
"""Inverse of the ridge of the line's weights."""
TABLE_PARTS = 24
MORE_RELATIVES = {
    "glass0": "MASS fgl", "glass1": "MASS fgl", "glass6": "MASS fgl", "wisconsin": "MASS biopsy",
    "spambase": "DAAG spam7", "ecoli1": "ecoli3", "ecoli-0_vs_1": "ecoli3", "vowel0": "vowel",
    "vehicle1": "vehicle", "segment0": "segment", "new-thyroid2": "new-thyroid1", "yeast1": "yeast3",
    "yeast4": "yeast3", "abalone-3_vs_11": "abalone19", "winequality-white-9_vs_4": "winequality-red-4",
    "kr-vs-k-zero_vs_eight": "kr-vs-k-three_vs_eleven", "page-blocks-1-3_vs_4": "page-blocks0",
    "poker-8-9_vs_5": "poker-9_vs_7", "shuttle-6_vs_2-3": "shuttle-c0-vs-c4",
    "led7digit-0-2-4-5-6-7-8-9_vs_1": "led7digit",
    "kddcup-guess_passwd_vs_satan": "kddcup-buffer_overflow_vs_back",
    "kddcup-land_vs_satan": "kddcup-buffer_overflow_vs_back", "MatchIt lalonde": "wooldridge jtrain3",
    "mlmRev guImmun": "mlmRev guPrenat", "stevedata anes_vote84": "stevedata anes_prochoice",
    "wooldridge loanapp": "AER HMDA",
}  # fmt: skip
"""Of tables that the default weights are not learned from."""
DIGITS = 3


@dataclass(frozen=True)
class Lines:
    """Cases: their signs, and what the test rows say.

    Attributes
    ----------
    rows : list of dict
    names : tuple of str
        Of the signs.
    x : ndarray of shape (n, S)
    group : ndarray of shape (n,)
        The table, or the design with its twin: what is left out together.
    harmful : ndarray of shape (n,), bool
        Whether the log-loss on test rows is higher with the unlabeled rows.
    z : ndarray of shape (n,)
        That change in standard errors.
    known : ndarray of shape (n,), bool
        Cases that may be learned from.
    """

    rows: Sequence[dict[str, str]]
    names: tuple[str, ...]
    x: Array
    group: NDArray[np.str_]
    harmful: Flags
    z: Array
    known: Flags

    def take(self, chosen: Flags) -> Lines:
        """Some of them."""
        rows = [row for row, one in zip(self.rows, chosen, strict=True) if one]
        arrays = (self.group, self.harmful, self.z, self.known)
        return Lines(rows, self.names, self.x[chosen], *(one[chosen] for one in arrays))

    def only(self, names: Sequence[str]) -> Lines:
        """Some of the signs."""
        place = [self.names.index(name) for name in names]
        return replace(self, names=tuple(names), x=self.x[:, place])

    def column(self, name: str) -> NDArray[np.str_]:
        """A column of the file."""
        return np.array([row[name] for row in self.rows])

    def numbers(self, name: str) -> Array:
        """A column of numbers."""
        return self.column(name).astype(float)

    @property
    def clear(self) -> Flags:
        """Which cases the test rows decide."""
        return np.abs(self.z) > CLEAR


def lines(rows: Sequence[dict[str, str]], group: str = "name") -> Lines:
    """All cases, in groups by a column."""
    columns = list(rows[0])
    names = tuple(columns[columns.index(FIRST_SIGN) + 1 :])
    return Lines(
        rows,
        names,
        np.array([[float(row[name]) for name in names] for row in rows]),
        np.array([row[group] for row in rows]),
        *outcomes(rows),
        np.array([_is_known(row) for row in rows]),
    )


def _is_known(row: dict[str, str]) -> bool:
    if row["kind"] == "design":
        return int(row["seed"]) not in FRESH_SEEDS
    return row["name"] not in packages.JUDGED_ONLY | packages.FRESH


def outcomes(rows: Sequence[dict[str, str]], of: str = "") -> tuple[Flags, Array]:
    """Whether the log-loss on test rows rises, and by how many standard errors, (n,) each."""
    change, error = (
        np.array([float(row[f"{of}log_loss_{one}"]) for row in rows]) for one in ("change", "error")
    )
    return change > 0, change / np.maximum(error, 1e-9)


def of_average(data: Lines) -> Lines:
    """The same cases, where harm is that of the average of the models with and without the unlabeled rows."""
    harmful, z = outcomes(data.rows, "average_")
    return replace(data, harmful=harmful, z=z)


def weights(data: Lines, even: Callable[[Lines], Array] | None = None) -> Array:
    """Weights of cases: less where test rows hardly decide, and as :func:`by_group` (or another) has them."""
    weight = np.clip(np.abs(data.z) / CLEAR, 0.0, 1.0) * (even or by_group)(data)
    return np.asarray(weight * len(weight) / weight.sum())


def by_group(data: Lines) -> Array:
    """Less for each case where there are many of a table.

    The factor is the root of their number, between that tables count alike and that cases do.
    """
    _, place, count = np.unique(data.group, return_inverse=True, return_counts=True)
    return np.asarray(1 / np.sqrt(count[place]))


def by_kind(data: Lines) -> Array:
    """The same, and designs, tables (with more of KEEL's) and tables of R packages count alike."""
    weight, kinds = by_group(data), data.column("kind")
    kinds = np.where(kinds == "keel", "table", kinds)
    for kind in np.unique(kinds):
        weight[kinds == kind] /= weight[kinds == kind].sum()
    return np.asarray(weight * len(weight) / weight.sum())


@dataclass(frozen=True)
class Grown:
    """Small extremely randomized trees (Geurts, Ernst & Wehenkel 2006, *Machine Learning* 63:3) and a line.

    What they learn is no yes or no but ``1 / (1 + exp(-z))``: near ½ where test rows hardly decide a case.
    """

    trees: ExtraTreesRegressor
    line: LogisticRegression
    center: Array
    spread: Array

    def predict(self, x: Array) -> Array:
        """Their means, (n,)."""
        of_line = self.line.predict_proba(apart(x, self.center, self.spread))[:, 1]
        return np.asarray((1 - LINE) * self.trees.predict(x) + LINE * of_line)


def grow(data: Lines, n_trees: int) -> Grown:
    """Learn from all of the cases."""
    weight, target = by_kind(data), expit(data.z)
    trees = ExtraTreesRegressor(
        n_trees, max_depth=DEPTH, min_samples_leaf=LEAST_OF_LEAF, max_features=0.6, random_state=0
    ).fit(data.x, target, sample_weight=weight)
    center, spread = np.median(data.x, axis=0), np.maximum(data.x.std(axis=0), 1e-3)
    x = apart(data.x, center, spread)
    line = LogisticRegression(C=RIDGE, max_iter=500).fit(
        np.vstack([x, x]),
        np.repeat([True, False], len(x)),
        sample_weight=np.concatenate([weight * target, weight * (1 - target)]),
    )
    return Grown(trees, line, center, spread)


def plain(model: Grown, names: Sequence[str]) -> Harm:
    """A model as small plain numbers."""
    trees = [one.tree_ for one in model.trees.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    sign = np.concatenate([np.where(tree.children_left < 0, -1, tree.feature) for tree in trees])
    share = np.concatenate([tree.value[:, 0, 0] for tree in trees])
    limit = np.concatenate([tree.threshold for tree in trees])
    left, right = (
        np.concatenate([getattr(t, f"children_{side}") + root for t, root in zip(trees, roots, strict=True)])
        for side in ("left", "right")
    )
    inner = np.flatnonzero(sign >= 0)
    if not np.array_equal(left[inner], inner + 1):
        raise RuntimeError("scikit-learn numbers nodes in another order than depth first.")
    return Harm(
        names,
        roots.tolist(),
        sign.tolist(),
        np.where(sign < 0, share, limit).round(DIGITS).tolist(),
        np.where(sign < 0, 0, right).tolist(),
        *(one.round(DIGITS).tolist() for one in (model.center, model.spread, model.line.coef_[0])),
        round(float(model.line.intercept_[0]), DIGITS),
    )


def parts(data: Lines) -> NDArray[np.str_]:
    """What is left out together, (n,): a design with its twin or a draw, and tables in ``TABLE_PARTS`` parts.

    Tables of one source, such as two thresholds of one target, are in one part.
    """
    if not np.array_equal(data.group, data.column("name")):
        return data.group
    kind = dict(zip(data.group.tolist(), data.column("kind").tolist(), strict=True))
    relatives = RELATIVES | MORE_RELATIVES
    source = {name: relatives.get(name, name) for name in kind if kind[name] != "design"}
    place = {name: i % TABLE_PARTS for i, name in enumerate(sorted(set(source.values())))}
    return np.array([f"part {place[source[one]]}" if one in source else one for one in data.group.tolist()])


def left_out_means(data: Lines, n_trees: int = N_TREES) -> Array:
    """The means of models that were grown without the design or table of each case, (n,)."""
    part, found = parts(data), np.empty(len(data.rows))
    for one in np.unique(part):
        out = part == one
        found[out] = grow(data.take(~out & data.known), n_trees).predict(data.x[out])
    return found


def seen(data: Lines, means: Array) -> Array:
    """What is calibrated, (n, 4)."""
    return evidence(means, data.numbers(LOG_LABELS), data.numbers(REPEATED))


def calibration(data: Lines, means: Array) -> list[float]:
    """Intercept and weights of what is calibrated."""
    model = LogisticRegression(C=10.0, max_iter=500)
    model.fit(seen(data, means), data.harmful, sample_weight=weights(data, by_kind))
    return [float(model.intercept_[0]), *model.coef_[0].tolist()]


def left_out(data: Lines, n_trees: int = N_TREES) -> tuple[Array, Array]:
    """Probabilities of harm of full weight and of the average, learned without the table, (n,) each."""
    means, found = left_out_means(data, n_trees), (np.empty(len(data.rows)), np.empty(len(data.rows)))
    part = parts(data)
    for harm, outcome in zip(found, (data, of_average(data)), strict=True):
        for one in np.unique(part):
            out = part == one
            others = ~out & data.known
            harm[out] = calibrated(
                seen(data.take(out), means[out]), calibration(outcome.take(others), means[others])
            )
    return found


def everything(rows: Sequence[dict[str, str]]) -> dict[str, Harm]:
    """What the package keeps: with held-out labels and without."""
    data = lines(rows)
    data = data.take(data.known)
    blind = data.only([one for one in data.names if one not in BLIND])
    found = {}
    for name, each, n_trees in (("held out", data, N_TREES), ("blind", blind, N_BLIND_TREES)):
        means = left_out_means(each, n_trees)
        own, average = (
            [round(number, DIGITS) for number in calibration(one, means)] for one in (each, of_average(each))
        )
        found[name] = replace(plain(grow(each, n_trees), each.names), calibration=own, of_average=average)
    return found


def save(found: dict[str, Harm], path: Path) -> None:
    """Write small plain numbers, a line for each model."""
    plain = {
        name: json.dumps(one.to_dict(), ensure_ascii=False, separators=(",", ":"))
        for name, one in found.items()
    }
    text = ",\n".join(f'"{name}":{one}' for name, one in plain.items())
    path.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
