"""Writes model files of this version and what they predict: ``python tests/golden/write.py FOLDER``.

Run once at each release, from that release; the folders of older versions are never written again.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import semigen
from semigen import deep
from semigen.datasets import make_gaussian_classes


def numbers() -> tuple[Any, Any]:
    """Three classes of numbers, six labels each."""
    data = make_gaussian_classes(6, 22, n_classes=3, n_features=4, distance=3, random_state=3)
    return np.round(np.asarray(data.X), 3), np.array(data.y)


def documents(rng: np.random.Generator) -> tuple[Any, Any]:
    """Counts of words, two classes."""
    rate = np.where(np.arange(12) < 6, 3.0, 0.5)
    x = np.vstack([rng.poisson(rate, (30, 12)), rng.poisson(rate[::-1], (30, 12))]).astype(float)
    y = np.repeat([0, 1], 30)
    y[5:30], y[35:] = -1, -1
    return x, y


def mixed(x: Any, rng: np.random.Generator) -> Any:
    """Numbers, a category, a count and a flag, with missing values."""
    table = np.column_stack(
        [
            x[:, :2],
            np.digitize(x[:, 2], [-1.0, 1.0]),
            rng.poisson(np.exp(np.clip(x[:, 3] / 3, -2, 2))),
            x[:, 0] > 0,
        ]
    ).astype(float)
    table[rng.random(table.shape) < 0.05] = np.nan
    return table


def models() -> dict[str, tuple[Any, Any]]:
    """Fitted models by name, each with the rows to predict."""
    rng = np.random.default_rng(0)
    x, y = numbers()
    words, topics = documents(rng)
    sparse = csr_matrix(words)
    table = mixed(x, rng)
    families = {0: "gaussian", 1: "gaussian", 2: "categorical", 3: "negative_binomial", 4: "bernoulli"}
    mixture = semigen.MixtureClassifier
    found: dict[str, tuple[Any, Any]] = {}

    def add(name: str, model: Any, rows: Any, labels: Any) -> None:
        found[name] = (model.fit(rows, labels), rows)

    holes = np.where(rng.random(x.shape) < 0.1, np.nan, x)
    for shape in ("full", "tied", "diag", "spherical", "low_rank"):
        add(f"gaussian-{shape}", mixture(covariance=shape), x, y)
    add("gaussian-missing", mixture(), holes, y)
    add("gaussian-several", mixture(components_per_class=2, random_state=0), x, y)
    add("gaussian-novel", mixture(n_novel_components=1, random_state=0), x, y)
    add("gaussian-noise", mixture(label_noise="estimate"), x, y)
    add("gaussian-mechanism", mixture(label_mechanism="entropy"), x, y)
    add("student-t", mixture("student_t"), x, y)
    add("product", mixture(families), table, y)
    add("multinomial", mixture("multinomial"), sparse, topics)
    add("von-mises-fisher", mixture("von_mises_fisher"), sparse, topics)
    add("poisson", mixture("poisson"), words, topics)
    add("safe", semigen.SafeClassifier(mixture(), n_repeats=1), x, y)
    add("safe-pessimistic", semigen.SafeClassifier(mixture(), pessimistic=True), x, y)
    add("hybrid", semigen.HybridClassifier(semigen.MixtureEnsembleFeatures(3)), x, y)
    add("hybrid-mixture", semigen.HybridClassifier(mixture()), x, y)
    pool = semigen.PoolClassifier([("mixture", mixture()), ("logistic", LogisticRegression())])
    add("pool", pool, x, y)
    add("auto", semigen.AutoClassifier(n_mixtures=3), table, y)
    add("auto-documents", semigen.AutoClassifier(n_mixtures=3), sparse, topics)
    add("pipeline", make_pipeline(StandardScaler(), mixture(unlabeled=-1)), x, y)
    add("ensemble-features", semigen.MixtureEnsembleFeatures(3), x, None)
    few = {"n_steps": 20, "random_state": 0}
    given = {"unlabeled_weight": 1.0, "calibrate": 1.0}
    add("vae", deep.VAEClassifier(hidden=(8,), n_latent=2, **few, **given), x, y)
    features = deep.VAEFeatures(hidden=(8,), n_latent=2, **few)
    add("vae-features", features, x, None)
    add(
        "vae-on-features",
        deep.VAEClassifier(hidden=(8,), n_latent=2, features=features, **few, **given),
        x,
        y,
    )
    add("gan", deep.GANClassifier(hidden=(8,), generator_hidden=(8,), n_latent=4, **few, **given), x, y)
    flow = deep.FlowMixtureClassifier(n_transforms=1, hidden=(8,), warmup_steps=5, **few, **given)
    add("flow", flow, x, y)
    return found


def answer(model: Any, rows: Any) -> Any:
    """What a model says about rows."""
    return model.predict_proba(rows) if hasattr(model, "predict_proba") else model.transform(rows)


def main(folder: Path) -> None:
    """Write models, rows and answers."""
    folder.mkdir(parents=True)
    answers: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = models()
    for name, (model, rows) in fitted.items():
        semigen.save(model, folder / f"{name}.semigen")
        dense = rows.toarray() if hasattr(rows, "toarray") else rows
        answers[f"{name}.sparse"] = hasattr(rows, "toarray")
        answers[f"{name}.rows"] = dense[:8]
        answers[f"{name}.answer"] = answer(model, rows[:8])
    np.savez_compressed(folder / "answers.npz", **answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
