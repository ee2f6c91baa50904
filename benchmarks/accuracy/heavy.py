"""Strong classifiers of tables in packages of their own, on pandas' categories and gaps."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

SEED = 0
WEIGHTS = "SEMIGEN_TABICL"
"""The environment variable with TabICL's file of weights, which it would download."""


class CatBoost(ClassifierMixin, BaseEstimator):
    """CatBoost with its defaults, on one thread; missing levels are a level."""

    def fit(self, X: Any, y: Any) -> CatBoost:
        from catboost import CatBoostClassifier

        categories = [name for name in X if X[name].dtype == "category"]
        self.model_ = CatBoostClassifier(
            cat_features=categories,
            random_seed=SEED,
            thread_count=1,
            verbose=False,
            allow_writing_files=False,
        ).fit(_text(X), y)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(_text(X))


def _text(X: Any) -> Any:
    return X.assign(
        **{name: X[name].astype(object).fillna("none") for name in X if X[name].dtype == "category"}
    )


class Filled(ClassifierMixin, BaseEstimator):
    """A classifier that takes no missing numbers: they are filled with the means of the rows to fit."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Any, y: Any) -> Filled:
        self.mean_ = X.mean(numeric_only=True).fillna(0)
        self.model.fit(X.fillna(self.mean_), y)
        self.classes_ = self.model.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model.predict_proba(X.fillna(self.mean_))


def real_mlp() -> Any:
    """RealMLP with its tuned defaults (Holzmüller, Grinsztajn & Steinwart 2024)."""
    from pytabkit import RealMLP_TD_Classifier

    return Filled(RealMLP_TD_Classifier(device="cpu", random_state=SEED, n_threads=1, verbosity=0))


def tab_m() -> Any:
    """TabM with its defaults (Gorishniy, Kotelnikov & Babenko 2025)."""
    from pytabkit import TabM_D_Classifier

    return Filled(TabM_D_Classifier(device="cpu", random_state=SEED, n_threads=1, verbosity=0))


def tab_icl() -> Any:
    """TabICL, pretrained on simulated tables (Qu, Holzmüller, Varoquaux & Le Morvan 2025)."""
    from tabicl import TabICLClassifier

    return TabICLClassifier(
        model_path=os.environ[WEIGHTS], allow_auto_download=False, device="cpu", n_jobs=1, random_state=SEED
    )
