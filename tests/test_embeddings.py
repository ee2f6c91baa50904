"""Embeddings: an encoder as a representation, a file beside a table, and columns of lists."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.base import clone
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

import semigen
from command_line import error_of, here, run
from semigen.exceptions import ColumnError, ParameterError, TableError
from semigen.io.embeddings import read_embeddings, spread_lists
from semigen.io.tables import read_table
from semigen.representation import EncoderFeatures

__all__ = ["here"]  # fixtures


class Encoder:
    """As one of sentence-transformers: texts to float32 rows."""

    def __init__(self):
        self.sizes = []

    def encode(self, texts):
        self.sizes.append(len(texts))
        return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)

    def __deepcopy__(self, memo):
        raise AssertionError("a network is not copied")


TEXTS = ["a", "aa a", "bb", "b", "bbb b", "aaa", "a a", "b b b"]
Y = np.array(["a", None, "b", None, None, None, None, None], dtype=object)


def test_an_encoder_is_a_representation():
    encoder = Encoder()
    model = semigen.HybridClassifier(
        EncoderFeatures(encoder, batch_size=3), LogisticRegression(), unlabeled=None
    )
    assert model.fit(TEXTS, Y).predict(["aaaa", "bbbb"]).tolist() == ["a", "b"]
    assert max(encoder.sizes) <= 3
    assert clone(model).representation.encoder is encoder
    found = EncoderFeatures(encoder, batch_size=3).fit_transform(TEXTS)
    np.testing.assert_array_equal(found, encoder.encode(TEXTS))
    assert found.dtype == np.float32
    unit = EncoderFeatures(encoder, unit_length=True).transform(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    cosines = semigen.MixtureClassifier("von_mises_fisher", unlabeled=None).fit(unit, Y)
    assert cosines.predict_proba(unit).shape == (8, 2)


def test_transformers_functions_and_tensors_are_encoders():
    torch = pytest.importorskip("torch")
    hashed = HashingVectorizer(n_features=4, norm=None, analyzer="char")
    dense = EncoderFeatures(lambda texts: hashed.transform(texts).toarray())
    assert dense.transform(TEXTS).shape == (8, 4)
    net = torch.nn.Linear(3, 2)
    rows = np.ones((4, 3), dtype=np.float32)
    found = EncoderFeatures(lambda block: net(torch.from_numpy(block))).transform(rows)
    assert found.shape == (4, 2)


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (lambda rows: rows.to(2), ColumnError, "failed on 8 rows, a list .*network of PyTorch"),
        (5, ParameterError, "encoder=5: use an object with encode"),
        (lambda rows: [1.0] * len(rows), ColumnError, r"returned float64 of shape \(8,\) for 8 rows"),
        (lambda rows: np.zeros((3, 2)), ColumnError, r"shape \(3, 2\) for 8 rows"),
        (lambda rows: np.full((len(rows), 2), np.nan), ColumnError, "NaN or infinity"),
    ],
)
def test_what_is_no_encoder_is_refused(encoder, error, message):
    with pytest.raises(error, match=message):
        EncoderFeatures(encoder).fit(TEXTS).transform(TEXTS)


@pytest.fixture
def beside(here, rng):
    """A table whose classes are in its embeddings only."""
    y = np.repeat(["one", "two"], 30)
    numbers = (rng.normal(size=(60, 5)) + 4 * (y == "two")[:, None]).astype(np.float32)
    frame = pd.DataFrame({"noise": rng.normal(size=60).round(3), "y": y})
    frame.loc[rng.permutation(60)[:36], "y"] = None
    frame.to_csv("data.csv", index=False)
    np.save("data.npy", numbers)
    return frame, numbers, y


def test_a_file_of_embeddings_gives_columns(beside):
    _, numbers, y = beside
    run("fit", "data.csv", "--target", "y", "--model", "mixture", "--embeddings", "data.npy")
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert "embedding[4]" in [one["name"] for one in summary["columns"]]
    found = pd.read_csv("data-semigen/predictions.csv")
    assert (found["predicted"] == y).mean() > 0.95
    run("predict", "data-semigen/model.semigen", "data.csv", "--embeddings", "data.npy", "--out", "out.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv("out.csv"), found.drop(columns="given"), rtol=1e-9, check_like=True
    )
    message = error_of(run("predict", "data-semigen/model.semigen", "data.csv", "--out", "b.csv", code=1))
    assert "embedding[0]" in message
    np.save("data.npy", numbers[:-1])
    message = error_of(run("fit", "data.csv", "--target", "y", "--embeddings", "data.npy", "--force", code=1))
    assert "data.csv has 60 rows, and its embeddings have 59" in message


def test_a_column_of_lists_is_spread(beside):
    frame, numbers, y = beside
    table = pa.table(
        {"id": np.arange(60), "vector": numbers.tolist(), "y": pa.array(frame["y"], from_pandas=True)}
    )
    parquet.write_table(table, "data.parquet")
    run("fit", "data.parquet", "--target", "y", "--id", "id", "--model", "mixture")
    assert (pd.read_csv("data-semigen/predictions.csv")["predicted"] == y).mean() > 0.95
    assert read_table(Path("data.parquet")).column_names[1:6] == [f"vector[{j}]" for j in range(5)]
    summaries = []
    for more in (["--drop", "vector", "--as", "id=number"], ["--drop", "id", "--as", "vector=student_t"]):
        run("fit", "data.parquet", "--target", "y", "--model", "mixture", *more, "--force")
        summaries.append(json.loads(Path("data-semigen/summary.json").read_text())["columns"])
    dropped, modeled = ([one for one in columns if "vector" in one["name"]] for columns in summaries)
    assert {one["reason"] for one in dropped} == {"left out (--drop)"}
    assert {one["family"] for one in modeled} == {"student_t"}


def test_lists_that_are_no_embeddings_stay_as_they_are():
    table = pa.table(
        {
            "same": pa.array([[1, 2], None, [3, 4]]),
            "fixed": pa.array([[1.5, 2.5], None, [3.5, 4.5]], pa.list_(pa.float32(), 2)),
            "uneven": pa.array([[1.0, 2.0], [1.0], [3.0, 4.0]]),
            "short": pa.array([[1.0], [1.0], [3.0]]),
            "words": pa.array([["a", "b"], ["c", "d"], ["e", "f"]]),
        }
    )
    found = spread_lists(table)
    names = ["same[0]", "same[1]", "fixed[0]", "fixed[1]", "uneven", "short", "words"]
    assert found.column_names == names
    np.testing.assert_array_equal(found["same[1]"].to_numpy(), [2, np.nan, 4])
    np.testing.assert_array_equal(found["fixed[0]"].to_numpy(), np.float32([1.5, np.nan, 3.5]))


def test_files_that_are_no_embeddings_are_refused(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        read_embeddings(tmp_path / "none.npy")
    for values, words in ((np.zeros(3), r"of shape \(3,\)"), (np.array([["a"]]), "<U1 of shape")):
        np.save(tmp_path / "a.npy", values)
        with pytest.raises(TableError, match=words):
            read_embeddings(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(TableError, match=r"save it with numpy\.save"):
        read_embeddings(tmp_path / "b.npy")
