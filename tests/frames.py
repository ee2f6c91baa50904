"""Data frames of every library, for tests that are run with each."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

FRAMES = {
    "pandas": pd.DataFrame,
    "polars": lambda data: pl.DataFrame(data, strict=False),
    "pyarrow": pa.table,
}
"""What makes a data frame of columns."""


@pytest.fixture(params=sorted(FRAMES))
def library(request):
    return request.param


@pytest.fixture
def frame(library):
    return FRAMES[library]
