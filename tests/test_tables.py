"""The classifier on tables of mixed columns with holes: frames by name, filled-in cells, samples."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from semigen import MixtureClassifier, load, save
from semigen.exceptions import ColumnError, ColumnWarning
from semigen.io.tables import read_table

FAMILY = {"visits": "poisson"}


@pytest.fixture
def table(rng):
    n = 400
    truth = rng.integers(2, size=n)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40 + 15 * truth, 6.0),
            "color": pd.Categorical.from_codes(
                np.where(rng.random(n) < 0.8, truth, rng.integers(3, size=n)), ["blue", "red", "green"]
            ),
            "visits": rng.poisson(1 + 4 * truth),
            "member": rng.random(n) < 0.2 + 0.6 * truth,
            "town": np.array(["Ulm", "Bonn", "Kiel"])[rng.integers(3, size=n)],
        }
    )
    frame["visits"] = frame["visits"].astype("Int64")
    frame["member"] = frame["member"].astype("boolean")
    for name in frame.columns:
        frame.loc[rng.random(n) < 0.15, name] = pd.NA
    y = np.where(truth == 1, "yes", "no").astype(object)
    marked = y.copy()
    marked[20:] = None
    return frame, marked, y


@pytest.fixture
def model(table):
    frame, marked, _ = table
    return MixtureClassifier(FAMILY).fit(frame, marked)


def test_a_mixed_table_with_holes_is_learned(table, model):
    frame, _, y = table
    assert model.feature_kinds_ == ["number", "category", "count", "flag", "category"]
    names = [family.name for _, family in model.mixture_.family.blocks]
    assert names == ["gaussian", "categorical", "poisson", "bernoulli"]
    assert model.score(frame, y) > 0.85
    assert (np.diff(model.objective_path_) >= -1e-9).all()
    assert np.isfinite(model.score_samples(frame)).all()


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "pyarrow"])
def test_every_library_gives_the_same_model(table, model, convert):
    frame, marked, _ = table
    other = MixtureClassifier(FAMILY).fit(convert(frame), marked)
    np.testing.assert_allclose(other.predict_proba(convert(frame)), model.predict_proba(frame), atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(convert(frame)), model.predict_proba(frame), atol=1e-9)


def test_columns_go_by_name(table, model):
    frame, _, _ = table
    wanted = model.predict_proba(frame)
    moved = frame[frame.columns[::-1]].assign(extra=1.0, another="text of no use")
    np.testing.assert_array_equal(model.predict_proba(moved), wanted)
    with pytest.raises(ColumnError, match="'visits'"):
        model.predict(frame.drop(columns="visits"))


def test_a_level_that_training_did_not_know_is_no_error(table, model):
    frame, _, _ = table
    new = frame.head(3).assign(town="Aachen")
    with pytest.warns(ColumnWarning, match="'town', such as 'Aachen', are none of the"):
        assert np.isfinite(model.predict_log_proba(new)).all()


def test_missing_cells_are_filled_in_the_caller_s_types(table, model):
    frame, _, _ = table
    filled = model.impute(frame)
    assert isinstance(filled, pd.DataFrame)
    assert list(filled.columns) == list(frame.columns)
    assert not filled.isna().any().any()
    there = frame.notna()
    for name in ("color", "town", "member"):
        assert filled[name][there[name]].tolist() == frame[name][there[name]].tolist()
        assert set(filled[name]) <= set(frame[name].dropna())
    for name in ("age", "visits"):
        np.testing.assert_array_equal(filled[name][there[name]], frame[name][there[name]].astype(float))


def test_draws_of_missing_cells_differ_and_have_the_conditional_mean(table, model):
    frame, _, _ = table
    mean = model.impute(frame)["age"].to_numpy()
    draws = model.impute(frame, n_draws=200, random_state=3)
    assert len(draws) == 200
    ages = np.array([draw["age"].to_numpy() for draw in draws])
    holes = frame["age"].isna().to_numpy()
    assert (ages[:, ~holes] == ages[0, ~holes]).all()
    standard_error = ages[:, holes].std(axis=0) / np.sqrt(200)
    assert (standard_error > 0).all()
    error = (ages[:, holes].mean(axis=0) - mean[holes]) / standard_error
    assert np.sqrt((error**2).mean()) < 1.3
    again = model.impute(frame, n_draws=2, random_state=3)
    pd.testing.assert_frame_equal(again[1], draws[1])


def test_a_table_without_holes_is_imputed_as_it_is(table, model):
    whole = table[0].dropna()
    filled = model.impute(whole)
    assert filled["age"].tolist() == whole["age"].tolist()
    array = np.random.default_rng(0).normal(size=(30, 2))
    numbers = MixtureClassifier().fit(array, np.arange(30) % 2)
    np.testing.assert_array_equal(numbers.impute(array), array)


def test_samples_are_tables_of_the_same_kind(table, model):
    rows, labels = model.sample(500, random_state=0)
    assert isinstance(rows, pd.DataFrame)
    assert set(rows["town"]) <= {"Ulm", "Bonn", "Kiel"}
    assert (model.predict(rows) == labels).mean() > 0.85
    refitted = MixtureClassifier(FAMILY).fit(rows, labels)
    assert refitted.score(table[0], table[2]) > 0.8


def test_a_saved_model_reads_the_same_tables(table, model, tmp_path):
    save(model, tmp_path / "m.semigen")
    again = load(tmp_path / "m.semigen")
    frame = table[0][table[0].columns[::-1]]
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert again.schema_ == model.schema_


@pytest.mark.parametrize("shape", ["full", "tied", "diag", "spherical", "low_rank"])
def test_holes_cost_little_where_columns_explain_each_other(shape, rng):
    truth = rng.integers(2, size=400)
    X = rng.normal(size=(400, 1)) + 0.3 * rng.normal(size=(400, 5)) + 2.0 * truth[:, None] * [1, -1, 1, -1, 0]
    y = np.where(np.arange(400) < 40, truth, -1)
    whole = MixtureClassifier(covariance=shape).fit(X, y)
    holes = X.copy()
    holes[rng.random(X.shape) < 0.15] = np.nan
    model = MixtureClassifier(covariance=shape).fit(holes, y)
    assert (np.diff(model.objective_path_) >= -1e-9).all()
    assert model.score(holes, truth) > whole.score(X, truth) - 0.1
    filled = model.impute(holes)
    gap = np.isnan(holes)
    if shape in ("full", "tied"):
        assert np.abs(filled - X)[gap].mean() < 0.6 * np.abs(X - X.mean(axis=0))[gap].mean()


def test_a_family_without_holes_says_so(rng):
    X = rng.random((40, 5))
    X[3, 2] = np.nan
    with pytest.raises(ColumnError, match="'von_mises_fisher' cannot have any"):
        MixtureClassifier("von_mises_fisher").fit(X, np.arange(40) % 2)


def test_sparse_rows_are_documents(rng):
    from scipy.sparse import csr_array

    truth = rng.integers(2, size=300)
    rates = np.where(truth[:, None] == 1, [3, 3, 0.2, 0.2, 1, 1], [0.2, 0.2, 3, 3, 1, 1])
    X = csr_array(rng.poisson(rates).astype(float))
    y = np.where(np.arange(300) < 10, truth, -1)
    model = MixtureClassifier().fit(X, y)
    assert model.mixture_.family.name == "multinomial"
    assert model.score(X, truth) > 0.95
    np.testing.assert_allclose(model.predict_proba(X), model.predict_proba(X.tocoo()), atol=1e-12)
    with pytest.raises(ColumnError, match="'gaussian' takes no sparse rows"):
        MixtureClassifier("gaussian").fit(X, y)


def test_views_and_long_decimals_of_parquet_are_plain_types(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["a", None]).cast(pa.string_view()),
            "number": pa.array([1, 2]).cast(pa.decimal128(38, 2)).cast(pa.decimal256(40, 2)),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet")
    assert found.schema.types == [pa.large_string(), pa.float64()]
    assert found.to_pydict() == {"text": ["a", None], "number": [1.0, 2.0]}
