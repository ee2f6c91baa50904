"""Tiny files that are odd as a whole, and what is said of those that cannot be used."""

from __future__ import annotations

import datetime
import decimal
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from hostile.corpus import N_LABELED, N_ROWS, as_csv, features

X = features(2).round(2)
LABELS = [("ab"[j % 2] if j < N_LABELED else None) for j in range(N_ROWS)]
COLUMNS = {"u": X[:, 0].tolist(), "v": X[:, 1].tolist(), "y": LABELS}


def text(separator=",", **more):
    columns = {**COLUMNS, **more}
    cells = [["" if cell is None else str(cell) for cell in column] for column in columns.values()]
    return as_csv(list(columns), list(zip(*cells, strict=True)), separator)


def lines(**more):
    columns = {**COLUMNS, **more}
    rows = zip(*columns.values(), strict=True)
    return "\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows).encode()


def parquet(**more):
    file = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({**COLUMNS, **more}), file)
    return file.getvalue()


def each(make):
    """One value for each row, by its label."""
    return [None if label is None else make(label == "a") for label in LABELS]


NUMBERS = list(range(N_ROWS))
PLAIN = text()

FILES: dict[str, tuple[bytes, str]] = {
    "repeated.csv": (PLAIN.replace(b"u,v", b"u,u"), "more than one column named 'u'"),
    "nul.csv": (PLAIN.replace(b"a\n", b"a\0\n"), "--encoding"),
    "head.csv": (b"u,v,y", "column names but no rows"),
    "open quote.csv": (PLAIN.replace(b"a\n", b'"a\n', 1), 'is opened in line 2 and never closed'),
    "open quote in head.csv": (b'u,"v\n1,2\n', "opened in line 1"),
    "inches.csv": (text(size=[f'{j % 3}" pipe' for j in NUMBERS]).replace(b'""', b'"'), ""),
    "windows.csv": (PLAIN.replace(b"\n", b"\r\n"), ""),
    "mac.csv": (PLAIN.replace(b"\n", b"\r"), ""),
    "no last line end.csv": (PLAIN[:-1], ""),
    "blank lines.csv": (b"\n\n" + PLAIN.replace(b"\n", b"\n\n"), ""),
    "one more comma.csv": (PLAIN.replace(b"\n", b",\n"), ""),
    "short row.csv": (PLAIN + b"1,2\n", "row 38: Expected 3 columns, got 2"),
    "spaces.txt": (text(" "), "name it with --separator"),
    "controls in names.csv": (PLAIN.replace(b"u,v", "u\x1b[2J,v\u202e".encode()), ""),
    "formulas in names.csv": (PLAIN.replace(b"u,v", b"=u,+v"), ""),
    "names of predictions.csv": (PLAIN.replace(b"u,v", b"predicted,p_a"), ""),
    "large integers.csv": (text(v=[10**20 + 7 * j for j in NUMBERS]), ""),
    "a large cell.csv": (text(note=["x" * 50_000] * N_ROWS), ""),
    "all missing.csv": (text(v=["NA"] * N_ROWS), ""),
    "mixed.csv": (text(m=["1", "x"] * (N_ROWS // 2)), ""),
    "surrogates.jsonl": (lines(y=each(lambda a: "a\ud800" if a else "b")), "'y'"),
    "nested.jsonl": (lines(list=[[1, 2]] * N_ROWS, record=[{"a": 1}] * N_ROWS), ""),
    "too large.jsonl": (lines(v=[10**30] * N_ROWS), "column 'v' cannot be read as one type"),
    "labels of two types.jsonl": (lines(y=each(lambda a: 1 if a else "b")), "column 'y' cannot be read"),
    "deep.jsonl": (b"[" * 100_000, "line 1"),
    "no utf-8.jsonl": (b'{"u": "\xff"}\n', "line 1"),
    "decimals.parquet": (parquet(v=[decimal.Decimal(f"{v:.2f}") for v in X[:, 1]]), ""),
    "durations.parquet": (parquet(w=[datetime.timedelta(j) for j in NUMBERS]), ""),
    "halves.parquet": (parquet(v=pa.array((X[:, 1] / 1000).astype(np.float16))), ""),
    "views of text.parquet": (parquet(w=pa.array([f"${j}" for j in NUMBERS]).cast(pa.string_view())), ""),
    "categories of text.parquet": (parquet(w=pa.array(["?", "$2"] * (N_ROWS // 2)).dictionary_encode()), ""),
    "labels that are views.parquet": (parquet(y=pa.array(LABELS).cast(pa.string_view())), ""),
    "labels that are categories.parquet": (parquet(y=pa.array(LABELS).dictionary_encode()), ""),
    "labels beyond 64 bits.parquet": (parquet(y=pa.array(each(lambda a: 2**64 - 1 - a), pa.uint64())), ""),
    "infinite labels.parquet": (parquet(y=each(lambda a: np.inf if a else 1.5)), "'y' has infinity in row 0"),
    "labels that are decimals.parquet": (parquet(y=each(decimal.Decimal)), "decimal128.*write them as text"),
    "labels that are dates.parquet": (
        parquet(y=each(lambda a: datetime.date(2020, 1, 1 + a))),
        "date32.*write them as text",
    ),
    "labels that are bytes.parquet": (parquet(y=each(lambda a: b"a" if a else b"b")), "binary.*as text"),
    "labels that are lists.parquet": (parquet(y=each(lambda a: [a])), "list.*as text"),
}  # fmt: skip
"""Contents by name, with what the error says; empty where the file can be used."""
