"""Engines beyond threads: a Dask cluster, PyTorch on a device. Each loads its library on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semigen.engines.cluster import DaskEngine as DaskEngine
    from semigen.engines.collections import from_dask as from_dask
    from semigen.engines.tensors import TorchEngine as TorchEngine

_WHERE = {
    "DaskEngine": "semigen.engines.cluster",
    "TorchEngine": "semigen.engines.tensors",
    "from_dask": "semigen.engines.collections",
}

__all__ = ["DaskEngine", "TorchEngine", "from_dask"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'semigen.engines' has no attribute {name!r}")
