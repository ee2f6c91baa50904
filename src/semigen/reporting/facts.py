"""What summaries of the command line and reports of Python say alike: model, verdict, shares, versions."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from semigen._version import __version__
from semigen.common.plain import plain
from semigen.comparison import CLASS_SHARES, Comparison, Standing, best_of, explain_standing, stand
from semigen.reporting.evidence import Array, Evidence, rounded

WITH, WITHOUT = "all rows", "labeled rows only"
"""What a model is trained on."""

_VERSIONS = ("numpy", "scipy", "scikit-learn")


def about_ensemble(model: Any) -> dict[str, Any]:
    """What is said of an :class:`semigen.AutoClassifier`: its models, and what its fit found."""
    models = [
        {
            "name": one.name,
            "weight": one.weight,
            "trained_on": WITH if one.uses_unlabeled else WITHOUT,
            "accuracy": plain(one.accuracy),
            "log_loss": plain(one.log_loss),
        }
        for one in model.models_
    ]
    return {
        "models": models,
        "stopped_early": model.stopped_early_,
        "assumed": list(model.schema_.notes),
        "dependence_shift": model.dependence_shift_,
        "explanation": model.explanation_,
    }


def standings(comparison: Comparison | None, saved: str, models: Sequence[str]) -> list[Standing]:
    """A model beside the class shares alone and, if it is an ensemble of models, beside its best one."""
    if comparison is None:
        return []
    found = [stand(comparison, saved, CLASS_SHARES)]
    if models:
        found.append(stand(comparison, saved, best_of(comparison, models), len(models)))
    return found


def about_standings(found: Sequence[Standing]) -> list[dict[str, Any]]:
    """Standings as the record has them."""
    return [{**one.to_dict(), "text": explain_standing(one)} for one in found]


def class_rows(counts: Counter[Any]) -> list[dict[str, Any]]:
    """Classes and their rows, as the record has them."""
    return [{"class": label, "rows": count} for label, count in sorted(counts.items())]


def class_shares(evidence: Evidence) -> list[dict[str, Any]]:
    """For each class its share of the labeled rows, the assumed share, and that in the unlabeled rows.

    ``estimated`` is the mean probability of the class in the unlabeled rows, null without them; ``assumed``
    is null for a model that does not state it.
    """
    labeled, rest = evidence.code >= 0, evidence.code < 0
    assumed = getattr(evidence.model, "class_prior_", None)
    mean = evidence.probabilities[rest].mean(axis=0) if rest.any() else None
    stated = assumed is not None and np.shape(assumed) == (len(evidence.classes),)
    return [
        {
            "class": label,
            "labeled": rounded((evidence.code[labeled] == k).mean()) if labeled.any() else None,
            "assumed": rounded(np.asarray(assumed)[k]) if stated else None,
            "estimated": None if mean is None else rounded(mean[k]),
        }
        for k, label in enumerate(evidence.classes)
    ]


def model_card(evidence: Evidence) -> dict[str, Any]:
    """The parameters of the model, as they are written in Python, and versions."""
    parameters = evidence.model.get_params(deep=False) if hasattr(evidence.model, "get_params") else {}
    return {
        "estimator": type(evidence.model).__name__,
        "parameters": {name: repr(value)[:300] for name, value in parameters.items()},
        "classes": evidence.classes,
        "n_columns": plain(getattr(evidence.model, "n_features_in_", None)),
        "versions": {
            "semigen": __version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in _VERSIONS},
        },
        "platform": platform.system(),
    }


def about_rows(model: Any, features: Any) -> dict[str, Array]:
    """What a model says about rows themselves: no estimates, which take minutes, and no constant."""
    if hasattr(model, "log_density"):  # from many draws per row
        return {}
    found = {}
    if hasattr(model, "score_samples"):
        found["log_density"] = model.score_samples(features)
    if hasattr(model, "novelty_of"):  # by the density
        found["novelty"] = model.novelty_of(found["log_density"])
    if getattr(model, "n_novel_components", 0):
        found["novel_probability"] = model.novel_probability(features)
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
