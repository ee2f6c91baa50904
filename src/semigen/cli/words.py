"""Columns of text: from cells to documents to weighted counts of words."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from semigen.exceptions import ColumnError

_LEAST_DOCUMENTS = ((1000, 3), (100, 2), (0, 1))  # a word must stand in so many documents of so many


def documents(table: pa.Table, names: Sequence[str]) -> list[str]:
    """The text of each row: its cells in the named columns, joined; a missing cell adds nothing.

    Raises
    ------
    ColumnError
        If a column is neither text nor empty.
    """
    columns = []
    for name in names:
        column = table[name]
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        if not is_text and not pa.types.is_null(kind):
            raise ColumnError(f"column {name!r} holds {kind}, not text: --text is for columns of words.")
        columns.append([cell or "" for cell in column.to_pylist()])
    return ["\n".join(cells) for cells in zip(*columns, strict=True)]


def vectorizer(texts: Sequence[str], names: Sequence[str]) -> tuple[TfidfVectorizer, csr_matrix]:
    """Learn the words of documents, and weight them.

    Words have two letters or more; English stop words, words of more than half the documents and words of
    too few are left out. The rest is weighted by scikit-learn's sublinear tf-idf.

    Raises
    ------
    ColumnError
        If no word is left.
    """
    least = next(least for n, least in _LEAST_DOCUMENTS if len(texts) >= n)
    words = TfidfVectorizer(
        lowercase=True,
        token_pattern=r"(?u)\b[^\W\d_]{2,}\b",
        stop_words="english",
        min_df=least,
        max_df=0.5,
        sublinear_tf=True,
    )
    try:
        return words, words.fit_transform(texts)
    except ValueError as error:  # scikit-learn's words for "nothing left"
        raise ColumnError(
            f"column {', '.join(map(repr, names))}: no word is left to learn from ({error}). A word counts "
            f"if it has two letters or more and stands in at least {least} and at most half of the "
            f"{len(texts)} rows."
        ) from error
