"""Default weights of AutoClassifier's models, learned over mixed and bundled tables and the SSL book's sets.

For fixed models the mean log-loss of the test rows over log K is convex in the weights. Tables whose classes
are shuffled among the rows are among those learned from, so that weights are as large as is right without
knowing whether the columns carry anything. No table is judged with weights that were learned on it or on its
relatives.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.accuracy import bank, mixed, packages
from benchmarks.accuracy.bank import Entry
from benchmarks.accuracy.splits import BOOK, SUITES, TABLES, Cell
from benchmarks.markdown import table
from semigen.ensemble.auto import RIDGE
from semigen.ensemble.defaults import (
    AXES,
    DEFAULT_WEIGHTS,
    SUPERVISED,
    SUPERVISED_MIXTURE,
    default_weights,
    for_columns,
)
from semigen.ensemble.held_out import pooled

Array = NDArray[np.float64]
Weights = dict[str, float]
Place = tuple[str, str, int]
"""Suite, data set and labels."""

FILE = Path(__file__).resolve().parent / "results" / "weights.json"
HARM = Path(__file__).resolve().parents[1] / "judgement" / "results" / "harm.json"
"""Coefficients of the probability that unlabeled rows hurt (``python -m benchmarks.judgement.ensembles``)."""
LEARNED = tuple(name for name in DEFAULT_WEIGHTS if name != SUPERVISED_MIXTURE)
"""Models whose weights are learned. The other one has none until held-out labels give it one."""
LEARNED_FROM = 300
"""Test rows of a fit that weights are learned from."""
CAUTION = 0.8
"""Factor of the learned weights: held-out labels make an ensemble surer where it deserves that, but a few of
them do not make it less sure."""
DOCUMENTS = ("Text", "newsgroups")
"""Sparse rows: their models and weights are others."""
DENSE = tuple(name for name in BOOK if name not in DOCUMENTS)
FITS = {
    "mixed": (*mixed.TABLES, *mixed.SHUFFLED_TO_LEARN),
    "tables": tuple(TABLES),
    "sslbook": DENSE,
}
"""By suite the data sets that weights are learned from, one seed of each."""
RELATIVES = {
    "crx": "australian",
    "abalone9-18": "abalone19",
    "car-vgood": "car-good",
    "yeast6": "yeast3",
    "cleveland-0_vs_4": "heart",
    "g241d": "g241c",
    "digits": "optdigits",
    "dslabs brca": "wdbc",
    "carData TitanicSurvival": "titanic",
    "openintro births14": "openintro ncbirths",
}
"""Data sets of the same source or kind."""
SOURCES = (*mixed.TABLES, *TABLES, *BOOK, *packages.TABLES)
N_GROUPS = 8
"""Of data sets; weights for a group are learned on the others."""


def group(data: str) -> int:
    """The group of a data set."""
    name = data.removeprefix(mixed.SHUFFLED)
    return SOURCES.index(RELATIVES.get(name, name)) % N_GROUPS


def judged(suite: str, cell: Cell) -> tuple[NDArray[np.intp], Array, float]:
    """Classes, probabilities of the test rows and seconds, with weights learned on other data sets."""
    found = bank.entry(suite, cell.data, cell.L, cell.seed)
    if AXES in found.names:
        classes, columns = len(found.classes), found.n_features
        weights = default_weights(sparse=True, n_features=columns, n_classes=classes)
    else:
        weights = for_columns(learned_without(cell.data), found.n_features)
    harm = learned_without(cell.data, HARM)
    return found.classes, found.probabilities(weights, harm=harm), found.seconds


def shares(suite: str, cell: Cell) -> tuple[NDArray[np.intp], Array, float]:
    """The class shares that AutoClassifier assumes, for every test row."""
    found = bank.entry(suite, cell.data, cell.L, cell.seed)
    return found.classes, np.tile(np.exp(found.log_prior), (len(found.code), 1)), found.seconds


def learned_without(data: str, file: Path = FILE) -> Any:
    """What was learned on other data sets than this one and its relatives: default weights, or ``HARM``."""
    found = _written(file)
    seen_by_none = data in packages.JUDGED_ONLY | packages.UNSEEN or data in DOCUMENTS
    return found["all"] if seen_by_none else found["without group"][group(data)]


@cache
def _written(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def write(file: Path, learned: Any, without: Sequence[Any]) -> None:
    """Write what was learned on all data sets, and without each group of them."""
    found = {"all": learned, "without group": list(without)}
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def learn(entries: Iterable[Entry], models: Collection[str] | None = None) -> Weights:
    """Weights ≥ 0 of some models that minimize the mean over the fits of the test log-loss over log K.

    A model that a fit lacks says nothing.
    """
    entries = list(entries)
    known = dict.fromkeys(name for one in entries for name in one.names.tolist())
    names = [name for name in known if models is None or name in models]
    shares = [
        np.array(list(for_columns(dict.fromkeys(names, 1.0), one.n_features).values())) for one in entries
    ]
    said = [_of(one, names) for one in entries]

    def loss(weights: Array) -> tuple[float, Array]:
        total, gradient = 0.0, np.zeros(len(weights))
        for one, share, evidence in zip(entries, shares, said, strict=True):
            code = one.code[:LEARNED_FROM]
            rows = np.arange(len(code))
            log_probs = pooled(one.log_prior, evidence, share * weights)
            expected = (np.exp(log_probs) * evidence).sum(axis=2)
            scale = 1 / (len(code) * np.log(len(one.log_prior)) * len(entries))
            total -= scale * log_probs[rows, code].sum()
            gradient += scale * share * (expected - evidence[:, rows, code]).sum(axis=1)
        return total, gradient

    start = np.full(len(names), 1 / len(names))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(names)).x
    return dict(zip(names, found.tolist(), strict=True))


def _of(one: Entry, names: Sequence[str]) -> Array:
    """Evidence of some models for the rows that weights are learned from, (M, n, K)."""
    places = {name: place for place, name in enumerate(one.names.tolist())}
    evidence = one.evidence[:, :LEARNED_FROM].astype(np.float64)
    none = np.zeros(evidence.shape[1:])
    return np.stack([evidence[places[name]] if name in places else none for name in names])


def page(data: Collection[str]) -> str:
    """Learn weights, write those for each group of data sets, and say what they are worth."""
    places = [
        (suite, name, n_labeled)
        for suite, names in FITS.items()
        for name in names
        if (not data or name in data) and not SUITES[suite].problem(name)
        for n_labeled in SUITES[suite].labels
    ]
    if not places:
        return f"No table of the suite is in {mixed.VARIABLE} or beside the project: nothing to learn from."
    entries = {place: bank.entry(*place, seed=0) for place in places}
    weights, alone = _cautious(entries.values()), learn(entries.values(), SUPERVISED)
    others = [
        _cautious(one for place, one in entries.items() if group(place[1]) != left_out)
        for left_out in range(N_GROUPS)
    ]
    write(FILE, weights, others)
    cells = sorted({(suite, n_labeled) for suite, _, n_labeled in entries})
    return "\n".join(
        [
            "## Weights",
            "",
            table(
                ["model", "weight", "of the supervised models alone"],
                [
                    [name, f"{w:.3f}", f"{alone[name]:.3f}" if name in alone else "–"]
                    for name, w in weights.items()
                ],
            ),
            "",
            "## With weights learned on other data sets; shuffled: log-loss above that of the class shares",
            "",
            table(
                ["suite, labels", "ridge", "log-loss", "error", "shuffled"],
                [_judged(entries, others, *cell, f * RIDGE) for cell in cells for f in (0.5, 1.0, 2.0)],
            ),
        ]
    )


def _cautious(entries: Iterable[Entry]) -> Weights:
    learned = learn(entries, LEARNED)
    return {name: CAUTION * learned.get(name, 0.0) for name in DEFAULT_WEIGHTS}


def _judged(
    entries: Mapping[Place, Entry], weights: Sequence[Weights], suite: str, n_labeled: int, ridge: float
) -> list[str]:
    losses, apart = [], []
    for (of_suite, data, n), one in entries.items():
        if (of_suite, n) == (suite, n_labeled):
            start = for_columns(weights[group(data)], one.n_features)
            found = one.losses(one.probabilities(start, ridge))
            shares = np.tile(np.exp(one.log_prior), (len(one.code), 1))
            if data in mixed.SHUFFLED_TO_LEARN:
                apart.append(found[0] - one.losses(shares)[0])
            else:
                losses.append(found)
    log_loss, error = np.mean(losses, axis=0)
    shuffled = f"{np.mean(apart):+.4f}" if apart else "–"
    return [f"{suite}, {n_labeled}", f"{ridge:g}", f"{log_loss:.4f}", f"{error:.4f}", shuffled]
