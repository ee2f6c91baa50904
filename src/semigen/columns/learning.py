"""Learning what the columns of a table are: the schema by which its rows and new ones are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from semigen.columns.checks import check_sparse, checked, wish
from semigen.columns.dates import date_cells
from semigen.columns.encoders import Encoded, Encoder, learn_date, learn_text
from semigen.columns.kinds import (
    EMPTY,
    ENCODED,
    ID_NUMBER,
    USED,
    Kind,
    are_long,
    id_evidence,
    infer,
    is_id_text,
    is_named_id,
    kind_by_type,
    other,
    why_id_text,
)
from semigen.columns.levels import Levels, declared_levels, find_levels
from semigen.columns.numerals import are_digits, currencies_of, stay_text
from semigen.columns.reading import as_table, read_array, read_columns, read_sparse
from semigen.columns.schema import ReadTable, Schema
from semigen.columns.several import learn_one_or_several, options_of
from semigen.columns.sparse import as_dense, as_words
from semigen.columns.standins import stand_ins
from semigen.columns.tables import Frame, Series, filled_cells, hint, listing, plain_name, positions
from semigen.columns.vectors import numbers_called, refuse_one_column, wide_frame
from semigen.common.notices import warn
from semigen.exceptions import ColumnError, ColumnWarning, ParameterError

Kinds: TypeAlias = Kind | Mapping[Any, Kind] | None
ASKED: tuple[Kind, ...] = (*USED, "id", "word")
"""Kinds that a column can be asked to be read as; a "word" is text, or the weight of a word."""
NOT_OF_ARRAYS: tuple[Kind, ...] = (*ENCODED, "id")
Part: TypeAlias = "tuple[Any, Kind, Levels | None, Encoder | None]"
"""Name and kind of a column, its levels if it is a category, its encoder if it is text or a date."""


def learn(
    X: Any, kinds: Kinds = None, *, sparse: bool | Literal["words"] = False, words: bool = False
) -> tuple[Schema, Any]:
    """Infer the kinds of the columns of ``X``, and read its rows, as :func:`learn_table` does.

    Returns
    -------
    schema : Schema
    matrix : ndarray of shape (n, D), float64 or float32, or csr_array
    """
    table = learn_table(X, kinds, sparse=sparse, words=words)
    return table.schema, table.matrix


def learn_table(
    X: Any,
    kinds: Kinds = None,
    *,
    sparse: bool | Literal["words"] = False,
    words: bool = False,
    documents: bool = False,
) -> ReadTable:
    """Infer the kinds of the columns of ``X``, and read its rows.

    Columns of a data frame have the kinds that :func:`infer` finds, those of an array are numbers, unless
    ``kinds`` says otherwise.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, D), pandas, polars or pyarrow table, or ReadTable
        One that is read already stays as it is, unless ``kinds`` asks for other kinds.
    kinds : str, mapping or None, default=None
        A kind for all columns, or for some by name (of an array by number): "number" (of dates and of numbers
        in text, too), "count" (whole numbers from 0), "flag" (booleans, or 0 and 1), "category" (any repeated
        text, numbers or booleans); of a data frame also "text" (numbers, too: ZIP codes), "date" and "id"
        (not used).
    sparse : bool or "words", default=False
        Whether rows may be sparse. A data frame of text only becomes sparse words then. "words": a sparse
        matrix becomes an array unless it has words of documents (:func:`semigen.columns.sparse.as_words`), or
        ``kinds`` says that it has or has not.
    words : bool, default=False
        Whether text becomes weights of words, of kind "word"; otherwise a few features of its words or
        letters.
    documents : bool, default=False
        Whether the words of long texts that have other columns beside them stand beside the matrix.

    Returns
    -------
    ReadTable
        Its matrix is an ndarray of shape (n, D), float64 or float32, or a csr_array. A category is the number
        of its level, a flag 0 or 1, a missing value NaN. float32 if the array is, or if every column of
        numbers of the data frame is and there are no categories; float64 otherwise. An array that already has
        such a type is not copied. A sparse matrix has sorted indices.

    Raises
    ------
    ColumnError
        If columns cannot be read as their kind, or hold infinity; if none can be used, two have one name,
        ``kinds`` names a column that is not there, or rows are sparse that may not be.
    ParameterError
        If a kind is none of these.
    ValueError, TypeError
        If ``X`` is not two-dimensional, is empty or complex.

    Warns
    -----
    ColumnWarning
        If columns became features or are not used, or a number such as -999 may stand for missing values, and
        ``kinds`` did not say so.
    """
    if isinstance(X, ReadTable):
        if X.schema.encoded:  # what its columns were cannot be told from the matrix
            return X
        asked = _asked(kinds, X.schema.names, X.schema.n_features)
        alike = all(_is_read_as(kind, own) for kind, own in zip(asked, X.schema.kinds, strict=True))
        if alike and (sparse or not issparse(X.matrix)):
            return X  # as whoever read it decided
        X, kinds = X.matrix, {j: kind for j, kind in enumerate(asked) if kind}
    if issparse(X):
        matrix = read_sparse(X, bool(sparse))
        asked = _asked(kinds, None, matrix.shape[1])
        notes: tuple[str, ...] = ()
        if sparse == "words" and set(asked) != {"word"}:
            are_words, note = as_words(matrix)
            if set(asked) != {None} or not are_words:
                return _learn_array(as_dense(matrix), kinds, (note,) if set(asked) == {None} else ())
            notes = (note,)
        asked = ["number" if kind == "word" else kind for kind in asked]
        schema = Schema(
            None, tuple(kind or "number" for kind in asked), (None,) * len(asked), None, (), notes
        )
        return ReadTable(schema, check_sparse(schema, matrix, fitting=True))
    refuse_one_column(X)
    frame = wide_frame(X)
    if frame is None:
        return _learn_array(as_table(X), kinds)
    return _learn_frame(frame, kinds, words=words, sparse=bool(sparse), documents=documents)


def _learn_array(table: NDArray[Any], kinds: Kinds, notes: tuple[str, ...] = ()) -> ReadTable:
    asked = [("number" if kind == "word" else kind) for kind in _asked(kinds, None, table.shape[1])]
    encoded = [j for j, kind in enumerate(asked) if kind in NOT_OF_ARRAYS]
    if encoded:
        raise ColumnError(
            f"column number {listing(encoded)} of an array cannot be read as {asked[encoded[0]]}: put the "
            "columns in a data frame."
        )
    levels = tuple(
        find_levels(j, table[:, j].tolist()) if kind == "category" else None for j, kind in enumerate(asked)
    )
    schema = Schema(None, tuple(kind or "number" for kind in asked), levels, None, (), notes)
    matrix = read_array(schema, table, fitting=True)
    empty = [j for j in np.flatnonzero(np.isnan(matrix[0])).tolist() if np.isnan(matrix[:, j]).all()]
    if empty:
        note = f"column number {listing(empty)}: {EMPTY}, so it says nothing"
        warn(f"X: {note}. Leave it out.", ColumnWarning)
        schema = replace(schema, notes=(*schema.notes, note))
    _warn_of_stand_ins(matrix, {j: j for j, kind in enumerate(asked) if kind is None})
    return ReadTable(schema, matrix)


def _learn_frame(frame: Frame, kinds: Kinds, *, words: bool, sparse: bool, documents: bool) -> ReadTable:
    if not len(frame):
        checked(np.empty(frame.shape))
    names = tuple(map(plain_name, frame.columns))
    columns = dict(zip(names, (frame.get_column(name) for name in frame.columns), strict=True))
    asked = dict(zip(names, _asked(kinds, names, len(names)), strict=True))
    found = {name: _kind(name, asked[name], series) for name, series in columns.items()}
    if set(USED).isdisjoint(found.values()):  # rather a number of the row than nothing
        numbers = {name for name, series in columns.items() if kind_by_type(series) == "number"}
        found |= {name: infer(columns[name]) for name in numbers if asked[name] is None}
    left_out = {name: kind for name, kind in found.items() if kind not in USED}
    used = {name: kind for name, kind in found.items() if name not in left_out}
    texts = (name for name, kind in used.items() if kind == "text" and asked[name] != "word")
    options = {name: options_of(columns[name].to_list()) for name in texts}
    alone = sparse and set(used.values()) == {"text"} and not any(options.values())
    long: set[Any] = set()
    if (sparse or documents) and not alone:
        long = {name for name, one in options.items() if one is None and are_long(columns[name].to_list())}
    parts: list[Part] = []
    beside: list[Part] = []
    notes = [_unused(name, kind, columns[name], asked[name]) for name, kind in left_out.items()]
    for name, kind in used.items():
        try:
            if one := options.get(name):
                parts.append((name, kind, None, one))
                continue
            apart = documents and name in long
            words_only = words or alone or apart
            part = _learn_column(name, kind, columns[name], words=words_only, alone=alone or apart)
            (beside if apart else parts).append(part)
        except ColumnError as error:
            if asked[name] is not None:
                raise
            left_out[name] = "other"
            notes.append(f"{name!r} is not used: {error}")
    if notes and not parts and not beside:
        raise ColumnError(f"X has no column that a model can use: {listing(notes)}")
    if not parts:
        parts, beside = beside, []
    schema = _schema(parts, beside, frame.implementation.name.lower(), tuple(notes))
    told = {one.name: _told(one, columns[one.name]) for one in schema.several if asked[one.name] is None}
    if sparse and not words and not documents and len(used) > 1:
        for name in told:
            if name in long:
                told[name] += "; in a data frame without other columns the words themselves are learned"
    told |= {name: note for name, note in zip(left_out, notes, strict=True) if asked[name] is None}
    if told:
        first, *others = told
        said = (
            "\n".join(["columns of X:", *told.values(), ""])
            if others
            else f"{told[first].removesuffix('.')}. "
        )
        which, it = ("COLUMN", "one") if others else (first, "it")
        cure = f"To read {it} in another way: {wish(which, 'category', 'categorical')}."
        warn(said + cure, ColumnWarning)
    table = read_columns(schema, [columns[name] for name, *_ in (*parts, *beside)], fitting=True)
    as_they_are = [one for one in schema.inputs if one.encoded is None and not asked[one.name]]
    places = {one.first: one.name for one in as_they_are if schema.kinds[one.first] == "number"}
    _warn_of_stand_ins(table.matrix, places)
    return table


def _warn_of_stand_ins(matrix: Any, numbers: Mapping[int, Any]) -> None:
    """Warn of numbers that may stand for missing values in some columns, by their place and name."""
    found = {} if issparse(matrix) or not numbers else stand_ins(matrix)
    found = {numbers[j]: one for j, one in found.items() if j in numbers}
    if found:
        first, told = next(iter(found)), "; ".join(f"column {name!r}: {one}" for name, one in found.items())
        warn(
            f"{told}. If that means 'missing', write NaN instead; if not, say so: "
            f"{wish(first, 'number', 'gaussian')}.",
            ColumnWarning,
        )


def _kind(name: Any, asked: Kind | None, series: Series) -> Kind:
    """What a column is read as, or why it is not used."""
    if asked == "word":
        return "text" if kind_by_type(series) in ("text", "category", "empty") else "number"
    if asked == "number" and kind_by_type(series) in ENCODED and infer(series) == "date":
        return "date"
    if asked == "flag" and kind_by_type(series) == "text" and options_of(series.to_list()) is not None:
        return "text"
    if asked is not None:
        return asked
    kind = infer(series)
    if kind == "text" and is_id_text(str(name), *id_evidence(series)):
        return "id"
    return "id" if kind == "number" and is_named_id(str(name), series) else kind


def _learn_column(name: Any, kind: Kind, series: Series, *, words: bool, alone: bool) -> Part:
    if kind == "category":
        return name, kind, find_levels(name, series.to_list(), declared_levels(series)), None
    if kind == "text":
        return name, kind, None, learn_text(name, series.to_list(), words=words, alone=alone)
    if kind == "date":
        return name, kind, None, learn_date(name, date_cells(series))
    if kind == "number" and kind_by_type(series) == "text":
        return name, kind, None, learn_one_or_several(series.to_list())
    return name, kind, None, None


def _told(one: Encoded, series: Series) -> str:
    """What a column became, and if it is text of digits alone, how it is read as numbers."""
    if one.kind == "text" and are_digits(map(str, filled_cells(series))):
        return f"{one}, as codes do; if they are numbers: {wish(one.name, 'number', 'gaussian')}"
    if one.kind == "text" and (currencies := currencies_of(list(map(str, filled_cells(series))))):
        return f"{one}; {stay_text(currencies)}"
    return str(one)


def _unused(name: Any, kind: Kind, series: Series, asked: Kind | None) -> str:
    if asked == "id":
        return f"{name!r} is not used, as asked"
    id_why = ID_NUMBER if series.dtype.is_numeric() else why_id_text(*id_evidence(series)[1:])
    why = other(series) if kind == "other" else {"id": id_why, "empty": EMPTY}[kind]
    return f"{name!r} is not used: {why}"


def _schema(parts: Sequence[Part], beside: Sequence[Part], library: str, notes: tuple[str, ...]) -> Schema:
    """The schema of columns, those with an encoder as one for each of its features, and of texts beside."""
    names: list[Any] = []
    kinds: list[Kind] = []
    levels: list[Levels | None] = []
    encoded = []
    for name, kind, own, encoder in parts:
        features: Any = (None,) if encoder is None else encoder.feature_names
        if encoder is not None:
            encoded.append(Encoded(name, kind, len(kinds), encoder))
            kind = encoder.features_kind
        names += [name] if encoder is None else [f"{name}: {feature}" for feature in features]
        kinds += [kind] * len(features)
        levels += [own] * len(features)
    documents: list[Encoded] = []
    for name, kind, _, encoder in beside:
        documents.append(Encoded(name, kind, documents[-1].columns.stop if documents else 0, encoder))
    notes = (*map(str, (*encoded, *documents)), *notes)
    return Schema(tuple(names), tuple(kinds), tuple(levels), library, tuple(encoded), notes, tuple(documents))


def _asked(kinds: Kinds, names: Sequence[Any] | None, n_columns: int) -> list[Kind | None]:
    """The kind requested for each column, None where none is."""
    for kind in kinds.values() if isinstance(kinds, Mapping) else () if kinds is None else (kinds,):
        if kind not in ASKED:
            raise ParameterError(f"kind {kind!r} is none of {', '.join(map(repr, (*USED, 'id')))}.")
    if not isinstance(kinds, Mapping):
        return [kinds] * n_columns
    kinds = _by_number(kinds, names or ())
    found, absent = positions(kinds, range(n_columns) if names is None else names)
    if absent:
        what = f"its columns are 0 to {n_columns - 1}." if names is None else hint(absent[0], names)
        raise ColumnError(f"X has no column {listing([repr(name) for name in absent])}: {what}")
    asked: list[Kind | None] = [None] * n_columns
    for j, kind in zip(found, kinds.values(), strict=True):
        asked[j] = kind
    return asked


def _by_number(kinds: Mapping[Any, Kind], names: Sequence[Any]) -> dict[Any, Kind]:
    """The kinds requested by name, those of a column of lists for each of its numbers."""
    found: dict[Any, Kind] = {}
    for name, kind in kinds.items():
        found |= dict.fromkeys([] if name in names else numbers_called(name, names), kind) or {name: kind}
    return found | {name: kind for name, kind in kinds.items() if name in names}


def _is_read_as(asked: Kind | None, own: Kind) -> bool:
    return asked in (None, own) or (asked == "word" and own in ("number", "count"))
