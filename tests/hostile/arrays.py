"""Tiny inputs of Python's estimators as people pass them: columns, labels and weights."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import scipy.sparse

N = 24
CODE = np.arange(N) % 2
LABELED = np.arange(N) < 12
Y = np.where(LABELED, CODE, -1)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)) + 3 * CODE[:, None]
WORDS = RNG.poisson(1.0, (N, 6)).astype(float)


def _with(row, column, value):
    rows = X.copy()
    rows[row, column] = value
    return rows


def _blank(rows, columns):
    return np.where(rows[:, None] & columns, np.nan, X)


def _two(a, b, nothing=None):
    """Labels a and b of the labeled rows."""
    found = np.empty(N, dtype=object)
    found[:] = [(a, b)[code] if labeled else nothing for code, labeled in zip(CODE, LABELED, strict=True)]
    return found


EVERY, NONE = np.ones(N, dtype=bool), np.zeros(N, dtype=bool)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])

COLUMNS = {
    "a list": X.tolist(),
    "float32": X.astype(np.float32),
    "float16": X.astype(np.float16),
    "integers": X.round().astype(int),
    "booleans": X > 1,
    "objects": np.where(np.arange(N)[:, None] == 3, None, X.astype(object)),
    "decimals": np.array([[Decimal(str(cell)) for cell in row] for row in X], dtype=object),
    "1e300": _with(20, 0, 1e300),
    "1e300 in a labeled row": _with(0, 0, 1e300),
    "1e160": _with(20, 0, 1e160),
    "1e20": _with(20, 0, 1e20),
    "no data": _with(0, 0, -3.4e38),
    "infinity": _with(3, 1, np.inf),
    "a row without values": _blank(np.arange(N) == 20, True),
    "a labeled row without values": _blank(np.arange(N) == 2, True),
    "a column without values": _blank(EVERY, np.arange(3) == 1),
    "a column without labeled values": _blank(LABELED, np.arange(3) == 1),
    "no values": _blank(EVERY, True),
    "a constant column": np.column_stack([X[:, :2], np.ones(N)]),
    "constant columns": np.ones((N, 3)),
    "two distinct rows": X[CODE],
    "denormal numbers": 1e-310 * X,
    "tiny numbers": 1e-300 * X,
    "an offset": X + 1e12,
    "one dimension": X[:, 0],
    "three dimensions": X[:, :, None],
    "no column": X[:, :0],
    "indicators, sparse": scipy.sparse.csr_array((X > 2).astype(float)),
    "words": scipy.sparse.csr_array(WORDS),
    "a text without words": scipy.sparse.csr_array(np.where(np.arange(N)[:, None] == 20, 0.0, WORDS)),
    "no words": scipy.sparse.csr_array((N, 4)),
    "negative, sparse": scipy.sparse.coo_array(-X),
    "pandas": FRAME,
    "Float64": FRAME.convert_dtypes(),
    "pandas of pyarrow": FRAME.where(FRAME < 4).convert_dtypes(dtype_backend="pyarrow"),
    "pandas, sparse": FRAME.where(FRAME > 2, 0.0).astype(pd.SparseDtype(float, 0.0)),
    "kinds": pd.DataFrame(
        {
            "number": X[:, 0],
            "category": pd.Categorical(np.where(CODE, "x", "y")),
            "text": [f"w{i % 5} v{i % 3}" for i in range(N)],
            "date": pd.date_range("2020-01-01", periods=N),
            "flag": CODE.astype(bool),
            "Int64": pd.array([i % 3 if i % 5 else None for i in range(N)], dtype="Int64"),
        }
    ),
    "one name twice": pd.DataFrame(X, columns=["a", "a", "b"]),
    "an empty column": FRAME.assign(empty=None),
    "objects of no kind": FRAME.assign(odd=[object()] * N),
    "lists": FRAME.assign(odd=[[1]] * N),
    "durations": FRAME.assign(odd=pd.to_timedelta(np.arange(N), unit="D")),
    "identifiers": FRAME.assign(id=[f"u{i}" for i in range(N)]),
    "complex": X + 1j,
    "an array of text": np.array([["a", "b"]] * N),
    "an array of dates": np.full((N, 1), "2020-01-01", dtype="M8[D]"),
    "masked": np.ma.masked_greater(X, 3),
    "a word": "abc",
    "nothing": None,
}

LABELS = {
    "text": _two("01", "1"),
    "Decimal": _two(Decimal("1.5"), Decimal("2.5")),
    "Timestamp": _two(pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01")),
    "dates": _two(datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)),
    "bytes": _two(b"a", b"\xff"),
    "grades": _two(1.5, 2.5),
    "booleans": _two(True, False),
    "two types": _two("a", 1),
    "tuples": _two((1, 2), (3, 4)),
    "lists": _two([1], [2]),
    "complex": _two(1j, 2j),
    "thirty digits": _two(10**30, 10**30 + 1),
    "infinity": _two(np.inf, 1.0),
    "Int64": pd.array([int(code) if labeled else None for code, labeled in zip(CODE, LABELED, strict=True)]),
    "string": pd.Series(_two("a", "b"), dtype="string"),
    "category": pd.Series(_two("a", "b"), dtype="category"),
    "datetime64": pd.Series(_two(pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01"), pd.NaT)),
    "probabilities": np.where(LABELED[:, None], np.eye(2)[CODE] * 0.8 + 0.1, 0.5),
    "one class": np.where(LABELED, 0, -1),
    "no label": np.full(N, -1),
    "one label per class": np.where(np.arange(N) < 2, CODE, -1),
    "every label": CODE,
    "too few": Y[:-1],
}

WEIGHTS = {
    "a row of weight 0": np.where(np.arange(N) == 3, 0.0, 1.0),
    "of a survey": np.full(N, 1 / N),
    "zeros": np.zeros(N),
    "negative": -np.ones(N),
    "missing": np.full(N, np.nan),
    "infinite": np.full(N, np.inf),
    "huge": np.full(N, 1e300),
    "tiny": np.full(N, 1e-300),
    "too few": np.ones(N - 1),
    "text": np.full(N, "a"),
    "no labeled row": np.where(LABELED, 0.0, 1.0),
}

CASES = {
    **{
        f"columns: {name}": (columns, Y[:0] if name == "no row" else Y, None)
        for name, columns in COLUMNS.items()
    },
    **{f"labels: {name}": (X, labels, None) for name, labels in LABELS.items()},
    **{f"weights: {name}": (X, Y, weight) for name, weight in WEIGHTS.items()},
    "columns: no row": (X[:0], Y[:0], None),
}

OTHERS = [
    "columns: 1e300",
    "columns: 1e20",
    "columns: infinity",
    "columns: a row without values",
    "columns: a column without values",
    "columns: constant columns",
    "columns: no row",
    "columns: no words",
    "columns: kinds",
    "columns: nothing",
    "labels: Decimal",
    "labels: bytes",
    "labels: two types",
    "labels: one class",
    "labels: one label per class",
    "labels: Int64",
    "weights: of a survey",
    "weights: huge",
    "weights: no labeled row",
]
"""Cases for estimators that take longer: one of each kind."""
