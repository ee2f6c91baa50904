"""Every input of the corpus through every estimator: probabilities that are some, or one clear error."""

import warnings

import numpy as np
import pytest

from hostile.arrays import CASES, OTHERS, X, Y
from semigen import (
    AutoClassifier,
    HybridClassifier,
    MixtureClassifier,
    MixtureEnsembleFeatures,
    PoolClassifier,
    SafeClassifier,
)
from semigen.exceptions import (
    ColumnWarning,
    ConvergenceWarning,
    DatasetShiftWarning,
    LabelWarning,
    SemigenError,
    TrainingWarning,
)

QUICK = {"covariance": "diag", "unlabeled_weight": 1.0, "calibrate": 1.0}
FEATURES = MixtureEnsembleFeatures(2, n_jobs=1)
MODELS = {
    "auto": AutoClassifier(n_mixtures=2, n_jobs=1),
    "hybrid": HybridClassifier(FEATURES),
    "safe": SafeClassifier(MixtureClassifier(**QUICK), unlabeled_weights=(0, 1), n_repeats=1),
    "pool": PoolClassifier([("mixture", MixtureClassifier(**QUICK)), ("hybrid", HybridClassifier(FEATURES))]),
}


def outcome(model, columns, labels, weight):
    """The error, or None after a look at what was predicted; warnings of other libraries are errors."""
    with warnings.catch_warnings():
        for category in (
            ColumnWarning,
            ConvergenceWarning,
            DatasetShiftWarning,
            LabelWarning,
            TrainingWarning,
        ):
            warnings.simplefilter("ignore", category)
        try:
            model.fit(columns, labels, **({} if weight is None else {"sample_weight": weight}))
            proba, predicted = model.predict_proba(columns), model.predict(columns)
        except SemigenError as error:
            return error
    assert proba.shape == (len(Y), len(model.classes_))
    assert np.isfinite(proba).all()
    assert ((proba >= 0) & (proba <= 1)).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-9)
    assert {repr(label) for label in predicted.tolist()} <= {repr(label) for label in model.classes_.tolist()}
    return None


@pytest.mark.parametrize("name", CASES)
def test_a_mixture_predicts_or_says_why_not(name):
    error = outcome(MixtureClassifier(**QUICK), *CASES[name])
    assert error is None or (20 < len(str(error)) < 600 and "\n" not in str(error))


SOME = ["columns: 1e300", "columns: kinds", "columns: no words", "labels: two types", "weights: huge"]
"""Enough of AutoClassifier for every day: it takes longest."""


@pytest.mark.parametrize(
    ("model", "name"),
    [
        pytest.param(model, name, marks=[pytest.mark.long] if model == "auto" and name not in SOME else [])
        for model in MODELS
        for name in OTHERS
    ],
)
def test_ensembles_predict_or_say_why_not(model, name):
    outcome(MODELS[model], *CASES[name])


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("model", ["VAEClassifier", "GANClassifier", "FlowMixtureClassifier"])
def test_deep_models_predict_or_say_why_not(model, name):
    deep = pytest.importorskip("semigen.deep")
    few = {"n_steps": 2, "hidden": (4,), "random_state": 0}
    if model == "FlowMixtureClassifier":
        few |= {"n_transforms": 1, "warmup_steps": 1}
    outcome(getattr(deep, model)(**few), *CASES[name])


def warned_of_a_survey(model):
    with pytest.warns(LabelWarning, match="multiply them by the number of rows"):
        model.fit(X, Y, sample_weight=CASES["weights: of a survey"][2])


@pytest.mark.parametrize("model", [name for name in MODELS if name != "auto"])
def test_weights_of_a_survey_are_warned_of(model):
    warned_of_a_survey(MODELS[model])


@pytest.mark.parametrize("model", ["VAEClassifier", "GANClassifier", "FlowMixtureClassifier"])
def test_weights_of_a_survey_are_warned_of_by_deep_models(model):
    deep = pytest.importorskip("semigen.deep")
    warned_of_a_survey(getattr(deep, model)(n_steps=1, hidden=(4,)))
