"""Blocks of columns with families of their own, and what names and kinds of columns lead to."""

import numpy as np
import pandas as pd
import pytest

from laws import fit_prior
from semigen import MixtureClassifier
from semigen.columns import Schema, learn
from semigen.exceptions import ColumnError, ParameterError
from semigen.families import (
    FAMILIES,
    FAMILY_OF_KIND,
    Bernoulli,
    Categorical,
    Gaussian,
    Poisson,
    Product,
    choose,
    wanted_kinds,
)
from semigen.representation import PlainColumns


@pytest.fixture
def rows(rng):
    x = np.column_stack(
        [
            rng.normal(size=80),
            rng.integers(3, size=80),
            rng.normal(size=80),
            rng.poisson(4.0, size=80),
            rng.integers(2, size=80),
        ]
    ).astype(float)
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


BLOCKS = ([0, 2], Gaussian("full")), ([1], Categorical()), ([3], Poisson()), ([4], Bernoulli())


def fitted(family, x, rng, resp=None):
    prior = fit_prior(family, x, np.ones(len(x)), None)
    resp = rng.dirichlet(np.ones(2), size=len(x)).T if resp is None else resp
    walk = family.walk(family.reference(prior, 2), float, np.isnan(x).any(axis=0))
    walk.log_prob(x)
    walk.add(resp)
    stats = walk.stats()
    return prior, stats, family.m_step(prior, stats, family.reference(prior, 2)), resp


def test_the_log_density_is_the_sum_of_the_blocks(rows, rng):
    product = Product(BLOCKS)
    missing = np.isnan(rows).any(axis=0)
    prior, _, params, resp = fitted(product, rows, rng)
    total, free, log_prior = 0.0, 0, 0.0
    for columns, family in BLOCKS:
        own_prior, _, own, _ = fitted(family, rows[:, columns], rng, resp)
        total = total + family.walk(own, float, missing[columns]).log_prob(rows[:, columns])
        free += family.n_free(own)
        log_prior += family.log_prior(own_prior, own)
    np.testing.assert_allclose(product.walk(params, float, missing).log_prob(rows), total, rtol=1e-12)
    assert product.n_free(params) == free
    assert product.log_prior(prior, params) == pytest.approx(log_prior, rel=1e-12)
    assert prior.strength == tuple(
        fit_prior(family, rows[:, columns], np.ones(80), None).strength for columns, family in BLOCKS
    )


def test_order_of_blocks_and_columns_does_not_matter(rows, rng):
    first, second = Product(BLOCKS), Product(BLOCKS[::-1])
    missing = np.isnan(rows).any(axis=0)
    _, _, a, resp = fitted(first, rows, rng)
    _, _, b, _ = fitted(second, rows, rng, resp)
    one, other = first.walk(a, float, missing), second.walk(b, float, missing)
    np.testing.assert_allclose(one.log_prob(rows), other.log_prob(rows), rtol=1e-12)


def test_the_columns_of_a_gapless_block_are_no_copy():
    x = np.ones((4, 6))
    parts = [
        x[:, columns]
        for columns in Product([((1, 2), Poisson()), ((0, 4), Poisson()), ((3, 5), Poisson())])._columns()
    ]
    assert [np.shares_memory(part, x) for part in parts] == [True, False, False]


def test_a_block_without_holes_keeps_its_fast_path_and_its_reusable_statistics(rows):
    product = Product(BLOCKS)
    gaussian_only = np.array([True, False, False, False, False])
    assert product.reusable(None)
    assert product.reusable(~gaussian_only & np.array([True, True, False, True, True]))
    assert not product.reusable(gaussian_only)


def test_missing_cells_are_filled_block_by_block_and_filled_cells_stay(rows, rng):
    product = Product(BLOCKS)
    _, _, params, resp = fitted(product, rows, rng)
    missing = np.isnan(rows)
    for filled in (
        product.expect_missing(params, rows, resp),
        product.draw_missing(params, rows, rng.integers(2, size=len(rows)), rng),
    ):
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[~missing], rows[~missing])
        assert set(np.unique(filled[:, 4])) <= {0.0, 1.0}
        assert set(np.unique(filled[:, 1])) <= {0.0, 1.0, 2.0}


def test_summary_has_each_block_and_the_means_where_there_are_any(rows, rng):
    product = Product(BLOCKS)
    _, _, params, _ = fitted(product, rows, rng)
    summary = product.summary(params)
    assert [block["family"] for block in summary["blocks"]] == [
        "gaussian",
        "categorical",
        "poisson",
        "bernoulli",
    ]
    np.testing.assert_array_equal(summary["mean"][:, [0, 2]], summary["blocks"][0]["mean"])
    assert np.isnan(summary["mean"][:, 1]).all()


def test_every_column_belongs_to_one_block():
    with pytest.raises(ParameterError, match=r"\[0, 0, 1\].*exactly one block"):
        Product([([0, 1], Gaussian()), ([0], Poisson())])
    with pytest.raises(ParameterError, match="exactly one block"):
        Product([([0, 2], Gaussian())])


def test_an_error_in_a_block_names_its_columns(rows):
    rows[:, 3] = -1.0
    with pytest.raises(ColumnError, match=r"^column\(s\) 3, counted from 0: values such as -1, which are no"):
        fitted(Product(BLOCKS), rows, np.random.default_rng(0))


SCHEMA = Schema(
    names=("age", "color", "visits", "member", "height"),
    kinds=("number", "category", "count", "flag", "number"),
    levels=(None, ("blue", "red"), None, None, None),
    library="pandas",
)


def blocks(family):
    return [(columns, type(one)) for columns, one in family.blocks]


def test_auto_goes_by_the_kinds_of_the_columns():
    assert blocks(choose("auto", "tied", SCHEMA)) == [
        ((0, 2, 4), Gaussian),
        ((1,), Categorical),
        ((3,), Bernoulli),
    ]
    numbers = Schema(None, ("number",) * 3, (None,) * 3, None)
    assert choose("auto", "tied", numbers).covariance.name == "tied"
    assert choose("auto", "full", numbers, sparse=True).name == "multinomial"


def test_a_column_s_own_entry_comes_before_its_kind_s():
    found = choose({"count": "poisson", "number": "student_t", "age": "gaussian"}, "diag", SCHEMA)
    names = {columns: family.name for columns, family in found.blocks}
    assert names == {
        (0,): "gaussian",
        (1,): "categorical",
        (2,): "poisson",
        (3,): "bernoulli",
        (4,): "student_t",
    }
    assert found.blocks[0][1].covariance.name == "diag"


def test_columns_are_read_as_their_family_wants_them():
    assert wanted_kinds("auto") is None
    assert wanted_kinds("categorical") == "category"
    assert wanted_kinds({"age": "gaussian", "zip": "categorical", "number": "student_t"}) == {
        "age": "number",
        "zip": "category",
    }
    assert set(FAMILY_OF_KIND) == {"number", "count", "flag", "category", "text", "date"}
    modeled_as = {"count": "number", "text": "word", "date": "number"}
    for kind, name in FAMILY_OF_KIND.items():
        assert FAMILIES[name].kind == modeled_as.get(kind, kind)


def test_levels_are_not_taken_for_numbers():
    with pytest.raises(ParameterError, match=r"'color' is a category.*'gaussian'"):
        choose({"category": "gaussian"}, "full", SCHEMA)


def test_sparse_rows_need_a_family_that_takes_them():
    with pytest.raises(ColumnError, match=r"'gaussian' takes no sparse rows.*'multinomial'"):
        choose("gaussian", "full", SCHEMA, sparse=True)


def test_a_dict_of_column_numbers_splits_an_array(rng):
    truth = rng.integers(2, size=300)
    X = np.column_stack([rng.normal(3.0 * truth), rng.poisson(1 + 4 * truth), rng.integers(3, size=300)])
    model = MixtureClassifier({1: "poisson", 2: "categorical"}).fit(
        X, np.where(np.arange(300) < 20, truth, -1)
    )
    assert [type(family) for _, family in model.mixture_.family.blocks] == [Gaussian, Poisson, Categorical]
    assert model.score(X, truth) > 0.9
    assert model.schema_ == learn(X, {1: "count", 2: "category"})[0]


def test_an_error_of_a_block_names_the_columns_of_the_table(rng):
    frame = pd.DataFrame({"note": ["good day", "bad day"] * 20, "x": rng.normal(size=40)})
    frame["far"] = 1e200 * frame["x"]
    y = [0, 1, *[-1] * 38]
    with pytest.raises(ColumnError, match=r"^column\(s\) 'far': the squares .* or take logarithms.$"):
        MixtureClassifier({"note": "multinomial"}, unlabeled_weight=1).fit(frame, y)
    with pytest.raises(ColumnError, match=r"^column\(s\) 'far': the squares"):
        PlainColumns().fit(frame.assign(note=frame["note"].astype("category"))[["note", "x", "far"]])
    with pytest.raises(ColumnError, match=r"^column\(s\) 0, counted from 0: the squares"):
        MixtureClassifier().fit(np.array([[1e200, 1.0], [1.0, 1.0]] * 20), y)


def test_words_that_no_row_that_counts_has_say_nothing(rng):
    """As a column of numbers without a value in the rows that count does."""
    truth = np.arange(200) % 2
    x = rng.normal(3.0 * truth)
    notes = np.where(np.arange(200) < 20, "", np.where(truth, "bad day of rain", "good day of sun"))
    frame = pd.DataFrame({"note": notes, "x": x})
    y = np.where(np.arange(200) < 20, truth, -1)
    wish = {"note": "multinomial"}
    supervised = MixtureClassifier(wish, unlabeled_weight=0).fit(frame, y)
    without = MixtureClassifier(unlabeled_weight=0).fit(frame[["x"]], y)
    alone = without.predict_proba(frame[["x"]])
    np.testing.assert_allclose(supervised.predict_proba(frame), alone, atol=1e-12)
    assert MixtureClassifier(wish).fit(frame, y).score(frame, truth) > 0.9  # tries λ = 0, too
