"""Who asks: chance, margin sampling, semigen, scikit-activeml's strategies, and CatBoost for itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from benchmarks.querying import learner
from benchmarks.querying.learner import Pool
from semigen.judgement.information import closeness, most_informative
from semigen.judgement.peers import ask_strategy

FIRST = 10
"""Labels drawn at random for those who have no way to begin; the same rows for all of them."""
RANDOM, OURS, MARGIN, CATBOOST = "random", "semigen.query", "margin", "CatBoost, margin"
UNCERTAIN, DISCRIMINATIVE, COVER = "skactiveml uncertainty", "skactiveml discriminative", "semigen cover"

Probabilities = tuple[np.ndarray, np.ndarray]
Ask = Callable[[Pool, np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray]


def _rest(pool: Pool, labeled: np.ndarray) -> np.ndarray:
    return np.setdiff1d(np.arange(len(pool.y)), labeled)


def random(
    pool: Pool, labeled: np.ndarray, probs: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Any rows."""
    return rng.permutation(_rest(pool, labeled))[:n]


def _knows_two(pool: Pool, labeled: np.ndarray) -> bool:
    return len(np.unique(pool.y[labeled])) > 1


def begun(ask: Ask) -> Ask:
    """A strategy that begins with random rows, ``FIRST`` of them or until two classes are seen."""

    def go(
        pool: Pool, labeled: np.ndarray, probs: np.ndarray, n: int, rng: np.random.Generator
    ) -> np.ndarray:
        if len(labeled) < FIRST or not _knows_two(pool, labeled):
            return random(pool, labeled, probs, n, rng)
        return ask(pool, labeled, probs, n, rng)

    return go


def margin(
    pool: Pool, labeled: np.ndarray, probs: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """The rows whose two most probable classes are closest."""
    rows = rng.permutation(_rest(pool, labeled))
    return rows[np.argsort(-closeness(probs[rows]), kind="stable")[:n]]


def ours(pool: Pool, labeled: np.ndarray, probs: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """What ``semigen.query`` does, from the first label on."""
    uncertain = closeness(probs) if _knows_two(pool, labeled) else np.ones(len(pool.y))
    return _informative(pool, labeled, uncertain, n)


def cover(pool: Pool, labeled: np.ndarray, probs: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """The same with equal uncertainty."""
    return _informative(pool, labeled, np.ones(len(pool.y)), n)


def _informative(pool: Pool, labeled: np.ndarray, uncertain: np.ndarray, n: int) -> np.ndarray:
    weight = np.ones(len(pool.y))
    weight[labeled] = 0
    return most_informative(pool.features, uncertain, labeled, _rest(pool, labeled), weight, n).rows


def activeml(name: str) -> Ask:
    """A strategy of scikit-activeml through the adapter of ``semigen.query``."""

    def go(
        pool: Pool, labeled: np.ndarray, probs: np.ndarray, n: int, rng: np.random.Generator
    ) -> np.ndarray:
        import skactiveml.pool

        strategy = getattr(skactiveml.pool, name)(missing_label=np.nan, random_state=int(rng.integers(2**31)))
        code = np.full(len(pool.y), -1)
        code[labeled] = pool.y[labeled]
        return ask_strategy(strategy, pool.features, probs, code, _rest(pool, labeled), n)[0]

    return go


def catboost(pool: Pool, labeled: np.ndarray, seed: int) -> Probabilities:
    """Class probabilities of CatBoost on the columns as they are."""
    from catboost import CatBoostClassifier

    X, X_test = pool.native
    words = list(X.select_dtypes(exclude="number"))
    X, X_test = (
        rows.assign(**{name: rows[name].astype(object).fillna("").astype(str) for name in words})
        for rows in (X, X_test)
    )
    result = [np.zeros((len(rows), pool.n_classes)) for rows in (X, X_test)]
    classes = np.unique(pool.y[labeled])
    if len(classes) < 2:
        for probs in result:
            probs[:, classes] = 1.0
        return result[0], result[1]
    model = CatBoostClassifier(
        iterations=200,
        verbose=0,
        random_seed=seed,
        cat_features=words,
        thread_count=1,
        allow_writing_files=False,
    ).fit(X.iloc[labeled], pool.y[labeled])
    for probs, rows in zip(result, (X, X_test), strict=True):
        probs[:, classes] = model.predict_proba(rows)
    return result[0], result[1]


Contender = tuple[Ask, Callable[[Pool, np.ndarray, int], Probabilities], str]
CONTENDERS: dict[str, Contender] = {
    RANDOM: (random, learner.fit, ""),
    MARGIN: (begun(margin), learner.fit, ""),
    OURS: (ours, learner.fit, ""),
    COVER: (cover, learner.fit, ""),
    UNCERTAIN: (begun(activeml("UncertaintySampling")), learner.fit, "skactiveml"),
    DISCRIMINATIVE: (begun(activeml("DiscriminativeAL")), learner.fit, "skactiveml"),
    CATBOOST: (begun(margin), catboost, "catboost"),
}
"""How each asks, the classifier that learns, and the package that it needs."""


def installed(names: list[str]) -> tuple[list[str], list[str]]:
    """Contenders that can run here, and those whose package is missing."""
    there = [name for name in names if not CONTENDERS[name][2] or find_spec(CONTENDERS[name][2])]
    return there, [name for name in names if name not in there]
