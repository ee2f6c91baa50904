"""Labels, row weights, rows in blocks, and sources of rows.

``from_files`` and ``from_parquet`` read tables larger than memory. They are public here and live where files
are read (:mod:`semigen.io.scan`), which loads on first use; nothing inside semigen imports them from here.
"""

from __future__ import annotations

import importlib
from typing import Any

from semigen.data.sources import Batch, RowSource

__all__ = ["Batch", "RowSource", "from_files", "from_parquet"]


def __getattr__(name: str) -> Any:
    if name in ("from_files", "from_parquet"):
        return getattr(importlib.import_module("semigen.io.scan"), name)
    raise AttributeError(f"module 'semigen.data' has no attribute {name!r}")
