"""Strong classifiers of tables in packages of their own, on pandas' categories and gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

SEED = 0


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


def real_mlp() -> Any:
    """RealMLP with its tuned defaults (Holzmüller, Grinsztajn & Steinwart 2024)."""
    from pytabkit import RealMLP_TD_Classifier

    return RealMLP_TD_Classifier(device="cpu", random_state=SEED, n_threads=1, verbosity=0)


def tab_m() -> Any:
    """TabM with its defaults (Gorishniy, Kotelnikov & Babenko 2025)."""
    from pytabkit import TabM_D_Classifier

    return TabM_D_Classifier(device="cpu", random_state=SEED, n_threads=1, verbosity=0)
