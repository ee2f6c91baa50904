"""Laws of families of distributions: functions of a case and a generator that raise an AssertionError."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from semigen.data.blocks import Data
from semigen.em import fit, start
from semigen.families import Family
from semigen.testing.trials import (
    N_COMPONENTS,
    Case,
    Draw,
    Trial,
    assert_same_record,
    fit_prior,
    mixture_data,
    obey,
    stats_of,
)

Generator = np.random.Generator


def statistics_of_parts_merge_to_those_of_the_whole(case: Case, rng: Generator) -> None:
    """So rows can be anywhere."""
    for holes in case.shares_missing:
        one = Trial(case, rng, holes=holes)
        parts = np.split(np.arange(len(one.x)), [1, 41, 100])
        merged = one.stats(one.resp, one.params, parts[0])
        for rows in parts[1:]:
            merged = merged.merge(one.stats(one.resp, one.params, rows))
        assert_same_record(merged, one.stats(one.resp, one.params))


def chunks_of_a_walk_add_up(case: Case, rng: Generator) -> None:
    """The scratch memory of one chunk leaves nothing behind in the next."""
    for holes in case.shares_missing:
        one = Trial(case, rng, holes=holes)
        walk = case.family.walk(one.params, np.dtype(float), one.missing)
        for rows in np.split(np.arange(len(one.x)), [50, 57]):
            walk.log_prob(one.x[rows])
            walk.add(np.ascontiguousarray(one.resp[:, rows]))
        assert_same_record(walk.stats(), one.stats(one.resp, one.params))


def a_weight_of_two_is_a_repeated_row(case: Case, rng: Generator) -> None:
    """Weights are numbers of rows."""
    for holes in case.shares_missing:
        one = Trial(case, rng, holes=holes)
        once = stats_of(case.family, one.params, one.x, 2 * one.resp, one.missing)
        both = np.vstack([one.x, one.x]), np.hstack([one.resp, one.resp])
        assert_same_record(once, stats_of(case.family, one.params, *both, one.missing))


def the_order_of_rows_does_not_matter(case: Case, rng: Generator) -> None:
    """Neither for statistics nor for the prior."""
    for holes in case.shares_missing:
        one = Trial(case, rng, holes=holes)
        order = rng.permutation(len(one.x))
        shuffled = stats_of(case.family, one.params, one.x[order], one.resp[:, order], one.missing)
        assert_same_record(shuffled, one.stats(one.resp, one.params))
        assert_same_record(fit_prior(case.family, one.x[order], one.weight[order], None), one.prior)


def rows_without_weight_are_not_visited(case: Case, rng: Generator) -> None:
    """A prior is that of the rows that count, whatever stands in the others."""
    for holes in case.shares_missing:
        one = Trial(case, rng, holes=holes)
        counted = rng.random(len(one.x)) < 0.6
        x = np.where(counted[:, None], one.x, np.nan if case.family.takes_missing else -1.0)
        found = fit_prior(case.family, x, np.where(counted, one.weight, 0.0), None)
        assert_same_record(found, fit_prior(case.family, one.x[counted], one.weight[counted], None))


def the_order_of_components_does_not_matter(case: Case, rng: Generator) -> None:
    """The M-step treats them alike."""
    one = Trial(case, rng)
    order = np.array([2, 0, 1])
    np.testing.assert_allclose(one.log_prob(one.fit(one.resp[order])), one.log_prob()[order], atol=1e-8)


def the_m_step_never_lowers_the_expected_log_posterior(case: Case, rng: Generator) -> None:
    """The objective of rows with given responsibilities rises, with and without a prior."""
    for holes in case.shares_missing:
        for shrinkage in (0.0, None, 5.0):
            one = Trial(case, rng, shrinkage=shrinkage, holes=holes)
            params, last = one.reference, -np.inf
            for _ in range(4):
                value = one.expected_log_posterior(params)
                assert value >= last - 1e-8, f"the M-step lowered the objective from {last} to {value}"
                last = value
                params = one.fit(one.resp, params, steps=1)
            assert last > one.expected_log_posterior(one.reference) + 1.0, "the rows leave nothing to gain"


def the_m_step_is_the_maximum(case: Case, rng: Generator) -> None:
    """Parameters that other responsibilities lead to, near or far, explain these no better."""
    if not case.exact:
        return
    for shrinkage in (0.0, 5.0):
        one = Trial(case, rng, shrinkage=shrinkage)
        best = one.expected_log_posterior(one.params)
        for step in (1e-3, 0.01, 0.1, 1.0, -1e-3, -0.01, -0.1) * 4:
            other = one.weight * rng.dirichlet(np.full(N_COMPONENTS, 0.3), size=len(one.x)).T
            elsewhere = one.fit(np.maximum(one.resp + step * other, 0.0))
            assert one.expected_log_posterior(elsewhere) <= best + 1e-8


def the_log_likelihood_from_statistics_is_the_sum_over_rows(case: Case, rng: Generator) -> None:
    """Where statistics of rows with a known component do not depend on the parameters."""
    for holes in case.shares_missing:
        one = Trial(case, rng, holes=holes)
        if case.family.reusable(one.missing):
            other = one.fit(rng.dirichlet(np.ones(N_COMPONENTS), size=len(one.x)).T)
            found = case.family.log_likelihood(other, one.stats(one.resp, one.params))
            np.testing.assert_allclose(found, (one.resp * one.log_prob(other)).sum(), rtol=1e-10)


def the_log_prior_of_maximum_likelihood_is_zero(case: Case, rng: Generator) -> None:
    """A shrinkage of 0 is no prior."""
    one = Trial(case, rng, shrinkage=0.0)
    assert case.family.log_prior(one.prior, one.params) == 0.0


def a_component_without_rows_has_a_density(case: Case, rng: Generator) -> None:
    """With and without a prior."""
    for holes in case.shares_missing:
        for shrinkage in (0.0, None):
            one = Trial(case, rng, holes=holes, shrinkage=shrinkage)
            empty = one.fit(one.resp * np.array([[1.0], [1.0], [0.0]]))
            assert np.isfinite(one.log_prob(empty)).all()


def a_component_without_rows_and_prior_keeps_its_parameters(case: Case, rng: Generator) -> None:
    """Unless it shares them."""
    if case.separate:
        one = Trial(case, rng, shrinkage=0.0)
        params = one.fit(one.resp * np.array([[1.0], [0.0], [1.0]]), one.params, steps=1)
        np.testing.assert_allclose(one.log_prob(params)[1], one.log_prob()[1], atol=1e-10)


def em_never_lowers_the_objective(case: Case, rng: Generator) -> None:
    """On labeled and unlabeled rows, with and without a prior and missing values."""
    for holes in case.shares_missing:
        for shrinkage in (0.0, None):
            one = Trial(case, rng, shrinkage=shrinkage, holes=holes, n=150)
            mixture, data, engine = mixture_data(one, 0.2, rng)
            begin = start(mixture, one.prior, data, engine, rng)
            path = fit(mixture, one.prior, data, begin, engine, max_iter=15, tol=0.0).path
            assert len(path) > 5
            assert np.diff(path).min() > -1e-9, "the objective fell"
            assert path[-1] > path[0] + 1e-4, "the start leaves nothing to gain"


def unlabeled_rows_of_weight_zero_are_as_good_as_absent(case: Case, rng: Generator) -> None:
    """So an unlabeled weight of 0 is supervised learning."""
    one = Trial(case, rng)
    mixture, data, engine = mixture_data(one, 0.4, rng)
    labeled = data.labels.is_labeled
    alone = Data(data.x[labeled], data.labels.take(np.flatnonzero(labeled)), data.weight[labeled])
    ignored = Data(data.x, data.labels, np.where(labeled, data.weight, 0.0))
    found = []
    for rows in (alone, ignored):
        prior = case.family.fit_prior(rows, None, engine)
        begin = start(mixture, prior, rows, engine, np.random.default_rng(0))
        result = fit(mixture, prior, rows, begin, engine, max_iter=5)
        found.append((result.objective, one.log_prob(result.params.family)))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-10)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-9, atol=1e-9)


def samples_have_the_mean_of_the_summary(case: Case, rng: Generator) -> None:
    """Within five standard errors."""
    one = Trial(case, rng)
    component = np.repeat(np.arange(N_COMPONENTS), 20_000)
    x = case.family.sample(one.params, component, rng)
    for c, mean in enumerate(one.summary.get("mean", ())):
        mine = x[component == c]
        error = mine.std(axis=0) / np.sqrt(len(mine))
        assert np.all(np.abs(mine.mean(axis=0) - mean) <= 5 * error + 1e-9)


def a_row_without_any_value_has_density_one(case: Case, rng: Generator) -> None:
    """Missing values drop out of the density."""
    if case.family.takes_missing:
        one = Trial(case, rng, n=60)
        rows = one.x[:4].copy()
        rows[2] = np.nan
        np.testing.assert_allclose(one.log_prob(x=rows)[:, 2], 0.0, atol=1e-12)


def looking_for_missing_values_changes_nothing_where_there_are_none(case: Case, rng: Generator) -> None:
    """Log densities and M-steps are those of complete rows."""
    if not case.family.takes_missing:
        return
    one = Trial(case, rng)
    for missing in (np.zeros(one.x.shape[1], dtype=bool), np.ones(one.x.shape[1], dtype=bool)):
        walks = [case.family.walk(one.params, np.dtype(float), some) for some in (missing, None)]
        np.testing.assert_allclose(walks[0].log_prob(one.x), walks[1].log_prob(one.x), rtol=1e-12, atol=1e-12)
        stats = one.stats(one.resp, one.params), stats_of(case.family, one.params, one.x, one.resp, missing)
        steps = [one.log_prob(case.family.m_step(one.prior, some, one.params)) for some in stats]
        np.testing.assert_allclose(steps[0], steps[1], rtol=1e-10, atol=1e-10)


def filling_leaves_observed_values_and_nothing_missing(case: Case, rng: Generator) -> None:
    """Of expectations and of draws; the rows given stay as they are."""
    if not case.family.takes_missing:
        return
    one = Trial(case, rng, holes=0.4)
    x = np.vstack([one.x, np.full((2, one.x.shape[1]), np.nan)])
    there, before = ~np.isnan(x), x.copy()
    resp = np.full((N_COMPONENTS, len(x)), 1 / N_COMPONENTS)
    for filled in (
        case.family.expect_missing(one.params, x, resp),
        case.family.draw_missing(one.params, x, rng.integers(N_COMPONENTS, size=len(x)), rng),
    ):
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[there], x[there])
    np.testing.assert_array_equal(x, before)


def points_are_numbers_near_the_origin(case: Case, rng: Generator) -> None:
    """Rows of one component are nearer to each other than rows of different components."""
    for holes in case.shares_missing:
        one = Trial(case, rng, holes=holes)
        points = case.family.points(one.prior, one.x)
        assert points.shape[0] == len(one.x)
        assert np.isfinite(points).all()
        assert np.abs(points.mean(axis=0)).max() < 1.0
        center = np.stack([points[one.component == c].mean(axis=0) for c in range(N_COMPONENTS)])
        assert np.linalg.norm(center - center.mean(axis=0), axis=1).min() > 0.1


def sparse_rows_are_read_like_dense_ones(case: Case, rng: Generator) -> None:
    """Where the family takes them."""
    if not case.family.takes_sparse:
        return
    one = Trial(case, rng)
    sparse = csr_array(one.x)
    walks = [case.family.walk(one.params, np.dtype(float)) for _ in range(2)]
    np.testing.assert_allclose(walks[0].log_prob(one.x), walks[1].log_prob(sparse), rtol=1e-12)
    for walk in walks:
        walk.add(one.resp)
    assert_same_record(walks[1].stats(), walks[0].stats())
    assert_same_record(fit_prior(case.family, sparse, one.weight, None), one.prior)
    points = [case.family.points(one.prior, rows) for rows in (sparse, one.x)]
    np.testing.assert_allclose(points[0], points[1], atol=1e-12)
    paths = []
    for form in (False, True):
        generator = np.random.default_rng(3)
        mixture, data, engine = mixture_data(one, 0.2, generator, sparse=form)
        begin = start(mixture, one.prior, data, engine, generator)
        paths.append(fit(mixture, one.prior, data, begin, engine, max_iter=5, tol=0.0).path)
    np.testing.assert_allclose(paths[0], paths[1], rtol=1e-11)


FAMILY_LAWS: tuple[Callable[[Case, Generator], None], ...] = (
    statistics_of_parts_merge_to_those_of_the_whole,
    chunks_of_a_walk_add_up,
    a_weight_of_two_is_a_repeated_row,
    the_order_of_rows_does_not_matter,
    rows_without_weight_are_not_visited,
    the_order_of_components_does_not_matter,
    the_m_step_never_lowers_the_expected_log_posterior,
    the_m_step_is_the_maximum,
    the_log_likelihood_from_statistics_is_the_sum_over_rows,
    the_log_prior_of_maximum_likelihood_is_zero,
    a_component_without_rows_has_a_density,
    a_component_without_rows_and_prior_keeps_its_parameters,
    em_never_lowers_the_objective,
    unlabeled_rows_of_weight_zero_are_as_good_as_absent,
    samples_have_the_mean_of_the_summary,
    a_row_without_any_value_has_density_one,
    looking_for_missing_values_changes_nothing_where_there_are_none,
    filling_leaves_observed_values_and_nothing_missing,
    points_are_numbers_near_the_origin,
    sparse_rows_are_read_like_dense_ones,
)


def check_family(
    family: Family, draw: Draw, *, exact: bool = True, separate: bool = True, random_state: int = 0
) -> None:
    """Check that a family of distributions obeys the laws that every family of semigen obeys.

    To see each law as a test of its own, parametrize a test over ``FAMILY_LAWS``, functions of a
    :class:`Case` and a random generator.

    Parameters
    ----------
    family : Family
    draw : callable (rng, component) -> ndarray of shape (n, D)
        Draws complete dense rows of three components that overlap but can be told apart; ``component`` (n,)
        is in 0 … 2. Two columns or more.
    exact : bool, default=True
        Whether one M-step reaches the maximum from anywhere. False: it only rises.
    separate : bool, default=True
        Whether components share no parameter.
    random_state : int, default=0

    Raises
    ------
    AssertionError
        If a law does not hold.
    """
    case = Case(family.name, family, draw, exact, separate)
    obey(FAMILY_LAWS, case, random_state=random_state)
