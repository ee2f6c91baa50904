"""Laws of EM: the kernel against a naive twin, the loop's objective, engines that agree."""

import copy
import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import logsumexp
from sklearn.mixture import GaussianMixture

from semigen.arrays.scratch import Scratch
from semigen.arrays.special import log_sum_exp, normalize
from semigen.data.labels import Labels, encode
from semigen.em import (
    ClassPrior,
    Data,
    Mixture,
    Params,
    Stats,
    ThreadEngine,
    e_step,
    fit,
    log_joint,
    m_step,
    start,
)
from semigen.em.kernel import entropy, hold
from semigen.em.loop import Fit, warn_unless_converged
from semigen.exceptions import ObjectiveDecreasedWarning, ParameterError
from semigen.families import Gaussian
from semigen.families.covariance.base import MOST_ROWS, LocationShape
from semigen.families.covariance.full import DenseShape
from twins import SHAPES, moments, naive_log_joint

STRUCTURES = {
    "one component a class": (0, 1, 2),
    "two of class 1": (0, 1, 1, 2),
    "novel components": (0, 1, 2, 3, 3),
}
PRIORS = {
    "shared": ClassPrior("shared"),
    "unlabeled": ClassPrior("unlabeled"),
    "fixed": ClassPrior("fixed", np.array([0.2, 0.3, 0.5])),
}


@pytest.fixture(params=list(STRUCTURES))
def group(request):
    return STRUCTURES[request.param]


def test_log_sum_exp_and_normalize_are_scipys(rng):
    values = rng.normal(scale=30, size=(4, 50))
    values[1, :10] = -np.inf
    wanted = logsumexp(values, axis=0)
    np.testing.assert_allclose(log_sum_exp(values), wanted, rtol=1e-13)
    resp, log_prob = normalize(values.copy())
    np.testing.assert_allclose(log_prob, wanted, rtol=1e-13)
    np.testing.assert_allclose(resp, np.exp(values - wanted), atol=1e-18)
    assert log_sum_exp(np.full((3, 2), -np.inf)).tolist() == [-np.inf, -np.inf]


def test_normalize_leaves_no_denormal_number_in_float32():
    values = -np.linspace(0, 200, 401, dtype=np.float32)[None].repeat(2, 0)
    values[0] = 0
    resp, _ = normalize(values)
    assert resp.dtype == np.float32
    assert not ((resp > 0) & (resp < np.finfo(np.float32).tiny)).any()


def test_e_step_is_the_naive_one(family, group, make_problem):
    problem = make_problem(family, group=group)
    stats = e_step(problem.mixture, problem.params, problem.data)
    joint = naive_log_joint(problem, problem.params)
    log_prob = logsumexp(joint, axis=1)
    resp = np.exp(joint - log_prob[:, None]) * problem.data.weight[:, None]
    assert stats.log_lik == pytest.approx(problem.data.weight @ log_prob, rel=1e-10)
    labeled = problem.data.labels.is_labeled
    np.testing.assert_allclose(stats.weight[1], resp[labeled].sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(stats.weight[0], resp[~labeled].sum(axis=0), atol=1e-9)
    y = problem.x - problem.prior.center
    np.testing.assert_allclose(stats.family.first, resp.T @ y, atol=1e-8)
    wanted = -(resp * np.where(resp > 0, joint - log_prob[:, None], 0)).sum()
    assert entropy(problem.mixture, problem.params, problem.data) == pytest.approx(wanted, abs=1e-8)


def test_soft_labels_and_candidate_sets_weigh_the_classes(make_problem):
    problem = make_problem(Gaussian("full"))
    matrix = np.random.default_rng(3).dirichlet(np.ones(3), size=len(problem.x))
    matrix[:20] = np.eye(3)[np.arange(20) % 3]
    matrix[20:40] = [1, 1, 0]
    matrix[40:60] = np.nan
    problem.data = Data(problem.x, encode(matrix), problem.data.weight)
    stats = e_step(problem.mixture, problem.params, problem.data)
    wanted = logsumexp(naive_log_joint(problem, problem.params), axis=1)
    assert stats.log_lik == pytest.approx(problem.data.weight @ wanted, rel=1e-10)


def test_log_joint_is_the_unlabeled_rows(family, group, make_problem):
    problem = make_problem(family, group=group)
    found = log_joint(problem.mixture, problem.params, problem.data)
    problem.data = Data(problem.x, problem.data.labels.take(np.full(len(problem.x), -1)), problem.data.weight)
    labels = problem.data.labels
    problem.data = Data(
        problem.x, Labels(labels.classes, labels.log_table, labels.pattern * 0), problem.data.weight
    )
    joint = naive_log_joint(problem, problem.params)
    for g in range(problem.mixture.n_groups):
        np.testing.assert_allclose(
            found[:, g], logsumexp(joint[:, np.asarray(group) == g], axis=1), atol=1e-9
        )


@pytest.mark.parametrize("prior", list(PRIORS))
def test_weights_are_the_maximum_of_their_part_of_the_objective(prior, group, make_problem, rng):
    """No other class or component probabilities allowed by the class prior explain the counts better."""
    problem = make_problem(Gaussian("diag"), group=group, kind=PRIORS[prior])
    mixture = problem.mixture
    stats = e_step(mixture, problem.params, problem.data)
    best = m_step(mixture, problem.prior, stats, problem.params)

    def value(params):
        by_component = params.log_within + params.log_group[:, mixture.group]
        counted = stats.weight > 0
        return (stats.weight[counted] * by_component[counted]).sum()

    for params in (best, problem.params):
        for g in range(mixture.n_groups):
            assert np.exp(params.log_within[mixture.group == g]).sum() == pytest.approx(1)
    assert np.exp(best.log_group[0]).sum() == pytest.approx(1)
    assert np.exp(best.log_group[1, :3]).sum() == pytest.approx(1)
    for _ in range(50):
        noisy = Stats(stats.weight * rng.uniform(0.8, 1.25, size=stats.weight.shape), 0.0, stats.family)
        assert value(m_step(mixture, problem.prior, noisy, problem.params)) <= value(best) + 1e-9


def test_known_classes_keep_a_probability_where_every_unlabeled_row_is_novel(make_problem):
    problem = make_problem(Gaussian("diag"), group=(0, 1, 2, 3, 3))
    stats = e_step(problem.mixture, problem.params, problem.data)
    stats.weight[0, :3] = 0.0
    found = np.exp(m_step(problem.mixture, problem.prior, stats, problem.params).log_group[0])
    assert (found[:3] > 0).all()
    assert found.sum() == pytest.approx(1)
    assert found[3] == pytest.approx(1)


@pytest.mark.parametrize("prior", list(PRIORS))
@pytest.mark.parametrize("shrinkage", [None, 0.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_objective_never_falls_and_is_what_it_says(family, group, prior, shrinkage, dtype, make_problem):
    problem = make_problem(family, group=group, kind=PRIORS[prior], shrinkage=shrinkage, n=150)
    data = Data(problem.x.astype(dtype), problem.data.labels, problem.data.weight)
    result = fit(problem.mixture, problem.prior, data, problem.params, problem.engine, max_iter=40, tol=0.0)
    rises = np.diff(result.path)
    slack = 1e-9 if dtype == np.float64 else 1e-4
    assert rises.min() > -slack, "fell"
    assert rises.max() > 1e-3, "the start leaves nothing to gain: the test shows nothing"
    if dtype == np.float64:
        log_lik = problem.data.weight @ logsumexp(naive_log_joint(problem, result.params), axis=1)
        log_prior = problem.family.log_prior(problem.prior, result.params.family)
        wanted = (log_lik + log_prior) / problem.data.weight.sum()
        assert result.objective == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("x", [np.arange(190.0).reshape(95, 2), csr_array(np.arange(190.0).reshape(95, 2))])
def test_results_come_in_the_order_of_the_blocks_and_states_go_with_them(x):
    weight = np.where(np.arange(95) % 4 == 3, 0.0, 1.0)
    data = replace(Data.unlabeled(x), weight=weight)
    sizes = ThreadEngine(3, 10).map_blocks(lambda block: len(block.rows), data)
    assert sum(sizes) == (weight > 0).sum()
    assert max(sizes) == 10
    states = np.split(data.rows, np.cumsum(sizes)[:-1])
    parts = ThreadEngine(3, 10).map_blocks(lambda block, rows: (block.x[block.rows], rows), data, states)
    found = np.vstack([part.toarray() if hasattr(part, "toarray") else part for part, _ in parts])
    rows = np.concatenate([rows for _, rows in parts])
    np.testing.assert_array_equal(rows, data.rows)
    np.testing.assert_array_equal(found, np.column_stack([2 * rows, 2 * rows + 1]))


def test_blocks_are_no_copies():
    for x in (np.ones((50, 3)), csr_array(np.ones((50, 3)))):
        for block in Data.unlabeled(x).blocks(20):
            own, whole = (m if isinstance(m, np.ndarray) else m.data for m in (block.x, x))
            assert np.shares_memory(own, whole)


def test_an_open_engine_can_be_opened_again_and_copied():
    engine = ThreadEngine(2, 10)
    data = Data.unlabeled(np.ones((95, 2)))
    with engine.open() as one, engine.open() as two:
        assert len(one.map_blocks(len_of, data)) == len(two.map_blocks(len_of, data)) == 10
        assert copy.deepcopy(engine) == engine
    assert len(engine.map_blocks(len_of, data)) == 10


def test_an_engine_of_two_threads_computes_two_blocks_at_a_time():
    """The first block waits for the second."""
    both = threading.Barrier(2)
    data = Data.unlabeled(np.ones((20, 2)))
    assert sorted(ThreadEngine(2, 10).map_blocks(lambda block: both.wait(timeout=10), data)) == [0, 1]


def len_of(block):
    return len(block.rows)


def test_without_labels_it_is_scikit_learns_gaussian_mixture(rng):
    n, d, c = 3000, 6, 4
    x = (
        rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
        + 3 * rng.normal(size=(c, d))[rng.integers(c, size=n)]
    )
    means = x[:c].copy()
    precision = np.repeat(np.linalg.inv(np.cov(x.T))[None], c, axis=0)
    peer = GaussianMixture(
        c,
        max_iter=30,
        tol=0,
        reg_covar=0,
        weights_init=np.full(c, 1 / c),
        means_init=means,
        precisions_init=precision,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(x)
    family = Gaussian("full")
    data = Data(x, Labels(np.arange(c), np.zeros((1, c)), np.zeros(n, dtype=np.intp)), np.ones(n))
    engine = ThreadEngine()
    prior = family.fit_prior(data, 0.0, engine)
    covariance = np.linalg.inv(precision)
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    shape = DenseShape(covariance, whiten, np.linalg.slogdet(covariance)[1], np.zeros(c, dtype=bool))
    params = Params(
        np.full((2, c), -np.log(c)), np.zeros(c), LocationShape(prior.center, means - prior.center, shape)
    )
    mixture = Mixture(family, np.arange(c), c)
    ours = fit(mixture, prior, data, params, engine, max_iter=30, tol=0.0)
    found_means, found_covariances = moments(family, ours.params.family)
    np.testing.assert_allclose(found_means, peer.means_, atol=1e-8)
    np.testing.assert_allclose(found_covariances, peer.covariances_, atol=1e-8)
    np.testing.assert_allclose(np.exp(ours.params.log_group[0]), peer.weights_, atol=1e-8)
    assert ours.objective == pytest.approx(peer.score(x), abs=1e-8)


class Backwards(Gaussian):
    """A broken family: its M-step throws the statistics away now and then."""

    def m_step(self, prior, stats, params):
        return super().m_step(prior, stats, params) if stats.weight.sum() < 0 else self.reference(prior, 3)


def test_a_fall_of_the_objective_is_told_and_undone(make_problem):
    problem = make_problem(Gaussian("full"))
    good = fit(problem.mixture, problem.prior, problem.data, problem.params, problem.engine, max_iter=20)
    broken = Mixture(Backwards("full"), problem.mixture.group, 3)
    with pytest.warns(ObjectiveDecreasedWarning, match="'gaussian'.*report it"):
        result = fit(broken, problem.prior, problem.data, good.params, problem.engine)
    assert result.params is good.params
    assert not result.converged


class Sinking(Gaussian):
    """A broken family: its log prior is huge and falls by ``step`` from look to look."""

    def __init__(self, step):
        super().__init__("full")
        self.step, self.looks = step, 0

    def log_prior(self, prior, params):
        self.looks += 1
        return -1e6 - self.step * self.looks


@pytest.mark.parametrize(("step", "told"), [(1e-4, False), (1.0, True)])
def test_a_fall_within_the_digits_of_the_objective_is_none(step, told, make_problem, recwarn):
    problem = make_problem(Gaussian("full"), n=20)
    data = replace(problem.data, weight=np.full(20, 0.05))
    good = fit(problem.mixture, problem.prior, data, problem.params, problem.engine, tol=1e-9)
    sinking = Mixture(Sinking(step), problem.mixture.group, 3)
    result = fit(sinking, problem.prior, data, good.params, problem.engine)
    assert result.converged is not told
    assert [one.category for one in recwarn] == [ObjectiveDecreasedWarning] * told


def test_settled_rows_are_not_visited_again(make_problem, monkeypatch):
    """Rows whose label fixes their component enter by their sums alone."""
    problem = make_problem(Gaussian("full"))
    seen = []
    monkeypatch.setattr("semigen.em.loop.e_step", lambda *a, **k: seen.append(a[2]) or e_step(*a, **k))
    fit(problem.mixture, problem.prior, problem.data, problem.params, problem.engine, max_iter=3, tol=0.0)
    assert seen
    assert not any(block.labels.is_labeled[block.rows].any() for block in seen)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_start_from_one_component_a_class_is_the_supervised_fit(shape, make_problem, rng):
    problem = make_problem(Gaussian(shape))
    params = start(problem.mixture, problem.prior, problem.data, problem.engine, rng)
    labeled = problem.data.labels.is_labeled
    data = problem.data
    mean, _ = moments(problem.family, params.family)
    strength = problem.prior.mean_strength
    for k in range(3):
        mine = labeled & (data.labels.hard == k)
        total = data.weight[mine].sum()
        wanted = (data.weight[mine] @ data.x[mine] + strength * problem.prior.center) / (total + strength)
        np.testing.assert_allclose(mean[k], wanted, atol=1e-9)


def test_start_places_crowded_and_nameless_components(rng):
    """Two far apart clumps of one class and a clump without labels each get a component."""
    centers = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    clump = np.repeat(np.arange(4), 50)
    x = centers[clump] + rng.normal(size=(200, 2))
    y = np.full(200, -1)
    y[[0, 1, 50, 51]] = 0
    y[[100, 101]] = 1
    data = Data(x, encode(y), np.ones(200))
    engine = ThreadEngine()
    family = Gaussian("full")
    prior = family.fit_prior(data, None, engine)
    mixture = Mixture(family, np.array([0, 0, 1, 2]), 2)
    params = start(mixture, prior, data, engine, rng)
    mean, _ = moments(family, params.family)
    for center in centers:
        assert np.linalg.norm(mean - center, axis=1).min() < 3.0


def test_components_without_rows_have_no_weight(rng):
    """Every row is labeled, so nothing can be novel; the known classes are fitted all the same."""
    x = rng.normal(size=(30, 2))
    data = Data(x, encode(np.arange(30) % 2), np.ones(30))
    family = Gaussian("full")
    engine = ThreadEngine()
    prior = family.fit_prior(data, None, engine)
    mixture = Mixture(family, np.array([0, 1, 2, 2]), 2)
    result = fit(mixture, prior, data, start(mixture, prior, data, engine, rng), engine)
    plain = Mixture(family, np.array([0, 1]), 2)
    wanted = fit(plain, prior, data, start(plain, prior, data, engine, rng), engine)
    found, known = (moments(family, r.params.family)[1] for r in (result, wanted))
    np.testing.assert_allclose(found[:2], known)
    np.testing.assert_allclose(np.exp(result.params.log_group[0]), [0.5, 0.5, 0.0], atol=1e-12)


def test_many_soft_labels_are_read_chunk_by_chunk(make_problem):
    """As many distinct label rows as rows: the same sums as from one table for all."""
    problem = make_problem(Gaussian("full"), n=MOST_ROWS + 1000)
    matrix = np.random.default_rng(4).dirichlet(np.ones(3), size=MOST_ROWS + 1000)
    matrix[:500] = np.nan
    labels = encode(matrix)
    data = Data(problem.x, labels, problem.data.weight)
    assert len(labels.log_table) > MOST_ROWS
    problem.data = data
    stats = e_step(problem.mixture, problem.params, data)
    wanted = logsumexp(naive_log_joint(problem, problem.params), axis=1)
    assert stats.log_lik == pytest.approx(data.weight @ wanted, rel=1e-10)


@pytest.mark.parametrize("label", [None, "a"])
def test_rows_that_all_have_one_label_count_as_beside_others(make_problem, label):
    problem = make_problem(Gaussian("diag"), n=60)
    y = np.array([label] * 59 + ["b"], dtype=object)
    classes = np.array(["a", "b", "c"])

    def sums(rows):
        labels = encode(y, classes=classes).take(np.arange(60)[rows])
        return e_step(problem.mixture, problem.params, Data(problem.x[rows], labels, np.ones(len(labels))))

    alike, one, both = sums(slice(59)), sums(slice(59, None)), sums(slice(None))
    np.testing.assert_allclose(alike.weight + one.weight, both.weight)
    np.testing.assert_allclose(alike.weight.sum(axis=1), [59, 0] if label is None else [0, 59])
    assert alike.log_lik + one.log_lik == pytest.approx(both.log_lik)


def test_memory_is_used_again_for_shapes_that_fit(rng):
    scratch = Scratch(np.float32)
    first, smaller = scratch("rows", 3, 8), scratch("rows", 5, 2)
    assert np.shares_memory(first, smaller)
    assert not np.shares_memory(first, scratch("others", 3, 8))
    assert scratch("rows", 4, 9).shape == (4, 9)
    by_column = scratch.like("rows", np.ones((6, 2)).T)
    assert by_column.shape == (2, 6)
    assert by_column.T.flags.c_contiguous
    assert {a.dtype for a in (first, smaller, by_column)} == {np.dtype(np.float32)}


def test_a_weight_is_so_many_repeated_rows_at_the_start_of_several_components():
    """Heavy rows at 0 and 1 are two clusters that a light row at 10 joins; with even weights it is one."""
    x, y = np.array([[0.0], [1.0], [10.0], [100.0], [101.0]]), np.array([0, 0, 0, 1, 1])
    mixture, engine = Mixture(Gaussian("tied"), np.array([0, 0, 1]), 2), ThreadEngine(1)

    def means(data):
        prior = mixture.family.fit_prior(data, 0.0, engine)
        params = start(mixture, prior, data, engine, np.random.default_rng(0))
        return np.sort(moments(mixture.family, params.family)[0][:2, 0])

    times = np.array([1000, 1000, 1, 1000, 1000])
    weighted = means(Data(x, encode(y), times.astype(float)))
    repeated = means(Data(np.repeat(x, times, axis=0), encode(np.repeat(y, times)), np.ones(times.sum())))
    np.testing.assert_allclose(weighted, repeated, atol=1e-9)
    np.testing.assert_allclose(weighted, [0.0, 1010 / 1001], atol=1e-9)
    np.testing.assert_allclose(means(Data(x, encode(y), np.ones(5))), [0.5, 10.0], atol=1e-9)


def test_rows_of_other_classes_are_no_rows_to_start_from():
    """Class "a" has two rows, both the same: not enough for two components, whatever class "b" has."""
    x, y = np.array([[0.0], [0.0], [5.0], [6.0], [7.0]]), np.array(["a", "a", "b", "b", "b"])
    data, engine = Data(x, encode(y), np.ones(5)), ThreadEngine(1)
    mixture = Mixture(Gaussian("tied"), np.array([0, 0, 1]), 2)
    prior = mixture.family.fit_prior(data, None, engine)
    with pytest.raises(ParameterError, match="asks for 2 components of class 'a', but only 1 distinct"):
        start(mixture, prior, data, engine, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("probs", "wanted"),
    [
        ([0.5, 0.3, 0.2], [0.4, 0.36, 0.24]),
        ([0.5, 0.5, 0.0], [0.4, 0.6, 0.0]),
        ([1.0, 0.0, 0.0], [0.4, 0.3, 0.3]),
    ],
)
def test_beside_a_held_probability_the_others_keep_their_proportions(probs, wanted):
    """Where there are none, they are even."""
    np.testing.assert_allclose(hold(np.array(probs), 0, 0.4), wanted, rtol=1e-15)


def test_a_fit_stops_at_the_first_rise_below_tol(make_problem):
    problem = make_problem(Gaussian("full"), n=200)

    def n_iter(tol):
        found = fit(
            problem.mixture, problem.prior, problem.data, problem.params, problem.engine, max_iter=60, tol=tol
        )
        return found.n_iter, found.converged

    path = fit(
        problem.mixture, problem.prior, problem.data, problem.params, problem.engine, max_iter=60, tol=0.0
    ).path
    rises = np.diff(path)
    falling = 1 + np.flatnonzero((np.diff(rises) < 0) & (rises[1:] > 1e-9))
    first = [k for k in falling if (rises[:k] > 1.001 * rises[k]).all()]
    assert len(first) > 10
    for k in first:
        assert n_iter(1.0001 * rises[k]) == (k + 1, True)
        assert n_iter(0.9999 * rises[k])[0] > k + 1


def test_a_fit_that_ends_before_its_first_step_says_nothing_more():
    """The objective fell at once, which is told; there is no rise to tell of."""
    warn_unless_converged(Fit(None, np.array([1.0]), converged=False), 1e-6)
