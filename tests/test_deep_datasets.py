"""PyTorch's datasets and data loaders, and files, as X: the fit and the answers are those of the table."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset  # noqa: E402

from semigen.data import from_files  # noqa: E402
from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures  # noqa: E402
from semigen.deep.data.datasets import as_table  # noqa: E402
from semigen.exceptions import ColumnError, ColumnWarning, LabelError, ParameterError  # noqa: E402
from semigen.representation import MixtureEnsembleFeatures  # noqa: E402

FEW = {"hidden": 8, "n_steps": 5, "random_state": 0, "device": "cpu"}


class Rows(Dataset):
    """Rows with labels, one by one."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i], self.y[i]


class Stream(IterableDataset):
    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items)


@pytest.fixture
def images(rng):
    """Forty images of 2 × 4 × 4 bytes over 255, and partial labels."""
    X = (rng.integers(0, 256, size=(40, 2, 4, 4)) / 255).astype(np.float32)
    return X, [None if i % 4 else ("a", "b")[i % 8 // 4] for i in range(40)]


def numbers_of(y):
    return np.array([-1 if label is None else "ab".index(label) for label in y])


def test_any_form_of_the_rows_is_the_table(images):
    X, y = images
    code = torch.from_numpy(numbers_of(y))
    both = TensorDataset(torch.from_numpy(X), code)
    forms = {
        "dataset": (Rows(X, y), y),
        "stream": (Stream(zip(X, y, strict=True)), y),
        "rows": (Stream(iter(X)), [None] * 40),
        "tensors": (both, code.tolist()),
        "one tensor": (TensorDataset(torch.from_numpy(X)), [None] * 40),
        "loader": (DataLoader(both, batch_size=7), code.tolist()),
        "batches": (((X[i : i + 9], y[i : i + 9]) for i in range(0, 40, 9)), y),
        "batches of rows": ((X[i : i + 9] for i in range(0, 40, 9)), [None] * 40),
    }
    for name, (source, labels) in forms.items():
        table, found = as_table(source)
        np.testing.assert_array_equal(table, X.reshape(40, 32), err_msg=name)
        assert (table.dtype, found) == (np.float32, labels), name
    assert as_table(Rows(X, y), y[::-1])[1] == y[::-1]
    assert as_table(X, y)[0] is X


@pytest.mark.parametrize(("given", "kept"), [(np.uint8, np.float32), (np.int64, np.float64)])
def test_numbers_keep_their_digits(given, kept):
    table, _ = as_table(Rows(np.arange(6).reshape(3, 2).astype(given), [None] * 3))
    assert table.dtype == kept
    np.testing.assert_array_equal(table, [[0, 1], [2, 3], [4, 5]])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model",
    [
        GANClassifier(unlabeled_weight=1.0, calibrate=1.0, **FEW),
        VAEClassifier(VAEFeatures(**FEW), unlabeled_weight=1.0, calibrate=1.0, **FEW),
    ],
)
def test_fits_and_answers_are_those_of_the_array(model, images):
    X, y = images
    wanted = model.fit(X.reshape(40, 32), y).predict_proba(X.reshape(40, 32))
    found = model.fit(Rows(X, y))
    assert found.classes_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(found.predict_proba(Rows(X, y)), wanted)
    loader = DataLoader(TensorDataset(torch.from_numpy(X)), batch_size=16)
    np.testing.assert_array_equal(found.predict_proba(loader), wanted)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_features_take_them_too(images):
    X, y = images
    features = VAEFeatures(**FEW)
    wanted = features.fit(X.reshape(40, 32)).transform(X.reshape(40, 32))
    np.testing.assert_allclose(features.fit(Rows(X, y)).transform(Rows(X, y)), wanted, rtol=1e-6)


def test_what_is_no_table_is_refused(images):
    X, y = images
    with pytest.raises(ColumnError, match="one size"):
        as_table(Stream([X[0], X[1, :1]]))
    with pytest.raises(ColumnError, match=r"2 label\(s\) and rows of shape \(3, 2, 4, 4\)"):
        as_table(iter([(X[:3], y[:2])]))
    with pytest.raises(ColumnError, match="gives no rows"):
        as_table(iter([]))
    with pytest.raises(ColumnError, match="gives dict as rows"):
        as_table(Stream([{"image": X[0]}]))
    with pytest.raises(LabelError):
        GANClassifier(**FEW).fit(Rows(X, [None] * 40))


@pytest.fixture
def files(rng, tmp_path):
    """A table with gaps, categories and weights, and a source of it in two files."""
    frame = pd.DataFrame(rng.normal(size=(60, 3)).astype(np.float32), columns=list("pqr"))
    frame["kind"] = pd.Series(np.array(["x", "y", None], dtype=object)[np.arange(60) % 3]).fillna("z")
    frame["visits"] = rng.integers(0, 9, 60)
    frame["weight"] = np.where(np.arange(60) % 7 == 0, 0.0, 1 + np.arange(60) % 2)
    frame["label"] = np.where(np.arange(60) % 4 == 0, np.where(frame["p"] > 0, "a", "b"), None)
    frame.loc[5:9, "q"] = np.nan
    frame[:40].to_parquet(tmp_path / "1.parquet")
    frame[40:].to_parquet(tmp_path / "2.parquet")
    return frame, from_files(tmp_path, target="label", weight="weight")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model",
    [
        GANClassifier(**FEW),
        VAEClassifier(likelihood={"visits": "poisson"}, **FEW),
        VAEClassifier(VAEFeatures(likelihood={"visits": "gaussian"}, **FEW), **FEW),
        FlowMixtureClassifier(components_per_class=2, n_transforms=1, bins=3, **FEW),
    ],
    ids=["GAN", "M2", "M1+M2", "flow"],
)
def test_a_fit_to_files_is_that_to_the_table_in_memory(model, files, tmp_path):
    frame, source = files
    columns = frame.columns[:5]
    if isinstance(model, FlowMixtureClassifier):
        columns = ["p", "r", "visits"]
        frame[[*columns, "weight", "label"]].to_parquet(tmp_path / "flow.parquet")
        source = from_files(tmp_path / "flow.parquet", target="label", weight="weight")
    table = frame[columns]
    wanted = clone(model).fit(table, frame["label"], frame["weight"])
    found = clone(model).fit(source)
    np.testing.assert_allclose(found.predict_proba(table), wanted.predict_proba(table), rtol=1e-12)
    assert found.verdict_ == wanted.verdict_
    assert found.feature_names_in_.tolist() == list(columns)
    with pytest.raises(ColumnError, match="only a fit takes"):
        found.predict(source)


def test_features_of_files_are_those_of_the_table(files):
    frame, source = files
    table = frame[["p", "q", "r", "kind", "visits"]]
    wanted = VAEFeatures(**FEW).fit(table).transform(table)
    found = VAEFeatures(**FEW).fit(source)
    np.testing.assert_allclose(found.transform(table), wanted, rtol=1e-12)
    assert found.feature_names_in_.tolist() == list(table)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model",
    [GANClassifier(**FEW), VAEClassifier(**FEW), VAEClassifier(VAEFeatures(**FEW), **FEW)],
    ids=["GAN", "M2", "M1+M2"],
)
def test_all_fits_of_a_classifier_read_its_columns_once(model, rng):
    words = [f"a {('red', 'big', 'old')[i % 3]} cat {i}" for i in range(60)]
    X = pd.DataFrame({"said": words, "size": rng.normal(size=60)})
    y = np.where(np.arange(60) < 20, np.arange(60) % 2, -1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    said = [one for one in caught if issubclass(one.category, ColumnWarning)]
    assert len(said) == 1
    assert said[0].filename == __file__
    assert len(model.comparison_.rows) == 20  # with folds
    assert model.n_features_in_ == 2
    assert model.predict_proba(X[:3]).shape == (3, 2)


def test_features_that_want_a_table_take_no_source(files):
    model = VAEClassifier(MixtureEnsembleFeatures(2), **FEW)
    with pytest.raises(ParameterError, match="takes a table as it is, and X is a source of rows"):
        model.fit(files[1])
