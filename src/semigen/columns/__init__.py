"""Columns of a table: every column gets a kind, and arrays and data frames become matrices of numbers.

:func:`learn` infers the kinds of the columns of a table and reads its rows; the :class:`Schema` that it
returns lets :func:`read` read other rows in the same way and :func:`restore` turn a matrix back into a table.
:func:`describe` says of each column of an unknown table what it is, whether a model can use it, and if not,
why.

Data frames are read through narwhals, so pandas, polars and pyarrow tables are treated alike.
"""

from semigen.columns.checks import Matrix, missing_columns, refuse_missing
from semigen.columns.fitted import in_precision_of, read_like, table_like
from semigen.columns.kinds import Column, Kind, describe, infer
from semigen.columns.learning import learn, learn_table
from semigen.columns.reading import read, read_table
from semigen.columns.restoring import restore
from semigen.columns.schema import ReadTable, Schema

__all__ = [
    "Column",
    "Kind",
    "Matrix",
    "ReadTable",
    "Schema",
    "describe",
    "in_precision_of",
    "infer",
    "learn",
    "learn_table",
    "missing_columns",
    "read",
    "read_like",
    "read_table",
    "refuse_missing",
    "restore",
    "table_like",
]
