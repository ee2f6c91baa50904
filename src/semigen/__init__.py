"""semigen: classifiers from many rows and few labels, by generative models of both.

Public names load on first use, so importing semigen loads neither scikit-learn's estimators nor any
optional library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from semigen._version import __version__

if TYPE_CHECKING:
    import semigen.data as data
    import semigen.datasets as datasets
    import semigen.exceptions as exceptions
    import semigen.metrics as metrics
    import semigen.model_selection as model_selection
    from semigen import deep as deep
    from semigen.ensemble.auto import AutoClassifier
    from semigen.ensemble.pool import PoolClassifier
    from semigen.ensemble.safe import SafeClassifier
    from semigen.io.models import load, save
    from semigen.judgement.advice import Advice, advise
    from semigen.judgement.comparing import compare
    from semigen.judgement.forecast import Forecast, forecast
    from semigen.judgement.query import query
    from semigen.judgement.sets import set_rule
    from semigen.labeling.notebook import label
    from semigen.mixture import MixtureClassifier
    from semigen.reporting.plots import plot
    from semigen.reporting.reports import Report, report
    from semigen.representation import HybridClassifier, MixtureEnsembleFeatures

_WHERE = {
    "Advice": "semigen.judgement.advice",
    "AutoClassifier": "semigen.ensemble.auto",
    "Forecast": "semigen.judgement.forecast",
    "HybridClassifier": "semigen.representation",
    "MixtureClassifier": "semigen.mixture",
    "MixtureEnsembleFeatures": "semigen.representation",
    "PoolClassifier": "semigen.ensemble.pool",
    "Report": "semigen.reporting.reports",
    "SafeClassifier": "semigen.ensemble.safe",
    "compare": "semigen.judgement.comparing",
    "forecast": "semigen.judgement.forecast",
    "advise": "semigen.judgement.advice",
    "label": "semigen.labeling.notebook",
    "load": "semigen.io.models",
    "query": "semigen.judgement.query",
    "plot": "semigen.reporting.plots",
    "report": "semigen.reporting.reports",
    "save": "semigen.io.models",
    "set_rule": "semigen.judgement.sets",
}
_MODULES = (
    "columns",
    "comparison",
    "data",
    "datasets",
    "deep",
    "em",
    "engines",
    "exceptions",
    "families",
    "metrics",
    "model_selection",
    "representation",
    "testing",
)

__all__ = [
    "Advice",
    "AutoClassifier",
    "Forecast",
    "HybridClassifier",
    "MixtureClassifier",
    "MixtureEnsembleFeatures",
    "PoolClassifier",
    "Report",
    "SafeClassifier",
    "__version__",
    "advise",
    "compare",
    "data",
    "datasets",
    "exceptions",
    "forecast",
    "label",
    "load",
    "metrics",
    "model_selection",
    "plot",
    "query",
    "report",
    "save",
    "set_rule",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"semigen.{name}")
    raise AttributeError(f"module 'semigen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
