"""Labels that are wrong, of other proportions, or missing for a reason; and cells that are missing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import expit, logsumexp, xlogy
from scipy.stats import chi2, kstest

from laws import CASES, N_COMPONENTS, Trial, assert_same_record, mixture_data, naive_objective
from semigen import MixtureClassifier, load, save
from semigen.data.labels import encode
from semigen.em import (
    ClassPrior,
    Data,
    LabelNoise,
    Mixture,
    Params,
    Stats,
    ThreadEngine,
    e_step,
    fit,
    impute,
    m_step,
    mechanism,
    start,
)
from semigen.em.kernel import label_evidence, log_prior
from semigen.evaluation.intervals import QUANTILE
from semigen.exceptions import ParameterError
from semigen.families import Gaussian
from semigen.mixture import criteria
from semigen.mixture.proportions import class_proportions
from twins import naive_log_joint

EVERY = pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
WITH_HOLES = pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name) for case in CASES if case.grid is not None]
)
T = np.array([[0.75, 0.2, 0.05], [0.1, 0.7, 0.2], [0.05, 0.2, 0.75]])
START = np.where(np.eye(3) > 0, 0.9, 0.05)


def soft_labels(truth, rng):
    """Hard labels, candidate sets, label probabilities, and rows without label."""
    n, n_classes = len(truth), 3
    matrix = np.eye(n_classes)[truth]
    kind = rng.choice(4, size=n, p=[0.2, 0.15, 0.15, 0.5])
    kind[:n_classes], truth[:n_classes] = 0, np.arange(n_classes)
    matrix[:n_classes] = np.eye(n_classes)
    also = (truth + rng.integers(1, n_classes, size=n)) % n_classes
    matrix[kind == 1, also[kind == 1]] = 1.0
    matrix[kind == 2] += rng.dirichlet(np.ones(n_classes), size=n)[kind == 2]
    matrix[kind == 3] = np.nan
    return encode(matrix)


def gaussian_problem(make_problem, rng, noise=None, group=(0, 1, 2), labels="soft", **options):
    """A problem with labels of all kinds, and parameters with a label noise matrix."""
    problem = make_problem(Gaussian("full"), group=group, **options)
    if labels == "soft":
        problem.data = replace(problem.data, labels=soft_labels(rng.integers(3, size=len(problem.x)), rng))
    problem.mixture = replace(problem.mixture, label_noise=noise)
    problem.params = replace(problem.params, noise=None if noise is None else noise.matrix)
    return problem


# ----------------------------------------------------------------------------- noisy labels


@pytest.mark.parametrize("group", [(0, 1, 2), (0, 1, 1, 2), (0, 1, 2, 3, 3)])
def test_the_e_step_with_noise_is_the_naive_one(group, make_problem, rng):
    """Sums over rows, true components and observed labels, one by one."""
    problem = gaussian_problem(make_problem, rng, LabelNoise(T, estimated=True), group)
    data, params = problem.data, problem.params
    without = replace(data, labels=replace(data.labels, log_table=np.zeros_like(data.labels.log_table)))
    problem.data = without
    base = naive_log_joint(problem, params)
    likelihood = np.exp(data.labels.log_table)
    log_lik, weight, counts = 0.0, np.zeros((2, len(group))), np.zeros((3, 3))
    for i, pattern in enumerate(data.labels.pattern):
        if pattern == 0:
            joint = np.exp(base[i])
            log_lik += data.weight[i] * np.log(joint.sum())
            weight[0] += data.weight[i] * joint / joint.sum()
            continue
        joint = np.array(
            [
                [np.exp(base[i, c]) * T[k, j] * likelihood[pattern, j] if k < 3 else 0.0 for j in range(3)]
                for c, k in enumerate(group)
            ]
        )
        log_lik += data.weight[i] * np.log(joint.sum())
        joint *= data.weight[i] / joint.sum()
        weight[1] += joint.sum(axis=1)
        for c, k in enumerate(group):
            if k < 3:
                counts[k] += joint[c]
    stats = e_step(problem.mixture, params, data)
    assert stats.log_lik == pytest.approx(log_lik, rel=1e-10)
    np.testing.assert_allclose(stats.weight, weight, atol=1e-9)
    np.testing.assert_allclose(stats.noise, counts, atol=1e-9)


def test_evidence_of_an_unlabeled_row_is_exactly_nothing():
    table = np.log(np.array([[1.0, 1.0, 1.0], [1.0, 1e-300, 0.3]]))
    noise = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [1 / 3, 1 / 3, 1 / 3]])
    found = label_evidence(noise, table, np.array([False, True]))
    assert found[0].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(found[1], np.log(noise @ np.exp(table[1])), rtol=1e-13)


@pytest.mark.parametrize("labels", ["soft", "hard"])
def test_the_identity_matrix_is_no_noise(labels, make_problem, rng):
    problem = gaussian_problem(make_problem, rng, labels=labels)
    noisy = replace(problem.mixture, label_noise=LabelNoise(np.eye(3)))
    results = []
    for mixture in (problem.mixture, noisy):
        params = start(mixture, problem.prior, problem.data, problem.engine, np.random.default_rng(0))
        results.append(fit(mixture, problem.prior, problem.data, params, problem.engine, tol=0.0, max_iter=6))
    plain, through = results
    np.testing.assert_allclose(through.path, plain.path, rtol=0, atol=1e-12)
    np.testing.assert_allclose(through.params.family.mean, plain.params.family.mean, rtol=0, atol=1e-11)


@EVERY
@pytest.mark.parametrize(
    "noise", [None, LabelNoise(T), LabelNoise(START, estimated=True)], ids=["no", "T", "?"]
)
def test_labels_of_every_kind_go_through_em(case, noise, rng):
    """Candidate sets, soft labels and noise with every family: the objective rises and is what it says."""
    trial = Trial(case, rng)
    mixture, data, engine = mixture_data(trial, 0.4, rng)
    data = replace(data, labels=soft_labels(trial.component, rng))
    mixture = replace(mixture, label_noise=noise)
    params = start(mixture, trial.prior, data, engine, rng)
    result = fit(mixture, trial.prior, data, params, engine, max_iter=15, tol=0.0)
    assert np.diff(result.path).min() > -1e-9
    assert result.path[-1] > result.path[0] + 1e-4
    seen = label_evidence(result.params.noise, data.labels.log_table, data.labels.pattern_labeled)
    told = replace(data, labels=replace(data.labels, log_table=seen))
    wanted = naive_objective(trial, result.params, told)
    if noise is not None and noise.estimated:
        wanted += (10 * START * np.log(result.params.noise)).sum() / data.weight.sum()
    assert result.objective == pytest.approx(wanted, rel=1e-8)


def test_label_counts_of_two_halves_add_up(make_problem, rng):
    problem = gaussian_problem(make_problem, rng, LabelNoise(START, estimated=True))
    rows = np.arange(len(problem.x))
    whole, one, other = (
        e_step(problem.mixture, problem.params, problem.data.take(some))
        for some in (rows, rows[:40], rows[40:])
    )
    assert_same_record(one.merge(other), whole)


def test_the_noise_matrix_is_the_maximum_of_its_part_of_the_objective(make_problem, rng):
    problem = gaussian_problem(make_problem, rng, LabelNoise(START, estimated=True))
    mixture = problem.mixture
    stats = e_step(mixture, problem.params, problem.data)
    best = m_step(mixture, problem.prior, stats, problem.params)

    def value(noise):
        expected = float((stats.noise * np.log(noise)).sum())
        return expected + log_prior(mixture, problem.prior, replace(best, noise=noise))

    np.testing.assert_allclose(best.noise.sum(axis=1), 1.0)
    for _ in range(50):
        other = best.noise * rng.uniform(0.9, 1.1, size=(3, 3))
        assert value(other / other.sum(axis=1, keepdims=True)) <= value(best.noise) + 1e-12


def three_clumps(n, rng):
    """Rows of three classes that overlap (smallest error about 14 %), and the classes."""
    truth = rng.integers(3, size=n)
    truth[:3] = np.arange(3)
    return np.array([[0.0, 0.0], [2.5, 0.0], [0.0, 2.5]])[truth] + rng.normal(size=(n, 2)), truth


def flipped(truth, noise, rng):
    """Observed labels of true classes."""
    cumulative = noise.cumsum(axis=1)[truth]
    return np.minimum((rng.random((len(truth), 1)) > cumulative).sum(axis=1), len(noise) - 1)


def test_noise_is_recovered_and_the_error_is_lower_than_without():
    """27 % of 1000 labels are wrong; with the labels alone, whose models the wrong ones blur most."""
    errors, misses = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, truth = three_clumps(3000, rng)
        y = flipped(truth, T, rng)
        y[1000:] = -1
        models = [MixtureClassifier(label_noise=noise).fit(X, y) for noise in (None, "estimate", T)]
        errors.append([np.mean(model.predict(X) != truth) for model in models])
        misses.append(np.abs(models[1].label_noise_ - T).max())
        assert models[0].label_noise_ is None
        np.testing.assert_array_equal(models[2].label_noise_, T)
    ignored, estimated, known = np.mean(errors, axis=0)
    assert estimated < ignored - 0.002
    assert known < ignored - 0.002
    assert np.mean(misses) < 0.06


def test_a_label_names_its_class_and_no_other(rng):
    """With noise every label leaves every class something; one that no label names starts elsewhere."""
    X, truth = three_clumps(300, rng)
    X[truth == 2] += 10.0
    table = np.eye(3)[truth]
    table[truth == 2] = np.nan
    table[30:] = np.nan
    data = Data(X, encode(table), np.ones(300))
    engine, family = ThreadEngine(1), Gaussian("full")
    prior = family.fit_prior(data, None, engine)
    mixture = Mixture(family, np.arange(3), 3, label_noise=LabelNoise(START, estimated=True))
    mean = family.summary(start(mixture, prior, data, engine, rng).family)["mean"]
    assert np.linalg.norm(mean[2] - [10.0, 12.5]) < 2.0
    assert np.linalg.norm(mean[:2] - [[0.0, 0.0], [2.5, 0.0]], axis=1).max() < 1.5


def test_clusters_of_a_class_are_among_the_rows_that_its_labels_name(rng):
    """Three far apart clumps, two of class 0: with noise none of its components starts in class 1's."""
    clump = np.arange(90) % 3
    X = np.array([[0.0, 0.0], [0.0, 8.0], [60.0, 4.0]])[clump] + rng.normal(size=(90, 2))
    data = Data(X, encode(np.where(clump == 2, 1, 0)), np.ones(90))
    engine, family = ThreadEngine(1), Gaussian("full")
    prior = family.fit_prior(data, None, engine)
    noise = LabelNoise(np.array([[0.9, 0.1], [0.1, 0.9]]), estimated=True)
    mixture = Mixture(family, np.array([0, 0, 1]), 2, label_noise=noise)
    mean = family.summary(start(mixture, prior, data, engine, rng).family)["mean"]
    assert np.abs(mean[:2, 0]).max() < 1.0


def test_an_estimated_noise_matrix_counts_its_parameters(make_problem, rng):
    problem = gaussian_problem(make_problem, rng)
    plain = criteria.n_free(problem.mixture, problem.params)
    for noise, more in ((LabelNoise(T), 0), (LabelNoise(START, estimated=True), 6)):
        assert criteria.n_free(replace(problem.mixture, label_noise=noise), problem.params) == plain + more


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("guess", "'estimate'"),
        ([["a", "b"], ["c", "d"]], "no 2 × 2 array"),
        (np.eye(3), "shape"),
        ([[0.9, 0.2], [0.1, 0.9]], "row sums"),
        ([[1.1, -0.1], [0.1, 0.9]], "probabilities"),
        ([[1.0, 0.0], [1.0, 0.0]], "column sums"),
        ([[np.nan, 1.0], [0.0, 1.0]], "probabilities"),
    ],
)
def test_what_is_no_noise_matrix_is_refused(value, told):
    with pytest.raises(ParameterError, match=told):
        MixtureClassifier(label_noise=value).fit([[0.0], [1.0], [2.0]], [0, 1, None])


# ----------------------------------------------------------------------------- class proportions


def shifted(seed, *, per_class=30, n_unlabeled=1000, share=0.1, distance=3.0):
    """Labeled rows in equal numbers, unlabeled ones with another share of class 1."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(2 * per_class) % 2, (rng.random(n_unlabeled) < share).astype(int)]
    X = rng.normal(size=(len(y), 2)) + distance * np.eye(2)[0] * y[:, None]
    return X, np.where(np.arange(len(y)) < 2 * per_class, y, -1), y


def test_shifted_proportions_are_found_and_lower_the_error():
    """Labeled half and half, unlabeled 90 to 10."""
    found, errors = [], []
    for seed in range(8):
        X, y, truth = shifted(seed)
        own = MixtureClassifier(class_prior="unlabeled").fit(X, y)
        shared = MixtureClassifier().fit(X, y)
        found.append(own.class_proportions_.estimate[1])
        errors.append([np.mean((model.predict(X) != truth)[y == -1]) for model in (own, shared)])
        assert shared.class_proportions_ is None
        np.testing.assert_array_equal(own.class_proportions_.estimate, own.class_prior_)
    assert np.abs(np.array(found) - 0.1).mean() < 0.02
    assert np.mean(errors, axis=0)[0] < np.mean(errors, axis=0)[1] - 0.01


def converged(X, labels, kind):
    """A fit, and what it was made of."""
    family, engine = Gaussian("full"), ThreadEngine(1)
    n_classes = len(labels.classes)
    data = Data(X, labels, np.ones(len(X)))
    prior = family.fit_prior(data, None, engine)
    mixture = Mixture(family, np.arange(n_classes), n_classes, ClassPrior(kind))
    params = start(mixture, prior, data, engine, np.random.default_rng(0))
    found = fit(mixture, prior, data, params, engine, tol=1e-10, max_iter=2000)
    return found, mixture, prior, data, engine


def test_far_apart_classes_have_the_intervals_of_counts():
    """Every row's class is plain to see, so the profile is the binomial likelihood of how many there are."""
    X, y, truth = shifted(0, distance=40.0, n_unlabeled=200)
    found = MixtureClassifier(class_prior="unlabeled").fit(X, y).class_proportions_
    n, k = 200, int(truth[y == -1].sum())

    def root(p):
        fall = xlogy(k, k / n) + xlogy(n - k, 1 - k / n) - xlogy(k, p) - xlogy(n - k, 1 - p)
        return np.sqrt(2 * fall) - QUANTILE

    assert found.estimate[1] == pytest.approx(k / n, abs=1e-9)
    assert found.low[1] == pytest.approx(brentq(root, 1e-9, k / n), rel=0.02)
    assert found.high[1] == pytest.approx(brentq(root, k / n, 1 - 1e-9), rel=0.02)
    np.testing.assert_allclose(found.low[0], 1 - found.high[1])
    assert str(found).splitlines()[2].split() == [
        "1",
        f"{k / n:.4f}",
        f"{found.low[1]:.4f}",
        "…",
        f"{found.high[1]:.4f}",
    ]


def test_at_both_ends_twice_the_fall_is_the_quantile():
    """For each of three classes: what is fitted with the end held is worse by 1.92 nats, converged."""
    rng = np.random.default_rng(5)
    X, truth = three_clumps(400, rng)
    labels = encode(np.where(np.arange(400) < 60, truth, -1))
    found, mixture, prior, data, engine = converged(X, labels, "unlabeled")
    result = class_proportions(mixture, prior, data, found.params, engine)
    for k in range(3):
        for end in (result.low[k], result.high[k]):
            held = replace(mixture, class_prior=ClassPrior("unlabeled", held=(k, float(end))))
            params = m_step(held, prior, e_step(mixture, found.params, data), found.params)
            assert np.exp(params.log_group[0, k]) == pytest.approx(end)
            there = fit(held, prior, data, params, engine, tol=1e-10, max_iter=2000)
            fall = 2 * 400 * (found.objective - there.objective)
            assert fall == pytest.approx(chi2.ppf(0.95, 1), rel=0.05)


def test_a_class_that_no_unlabeled_row_belongs_to_has_an_interval_from_zero():
    X, y, _ = shifted(1, share=0.0, distance=12.0, n_unlabeled=400)
    found = MixtureClassifier(class_prior="unlabeled").fit(X, y).class_proportions_
    assert found.low[1] == 0.0
    assert found.high[0] == 1.0
    # of 400 rows none: (1 - p)^400 = exp(-1.92)
    assert found.high[1] == pytest.approx(1 - np.exp(-(QUANTILE**2) / 800), rel=0.05)


def test_without_unlabeled_rows_there_are_no_proportions():
    X, _, truth = shifted(0, n_unlabeled=20, share=0.5)
    assert MixtureClassifier(class_prior="unlabeled").fit(X, truth).class_proportions_ is None
    y = np.where(np.arange(80) < 60, truth, -1)
    clf = MixtureClassifier(class_prior="unlabeled", unlabeled_weight=0).fit(X, y)
    assert clf.class_proportions_ is None


@pytest.mark.long
def test_intervals_cover_the_truth_as_often_as_they_say():
    """300 data sets: 95 % give or take three standard errors."""
    covered = []
    for seed in range(300):
        X, y, _ = shifted(seed, per_class=20, n_unlabeled=300, distance=2.0)
        found = MixtureClassifier(class_prior="unlabeled", max_iter=2000).fit(X, y).class_proportions_
        covered.append(found.low[1] <= 0.1 <= found.high[1])
    assert abs(np.mean(covered) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 300)


# ----------------------------------------------------------------------------- missing labels


def hard_to_tell(seed, *, n=500, slope=1.5, intercept=3.0, distance=2.0):
    """Two Gaussian classes whose labels are missing by the entropy of the true posterior."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    X = rng.normal(size=(n, 2)) + distance * np.eye(2)[0] * truth[:, None]
    p = expit(distance * X[:, 0] - distance**2 / 2)
    entropy = -xlogy(p, p) - xlogy(1 - p, 1 - p)
    missing = rng.random(n) < expit(intercept + slope * np.log(entropy + 1e-4))
    return X, np.where(missing, -1, truth), truth


def climb_of(case, rng, *, holes=0.0, n=150):
    """A fit of a case's rows whose labels are missing by the entropy of a posterior."""
    trial = Trial(case, rng, n=n, holes=holes)
    joint = trial.log_prob()
    p = np.exp(joint - logsumexp(joint, axis=0))
    score = np.log(-xlogy(p, p).sum(axis=0) + 1e-4)
    missing = rng.random(n) < expit(2.0 + 1.5 * (score - score.mean()) / score.std())
    missing[:9] = False
    y = np.where(missing, -1, trial.component)
    y[:N_COMPONENTS] = np.arange(N_COMPONENTS)
    data = Data(trial.x, encode(y), trial.weight, trial.missing)
    mixture, engine = Mixture(trial.family, np.arange(N_COMPONENTS), N_COMPONENTS), ThreadEngine(1)
    found = fit(mixture, trial.prior, data, start(mixture, trial.prior, data, engine, rng), engine)
    return trial, mixture, data, engine, found


@EVERY
def test_statistics_are_sums_that_take_weights_of_either_sign(case, rng):
    """The climb adds derivatives, which can be negative, and parts of statistics."""
    trial = Trial(case, rng)
    signed = rng.normal(size=trial.resp.shape) * (rng.random(trial.resp.shape) < 0.3)
    plus, minus = np.maximum(signed, 0.0), np.maximum(-signed, 0.0)
    found, up, down = (
        Stats(np.zeros((2, 3)), 0.0, trial.stats(one, trial.params)) for one in (signed, plus, minus)
    )
    assert_same_record(up.merge(down.scaled(-1.0)), found, atol=1e-7)
    assert_same_record(up.scaled(3.0), up.merge(up).merge(up), atol=1e-7)


def test_with_slope_zero_the_statistics_are_those_of_em(make_problem, rng):
    problem = gaussian_problem(make_problem, rng, LabelNoise(START, estimated=True))
    climb = mechanism._Climb(problem.mixture, problem.prior, problem.data, problem.engine)
    found = climb.statistics(mechanism._Point(problem.params, (0.7, 0.0), 0.0))
    wanted = e_step(problem.mixture, problem.params, problem.data)
    assert_same_record(found, replace(wanted, log_lik=0.0))


@pytest.mark.parametrize("group", [(0, 1, 2), (0, 1, 1, 2)])
def test_the_tilted_responsibilities_are_the_derivative_of_the_objective(group, make_problem, rng):
    """By log p(component), to which each row's log p(x, component) responds one to one."""
    problem = gaussian_problem(make_problem, rng, LabelNoise(T), group)
    climb = mechanism._Climb(problem.mixture, problem.prior, problem.data, problem.engine)
    total = problem.data.weight.sum()

    def objective(shift):
        return (
            total
            * climb.look(replace(problem.params, log_within=problem.params.log_within + shift)).objective
        )

    point = climb.look(problem.params)
    assert abs(point.logistic[1]) > 0.01
    stats = climb.statistics(point)
    plain = climb.statistics(replace(point, logistic=(0.0, 0.0)))
    step = 1e-5
    slopes = [(objective(step * one) - objective(-step * one)) / (2 * step) for one in np.eye(len(group))]
    np.testing.assert_allclose(stats.weight.sum(axis=0), slopes, rtol=1e-6)
    assert np.abs(stats.weight - plain.weight).max() > 0.1
    assert stats.weight.sum() == pytest.approx(total)


@EVERY
def test_the_whole_objective_never_falls(case, rng):
    trial, mixture, data, engine, found = climb_of(case, rng)
    result, report = mechanism.fit(mixture, trial.prior, data, found, engine, max_iter=25)
    assert np.diff(result.path).min() > -1e-9
    assert report.statistic > 1e-3
    assert result.objective * data.weight.sum() == pytest.approx(report.log_likelihood)
    assert report.statistic == pytest.approx(2 * (report.log_likelihood - report.log_likelihood_at_random))


@WITH_HOLES
def test_the_whole_objective_never_falls_with_missing_cells(case, rng):
    trial, mixture, data, engine, found = climb_of(case, rng, holes=0.15)
    result, _ = mechanism.fit(mixture, trial.prior, data, found, engine, max_iter=10)
    assert np.diff(result.path).min() > -1e-9


def test_the_climb_ends_at_a_maximum():
    """No step of the means in any direction is better, as a search by SciPy from there finds."""
    X, y, _ = hard_to_tell(0, n=300)
    found, mixture, prior, data, engine = converged(X, encode(y), "shared")
    result, report = mechanism.fit(mixture, prior, data, found, engine, tol=1e-12, max_iter=2000)
    climb = mechanism._Climb(mixture, prior, data, engine)

    def fall(shift):
        family = replace(result.params.family, mean=result.params.family.mean + shift.reshape(2, 2))
        return -climb.look(replace(result.params, family=family)).objective

    best = minimize(fall, np.zeros(4), method="Nelder-Mead", options={"maxfev": 300, "xatol": 1e-5})
    assert -best.fun <= result.objective + 1e-8
    assert climb.look(found.params).objective < result.objective - 1e-4, "the start was no worse"
    assert report.slope > 0.5


def test_logistic_maximum_is_the_maximum(rng):
    scores, weight = rng.normal(size=200) * 5 - 30, rng.uniform(0.5, 2, size=200)
    unlabeled = rng.random(200) < expit(10 + 0.3 * scores)
    (intercept, slope), reached = mechanism.logistic_maximum(scores, unlabeled, weight)

    def fall(value):
        logit = value[0] + value[1] * scores
        return weight @ np.logaddexp(0, np.where(unlabeled, -logit, logit))

    best = minimize(fall, [intercept, slope], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12})
    assert reached == pytest.approx(-best.fun, rel=1e-9)
    assert (intercept, slope) == pytest.approx(tuple(best.x), rel=1e-4)
    heavy, total = mechanism.logistic_maximum(scores, unlabeled, 1e8 * weight)
    assert heavy == pytest.approx((intercept, slope), rel=1e-5)
    assert total == pytest.approx(1e8 * reached)


def test_logistic_maximum_of_scores_that_separate_or_say_nothing():
    unlabeled = np.arange(20) < 5
    (_, slope), reached = mechanism.logistic_maximum(np.arange(20.0), unlabeled, np.ones(20))
    assert np.isfinite(slope)
    assert slope < -1
    assert -1e-3 < reached <= 0
    (intercept, slope), reached = mechanism.logistic_maximum(np.full(20, -9.2), unlabeled, np.ones(20))
    assert (intercept, slope) == (pytest.approx(np.log(1 / 3)), 0.0)
    assert reached == pytest.approx(5 * np.log(0.25) + 15 * np.log(0.75))


def test_a_mechanism_is_recovered_and_lowers_the_error():
    """Labels are missing where classes are hard to tell; new rows are classified better."""
    slopes, errors = [], []
    X_new, _, truth_new = hard_to_tell(10_000, n=4000)
    for seed in range(10):
        X, y, _ = hard_to_tell(seed)
        models = [
            MixtureClassifier(covariance="tied", label_mechanism=name).fit(X, y) for name in (None, "entropy")
        ]
        errors.append([np.mean(model.predict(X_new) != truth_new) for model in models])
        report = models[1].label_mechanism_
        assert report.p_value < 1e-4
        assert models[0].label_mechanism_ is None
        assert np.diff(models[1].objective_path_).min() > -1e-9
        assert len(models[1].objective_path_) == models[1].n_iter_ + 1
        slopes.append(report.slope)
    assert np.mean(slopes) == pytest.approx(1.5, abs=0.25)
    assert np.mean(errors, axis=0)[1] < np.mean(errors, axis=0)[0] - 0.001


def test_labels_missing_at_random_have_uniform_p_values():
    found = []
    for seed in range(30):
        X, y, _ = hard_to_tell(seed, slope=0.0, intercept=1.0, n=300)
        found.append(MixtureClassifier(label_mechanism="entropy").fit(X, y).label_mechanism_.p_value)
    assert abs(np.mean(found) - 0.5) < 0.15
    assert kstest(found, "uniform").pvalue > 0.01


def test_a_weight_of_two_is_a_row_given_twice_to_the_mechanism():
    X, y, _ = hard_to_tell(3, n=200)
    weighted = MixtureClassifier(label_mechanism="entropy").fit(X, y, sample_weight=np.full(200, 2.0))
    doubled = MixtureClassifier(label_mechanism="entropy").fit(np.vstack([X, X]), np.r_[y, y])
    assert weighted.label_mechanism_.statistic == pytest.approx(doubled.label_mechanism_.statistic, rel=1e-6)
    assert weighted.label_mechanism_.slope == pytest.approx(doubled.label_mechanism_.slope, rel=1e-6)


def test_where_nothing_or_everything_is_labeled_there_is_no_mechanism():
    X, y, truth = hard_to_tell(0, n=100)
    plain = MixtureClassifier().fit(X, truth)
    clf = MixtureClassifier(label_mechanism="entropy").fit(X, truth)
    assert clf.label_mechanism_ is None
    np.testing.assert_allclose(clf.means_, plain.means_, atol=1e-9)
    assert MixtureClassifier(label_mechanism="entropy", unlabeled_weight=0).fit(X, y).label_mechanism_ is None
    found, mixture, prior, data, engine = converged(X, encode(y), "shared")
    alone = data.where(~data.labels.pattern_labeled)
    result, report = mechanism.fit(mixture, prior, alone, found, engine)
    assert report is None
    assert np.isfinite(result.path).all()


def test_a_mechanism_prints_what_it_found():
    report = mechanism.LabelMechanism(3.0, 0.76, -1778.6, -1749.6, 57.9, 2.8e-14)
    assert str(report).splitlines() == [
        "log-odds of a missing label: 3 +0.76 · log(entropy + 0.0001)",
        "slope 0 (missing completely at random): likelihood ratio 57.9, p = 2.8e-14",
    ]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"label_mechanism": "guess"}, "'entropy'"),
        ({"label_mechanism": "entropy", "class_prior": "unlabeled"}, "use one of them"),
        ({"label_mechanism": "entropy", "n_novel_components": 1}, "use one of them"),
    ],
)
def test_mechanisms_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(ParameterError, match=told):
        MixtureClassifier(**settings).fit([[0.0], [1.0], [2.0]], [0, 1, None])


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"label_noise": "estimate"}, "label_noise_"),
        ({"class_prior": "unlabeled"}, "class_proportions_"),
        ({"label_mechanism": "entropy"}, "label_mechanism_"),
    ],
)
def test_what_a_fit_says_of_labels_is_saved(settings, name, tmp_path):
    X, y, _ = hard_to_tell(0, n=100)
    clf = MixtureClassifier(**settings).fit(X, y)
    save(clf, tmp_path / "model.semigen")
    assert_same_record(getattr(load(tmp_path / "model.semigen"), name), getattr(clf, name), rtol=0, atol=0)


# ----------------------------------------------------------------------------- missing cells


@WITH_HOLES
def test_imputed_cells_weigh_the_components_by_the_cells_that_are_there(case, rng):
    trial = Trial(case, rng, holes=0.3)
    mixture = Mixture(trial.family, np.array([0, 1, 1]), 2)
    params = Params(np.log([[0.3, 0.7], [0.5, 0.5]]), np.log([1.0, 0.4, 0.6]), trial.params)
    rows = rng.permutation(len(trial.x))[:80]
    joint = trial.log_prob(x=trial.x[rows]) + np.log([0.3, 0.28, 0.42])[:, None]
    resp = np.exp(joint - logsumexp(joint, axis=0))
    wanted = trial.family.expect_missing(trial.params, trial.x[rows], resp)
    data = Data.unlabeled(trial.x[rows], trial.missing)
    found = impute(mixture, params, data)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    drawn = impute(mixture, params, data, rng)
    there = ~np.isnan(trial.x[rows])
    assert np.isfinite(drawn).all()
    for filled in (found, drawn):
        np.testing.assert_array_equal(filled[there], trial.x[rows][there])


def test_drawn_cells_have_the_distribution_of_the_mixture(rng):
    """A hole next to a cell that leaves two components possible, 20,000 times."""
    engine, family = ThreadEngine(1), Gaussian("full")
    centers = np.array([[0.0, 0.0], [1.0, 6.0]])
    group = rng.integers(2, size=4000)
    X = centers[group] + rng.normal(size=(4000, 2))
    data = Data(X, encode(group), np.ones(4000))
    prior = family.fit_prior(data, None, engine)
    mixture = Mixture(family, np.arange(2), 2)
    params = start(mixture, prior, data, engine, rng)
    x = np.tile([0.8, np.nan], (20_000, 1))
    data = Data.unlabeled(x, np.array([False, True]))
    drawn = impute(mixture, params, data, rng)[:, 1]
    expected = impute(mixture, params, data.take(np.arange(1)))[0, 1]
    assert drawn.mean() == pytest.approx(expected, abs=0.1)
    p = expit(0.8 - 0.5)
    assert np.mean(drawn > 3.0) == pytest.approx(p, abs=0.05)
    assert drawn.std() == pytest.approx(np.sqrt(1 + 36 * p * (1 - p)), rel=0.05)
