"""The words of text columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline

from semigen.cli.sources.columns import about_reading, known_target, open_table, read_labels, row_ids
from semigen.cli.sources.labels import given_labels, matching
from semigen.cli.sources.records import ReadOptions, Rows, Source
from semigen.cli.wording import Lines, column_lines, counted
from semigen.columns import Column, Kind, describe
from semigen.exceptions import ColumnError
from semigen.io.tables import is_text
from semigen.io.tables import open_table as open_file

_LEAST_DOCUMENTS = ((1000, 3), (100, 2), (0, 1))  # of so many documents, a word must be in so many


@dataclass(frozen=True, eq=False)
class TextSource(Source):
    """Weighted words, as a CSR matrix.

    Attributes
    ----------
    texts : tuple of str
        The text columns.
    vectorizer : TfidfVectorizer
        What made words of them.
    reading : dict
        How cells were read, for tables to come.
    """

    texts: tuple[str, ...]
    vectorizer: TfidfVectorizer
    reading: dict[str, Any]

    @classmethod
    def read(
        cls,
        path: Path,
        target: str,
        *,
        texts: Sequence[str],
        id_name: str | None = None,
        drop: Sequence[str] = (),
        weight: str | None = None,
        options: ReadOptions | None = None,
    ) -> Self:
        """Read a table to learn from the words of its columns ``texts``; the rest is as for other tables.

        Raises
        ------
        SemigenError
            If the table or its labels cannot be used, a column is not text, or no word is left.
        """
        options = options or ReadOptions()
        ids, weights = ([name] if name else [] for name in (id_name, weight))
        file = open_file(path, options.reading)
        drop = matching(file.names, drop)
        named = {"--target": [target], "--id": ids, "--weight": weights, "--drop": drop, "--text": texts}
        opened = open_table(file, named, options, as_written=[target, *ids], text=texts)
        table = opened.table
        labels = read_labels(table, target, weight, path, options)
        reasons = {
            **dict.fromkeys(ids, "identifies the rows (--id)"),
            **dict.fromkeys(drop, "left out (--drop)"),
        }

        def sorted_out(column: Column) -> Column:
            if column.name in texts:
                return replace(column, kind="text", use=True, reason="")
            other = "left out: with --text only words are used"
            return replace(column, use=False, reason=reasons.get(column.name, other))

        columns = tuple(map(sorted_out, describe(table.drop_columns([target, *weights]))))
        vectorizer, words = _vectorized(_documents(table, texts), texts)
        rows = Rows(words, *row_ids(table, id_name), opened.notes, opened.kept)
        return cls(path, rows, labels, columns, tuple(texts), vectorizer, about_reading(options, {}))

    @staticmethod
    def read_new(path: Path, id_name: str | None, noted: Mapping[str, Any], options: ReadOptions) -> Rows:
        """Read the texts of another table, for a saved pipeline.

        Raises
        ------
        SemigenError
            If the table cannot be used.
        """
        ids, texts = [id_name] if id_name else [], noted["text"]
        file = open_file(path, options.reading)
        target = known_target(file.names, noted)
        named = {"needed by the model": texts, "--id": ids}
        opened = open_table(file, named, options, as_written=[*ids, *target], text=texts)
        table = opened.table
        truth = given_labels(table[target[0]], target[0], path, options) if target else None
        return Rows(_documents(table, texts), *row_ids(table, id_name), opened.notes, opened.kept, truth)

    @property
    def kinds(self) -> None:
        """Words are read as words."""
        return

    def family(self, of_kind: Mapping[Kind, str]) -> str:
        """Weighted words are modeled as word counts are."""
        return "multinomial"

    def about(self) -> dict[str, Any]:
        """The table, which of its columns are text, and how many different words are used."""
        words = {"text": list(self.texts), "n_words": self.rows.features.shape[1]}
        return {"table": str(self.path), **words, "reading": self.reading}

    def saved(self, model: Any) -> Pipeline:
        """A pipeline that takes texts."""
        return Pipeline([("words", self.vectorizer), ("classifier", model)])

    def _describe_features(self) -> Lines:
        words = self.rows.features
        n_without = int((words.getnnz(axis=1) == 0).sum())
        without = f"; {counted(n_without, 'row')} without any" if n_without else ""
        return [*column_lines(self.columns), ("words", f"{words.shape[1]:,} distinct{without}")]


def _documents(table: pa.Table, names: Sequence[str]) -> list[str]:
    """The text of each row: its cells in the named columns, joined; a missing cell adds nothing.

    Raises
    ------
    ColumnError
        If a column is neither text nor empty.
    """
    columns = []
    for name in names:
        column = table[name]
        if not is_text(column.type) and not pa.types.is_null(column.type):
            raise ColumnError(
                f"column {name!r} holds {column.type}, not text: --text is for columns of text."
            )
        columns.append([cell or "" for cell in column.to_pylist()])
    return ["\n".join(cells) for cells in zip(*columns, strict=True)]


def _vectorized(texts: Sequence[str], names: Sequence[str]) -> tuple[TfidfVectorizer, csr_matrix]:
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
            f"column {', '.join(map(repr, names))}: no word is left to learn from ({error}). A word is used "
            f"if it has two letters or more and occurs in at least {least} and at most half of the "
            f"{len(texts)} rows."
        ) from error
