"""semigen: classifiers from many rows and few labels, by generative models of both.

Public names load on first use, so importing semigen loads neither scikit-learn's estimators nor any
optional library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from semigen._version import __version__

if TYPE_CHECKING:
    import semigen.datasets as datasets
    import semigen.exceptions as exceptions
    import semigen.metrics as metrics
    import semigen.model_selection as model_selection
    from semigen import deep as deep
    from semigen.auto import AutoClassifier
    from semigen.hybrid import HybridClassifier, MixtureEnsembleFeatures
    from semigen.mixture import MixtureClassifier
    from semigen.persistence import load, save
    from semigen.pool import PoolClassifier
    from semigen.safe import SafeClassifier

_WHERE = {
    "AutoClassifier": "semigen.auto",
    "HybridClassifier": "semigen.hybrid",
    "MixtureClassifier": "semigen.mixture",
    "MixtureEnsembleFeatures": "semigen.hybrid",
    "PoolClassifier": "semigen.pool",
    "SafeClassifier": "semigen.safe",
    "load": "semigen.persistence",
    "save": "semigen.persistence",
}
_MODULES = ("datasets", "deep", "exceptions", "metrics", "model_selection")

__all__ = [
    "AutoClassifier",
    "HybridClassifier",
    "MixtureClassifier",
    "MixtureEnsembleFeatures",
    "PoolClassifier",
    "SafeClassifier",
    "__version__",
    "datasets",
    "exceptions",
    "load",
    "metrics",
    "model_selection",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"semigen.{name}")
    raise AttributeError(f"module 'semigen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
