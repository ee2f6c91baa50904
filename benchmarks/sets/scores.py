"""How good predictions and their sets are on test rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import calibration, records

COVERAGE = 0.9
BINS = 15
GAPS = tuple(f"gap{b}" for b in range(BINS))


def scores(probs: Any, code: Any, together: Any, by_class: Any) -> dict[str, Any]:
    """Error, coverage and size of the sets, and calibration.

    Parameters
    ----------
    probs : ndarray of shape (n, K)
    code : ndarray of int, shape (n,)
        True classes.
    together, by_class : ndarray of bool, shape (n, K)
        Sets with one threshold, and with one for each class.
    """
    right = probs.argmax(axis=1) == code
    gaps = calibration.gaps(probs.max(axis=1), right, BINS)
    of_class = [by_class[code == k, k].mean() for k in np.unique(code)]
    return {
        "error": 1 - right.mean(),
        "coverage": together[np.arange(len(code)), code].mean(),
        "size": together.sum(axis=1).mean(),
        "class_coverage": np.mean(of_class),
        "least_class_coverage": np.min(of_class),
        "class_size": by_class.sum(axis=1).mean(),
        "ece": np.abs(gaps).sum(),
        **dict(zip(GAPS, gaps, strict=True)),
    }


def mean(rows: list[dict[str, Any]], name: str) -> float:
    """Of one figure, over fits."""
    return float(np.mean([row[name] for row in rows]))


def pooled_ece(rows: list[dict[str, Any]]) -> float:
    """Expected calibration error in bins over the test rows of all fits, each of equal weight."""
    return sum(abs(mean(rows, gap)) for gap in GAPS)


def read(path: Path) -> list[dict[str, Any]]:
    """Finished fits: names of tables, and numbers."""
    return [
        {name: value if name in ("data", "suite") else float(value) for name, value in row.items()}
        for row in records.read(path)
    ]
