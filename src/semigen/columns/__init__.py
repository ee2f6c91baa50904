"""What a column is: arrays and data frames become rows of numbers, and every column gets a kind.

:func:`learn` finds out the kinds of the columns of a table and reads its rows; the :class:`Schema` that it
returns says what it found, so that :func:`read` reads other rows alike and :func:`restore` goes back to a
table. :func:`describe` looks at a table that nobody has sorted out yet and says what each column is, whether
a model can use it, and if not, why.

Data frames are read through narwhals: pandas, polars and pyarrow tables look the same here.
"""

from semigen.columns.checks import Matrix, missing_columns, refuse_missing
from semigen.columns.fitted import read_like
from semigen.columns.kinds import Column, Kind, describe, infer
from semigen.columns.reading import learn, read
from semigen.columns.restoring import restore
from semigen.columns.schema import ReadTable, Schema

__all__ = [
    "Column",
    "Kind",
    "Matrix",
    "ReadTable",
    "Schema",
    "describe",
    "infer",
    "learn",
    "missing_columns",
    "read",
    "read_like",
    "refuse_missing",
    "restore",
]
