"""Datasets and data loaders of PyTorch, and sources of rows, as tables with rows in any order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from semigen.columns import ReadTable
from semigen.columns.streams import StreamedRows
from semigen.columns.survey import learn_source, source_of
from semigen.data.sources import RowSource
from semigen.em import ThreadEngine
from semigen.exceptions import ColumnError


def as_table(X: Any, y: Any = None) -> tuple[Any, Any]:
    """Rows and labels of a ``Dataset``, a ``DataLoader`` or an iterator of batches; other tables as they are.

    A fit passes over its rows many times. So they are read once, in the order in which they come, and written
    to a temporary file that a memory map gives them from.

    Parameters
    ----------
    X : Dataset, DataLoader, iterator or any table
        A dataset gives rows, or pairs of a row and its label; the others give batches of these. A row is a
        tensor or an array of numbers; images are made flat.
    y : array-like or None
        Labels that count instead of those of ``X``.

    Returns
    -------
    X : memory map of shape (n, D), float32 or float64, or the table
    y : list of n labels, None where there is none, or what was given

    Raises
    ------
    ColumnError
        If rows are no numbers or differ in size, or there are none.
    """
    if isinstance(X, RowSource):
        raise ColumnError(
            f"X is a source of rows, {X!r:.80}, which only a fit takes.",
            "Ask about its batches one by one: for table in source.tables(): model.predict(table).",
        )
    if not isinstance(X, Dataset | DataLoader | Iterator):
        return X, y
    labels: list[Any] = []
    shape, dtype = None, np.dtype(np.float32)
    with TemporaryFile() as file:
        for rows, own in _batches(X):
            if shape is None:
                shape, dtype = rows.shape[1:], np.result_type(rows.dtype, dtype)
            if rows.shape[1:] != shape or len(rows) != len(own):
                raise ColumnError(
                    f"X gives {len(own)} label(s) and rows of shape {rows.shape} after {len(labels)} rows of "
                    f"shape {shape}: rows are of one size (resize images), each with a label or none."
                )
            file.write(rows.astype(dtype).tobytes())
            labels += own
        if shape is None:
            raise ColumnError(f"{type(X).__name__} gives no rows: an iterator can be read only once.")
        file.flush()
        table = np.memmap(file, dtype, "r", shape=(len(labels), math.prod(shape)))
    return table, labels if y is None else y


def of_source(X: Any, y: Any, sample_weight: Any, unlabeled: Any, kinds: Any) -> tuple[Any, Any, Any, Any]:
    """Rows, labels and weights of a source; other tables as they are.

    A source gives rows in their order only, and a fit takes them in any. So they are read twice: a first pass
    tells the columns and their levels, and a second one writes the rows to a temporary file.

    Parameters
    ----------
    X : RowSource, Dask collection or any table
    y, sample_weight
        None beside a ``RowSource``.
    unlabeled, kinds
        As :func:`semigen.columns.survey.learn_source` has them.

    Returns
    -------
    X : ReadTable of a memory map, or the table
    y : Labels, or what was given
    sample_weight : ndarray, or what was given
    shown : data frame, array or None
        What tells scikit-learn the columns of a source; None of another table.

    Raises
    ------
    ColumnError, LabelError, TableError
        If files, columns or labels cannot be used.
    """
    source = source_of(X, y, sample_weight, ThreadEngine())
    if source is None:
        return X, y, sample_weight, None
    read = learn_source(source, kinds, unlabeled)
    matrix, pattern, weight = _written(read.rows)
    return ReadTable(read.schema, matrix), replace(read.rows.labels, pattern=pattern), weight, read.shown


def _written(rows: StreamedRows) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.float64]]:
    """The rows as a memory map of a temporary file, (n, D), their label rows and weights, (n,)."""
    patterns, weights = [], []
    with TemporaryFile() as file:
        for block in rows.whole():
            file.write(np.asarray(block.x, dtype=rows.dtype).tobytes())
            patterns.append(block.labels.pattern)
            weights.append(block.weight)
        file.flush()
        weight = np.concatenate(weights)
        matrix = np.memmap(file, rows.dtype, "r", shape=(len(weight), rows.n_columns))
    return matrix, np.concatenate(patterns), weight


def _batches(source: Any) -> Iterator[tuple[NDArray[Any], list[Any]]]:
    """Rows (n, …) and their labels."""
    if isinstance(source, Dataset):
        sized: Any = source
        one_by_one = isinstance(source, IterableDataset)  # a dataset with len() need not have iter()
        for item in sized if one_by_one else map(sized.__getitem__, range(len(sized))):
            row, label = _pair(item)
            yield _numbers(row)[None], [label]
        return
    for batch in source:
        rows, labels = _pair(batch)
        rows = _numbers(rows)
        yield rows, [None] * len(rows) if labels is None else list(labels)


def _pair(item: Any) -> tuple[Any, Any]:
    """A row and its label, or batches of both, of plain values; the label is None where there is none."""
    row, label = item if isinstance(item, tuple | list) and len(item) == 2 else (item, None)
    row = row[0] if isinstance(row, tuple | list) and len(row) == 1 else row  # of a TensorDataset
    return row, label.tolist() if isinstance(label, Tensor | np.ndarray | np.generic) else label


def _numbers(value: Any) -> NDArray[Any]:
    found = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        raise ColumnError(
            f"X gives {type(value).__name__} as rows: give tensors or arrays of numbers, of images channel "
            "by channel (torchvision's ToTensor), or pairs of these and labels."
        )
    return found
