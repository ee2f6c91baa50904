"""A table with columns of every kind, holes and known truth, beside the Bayes rule on the same cells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading

from benchmarks.columns.fits import HEADLINE, Fits, Study, mean_sd, paragraph, percent, targets
from benchmarks.markdown import table
from semigen.datasets import MixedTable, make_mixed
from semigen.mixture import MixtureClassifier

POISSON = {"count": "poisson"}
MODELS: dict[str, dict[str, Any]] = {
    f"auto {HEADLINE}": {"covariance": HEADLINE},
    f"Poisson counts, {HEADLINE}": {"family": POISSON, "covariance": HEADLINE},
    "auto full": {"covariance": "full"},
    f"auto {HEADLINE}, λ=0": {"covariance": HEADLINE, "unlabeled_weight": 0},
}
TRUE = f"Poisson counts, {HEADLINE}"
"""The model that the rows are drawn from."""
ALL_LABELS = f"{TRUE}, all rows labeled"
FOREST = partial(RandomForestClassifier, random_state=0)
PEERS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "SimpleImputer, random forest": (SimpleImputer, FOREST),
    "SimpleImputer, logistic regression": (SimpleImputer, LogisticRegression),
    "IterativeImputer, random forest": (IterativeImputer, FOREST),
    "IterativeImputer, logistic regression": (IterativeImputer, LogisticRegression),
    # 1 / number of columns: the best of gamma 20 (the default), 0.5 and 0.1, and of nearest neighbors
    "IterativeImputer, LabelSpreading": (IterativeImputer, partial(LabelSpreading, gamma=1 / 12)),
}
PARAMETERS = {
    "mean": "means, sd",
    "covariance": "covariance, sd²",
    "levels": "level probabilities",
    "rate": "rates",
    "flag": "flag probabilities",
}


def fits(seeds: int) -> Iterator[dict[str, Any]]:
    for seed in range(seeds):
        data = make_mixed(random_state=seed)
        unlabeled = np.array([label is None for label in data.y])

        def record(
            model: str,
            predicted: NDArray[Any],
            begin: float,
            recovered: dict[str, float],
            data: MixedTable = data,
            hidden: NDArray[np.bool_] = unlabeled,
            seed: int = seed,
        ) -> dict[str, Any]:
            return {
                "model": model,
                "seed": seed,
                "err": percent(np.mean((predicted != data.y_true)[hidden])),
                "bayes": percent(np.mean((data.posterior.argmax(axis=1) != data.y_true)[hidden])),
                "seconds": round(time.perf_counter() - begin, 3),
                **{name: round(recovered.get(name, np.nan), 5) for name in PARAMETERS},
            }

        for name, settings in {**MODELS, ALL_LABELS: MODELS[TRUE]}.items():
            begin = time.perf_counter()
            model = MixtureClassifier(**settings)
            model.fit(data.frame, data.y_true if name == ALL_LABELS else data.y)
            predicted = model.predict(data.frame)
            recovered = _recovered(model, data) if name in (TRUE, ALL_LABELS) else {}
            yield record(name, predicted, begin, recovered)
        for name, (imputer, peer) in PEERS.items():
            begin = time.perf_counter()
            yield record(name, _predict(data, unlabeled, imputer(), peer()), begin, {})


def _predict(data: MixedTable, unlabeled: NDArray[np.bool_], imputer: Any, peer: Any) -> NDArray[Any]:
    """Categories one-hot, holes filled from all rows, columns standardized, the peer fitted."""
    columns = []
    for name in data.frame.columns:
        cells = data.frame[name]
        if name in ("color", "size"):
            columns.append(pd.get_dummies(cells).astype(float).where(cells.notna()))
        else:
            columns.append(cells.astype(float))
    X = StandardScaler().fit_transform(imputer.fit_transform(pd.concat(columns, axis=1).to_numpy()))
    if isinstance(peer, LabelSpreading):
        peer.fit(X, np.where(unlabeled, -1, data.y_true))
    else:
        peer.fit(X[~unlabeled], data.y_true[~unlabeled])
    return np.asarray(peer.predict(X))


def _recovered(model: MixtureClassifier, data: MixedTable) -> dict[str, float]:
    """Largest error of each kind of parameter."""
    truth = data.truth
    by_family = {block["family"]: block for block in model.component_parameters_["blocks"]}
    numbers, categories = by_family["gaussian"], by_family["categorical"]
    deviation = np.sqrt(np.diag(truth.covariance))
    pairs = {
        "mean": (numbers["mean"] / deviation, truth.means / deviation),
        "covariance": (
            numbers["covariance"][0] / np.outer(deviation, deviation),
            truth.covariance / np.outer(deviation, deviation),
        ),
        "levels": (np.hstack(categories["probability"]), np.hstack(truth.level_probabilities)),
        "rate": (by_family["poisson"]["mean"][:, 0], truth.rates),
        "flag": (by_family["bernoulli"]["mean"][:, 0], truth.flag_probabilities),
    }
    return {name: float(np.abs(seen - true).max()) for name, (seen, true) in pairs.items()}


def page(found: Fits) -> list[str]:
    lines = [["Bayes rule", mean_sd(found.values("bayes", model=TRUE)), "—", "—"]]
    for model in found.distinct("model"):
        mine = found.where(model=model)
        error = mine.values("err")
        extra = mean_sd(error - mine.values("bayes"), sign="+")
        lines.append([model, mean_sd(error), extra, f"{mine.values('seconds').mean():.2f}"])
    recovery = [
        [model, *(mean_sd(found.values(name, model=model), 3) for name in PARAMETERS)]
        for model in (TRUE, ALL_LABELS)
    ]
    auto = found.where(model=f"auto {HEADLINE}")
    excess = auto.values("err") - auto.values("bayes")
    seen = {
        name: (found.values(name, model=TRUE), found.values(name, model=ALL_LABELS)) for name in PARAMETERS
    }
    worst = max(seen, key=lambda name: seen[name][0].mean() / seen[name][1].mean())
    ratio = float(seen[worst][0].mean() / seen[worst][1].mean())
    return [
        paragraph(
            """`make_mixed()`: 3 Gaussian columns, 2 categories, 1 count, 1 flag; 15 % of the values missing;
            4 classes, 5 labels each, 5,000 unlabeled rows, which are judged. The Bayes rule knows the density
            and sees the same values. Peers get one-hot categories, missing values imputed from all rows,
            and standardized columns; random forest and logistic regression learn from the labeled rows."""
        ),
        "",
        *targets(
            [
                (
                    f"error at most 1 point above the Bayes rule's (auto {HEADLINE}, λ=1)",
                    mean_sd(excess, sign="+"),
                    bool(excess.mean() <= 1),
                ),
                (
                    "parameters recovered: largest error at most twice that of a fit with all labels",
                    f"{ratio:.2f} times ({PARAMETERS[worst]})",
                    ratio <= 2,
                ),
            ]
        ),
        table(["model", "error", "above the Bayes rule", "s"], lines),
        "",
        "### Largest error of any parameter",
        "",
        table(["model", *PARAMETERS.values()], recovery),
        "",
    ]


STUDY = Study("mixed", "Mixed columns", 10, fits, page)
