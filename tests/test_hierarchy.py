"""The prior in two levels, λ and the power of the posterior: what the default mixture promises."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import load_iris

from semigen import MixtureClassifier
from semigen.data.blocks import Data
from semigen.data.labels import encode
from semigen.em import Mixture, ThreadEngine, fit, fit_levels, hierarchy, log_joint, start
from semigen.em.hierarchy import FEW_STEPS, evidence_left_out
from semigen.evaluation.calibration import DEVIATIONS, MOST_POWERS, SD, few_values
from semigen.exceptions import ParameterError
from semigen.families import Gaussian, Product, StudentT, as_family
from semigen.families.covariance.diagonal import TiedDiag
from semigen.mixture import evidence
from semigen.mixture.evidence import (
    LARGEST_POWER,
    USUAL,
    judge,
    usual_power,
)

CORRELATED = ["full", "tied", "low_rank"]
WEIGHTS = [0.0, 0.1, 1.0]


def overlapping(seed, n=400, n_labeled=16):
    """One informative column of four; labels at random."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    x = rng.normal(size=(n, 4))
    x[:, 0] += 2.6 * (truth - 0.5)
    return x, np.where(np.arange(n) < n_labeled, truth, -1), truth


def accuracy(model, x, y, truth):
    unseen = y == -1
    return np.mean([model.fit(x, y).predict(x[unseen]) == truth[unseen]])


NULL_COLUMNS = {
    "a constant": lambda x: np.ones((len(x), 1)),
    "twenty constants": lambda x: np.ones((len(x), 20)),
    "another unit": lambda x: 32 + 1.8 * x[:, [1]],
    "another unit, rounded": lambda x: np.round(32 + 1.8 * x[:, [1]], 1),
    "a sum": lambda x: x[:, [1]] + x[:, [2]],
}


def mean_accuracy(family, shape, weight, null=None):
    """Over six draws; the power of the posterior does not matter."""
    model = MixtureClassifier(family, covariance=shape, unlabeled_weight=weight, calibrate=1.0)
    found = []
    for x, y, truth in map(overlapping, range(6)):
        wider = x if null is None else np.column_stack([x, NULL_COLUMNS[null](x)])
        found.append(accuracy(model, wider, y, truth))
    return np.mean(found)


BASE = cache(mean_accuracy)


@pytest.mark.parametrize("null", NULL_COLUMNS)
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize(
    ("family", "shape"), [*(("gaussian", shape) for shape in CORRELATED), ("student_t", "full")]
)
def test_a_column_that_says_nothing_changes_no_prediction(family, shape, weight, null):
    """Directions without variance get one that is common to all components."""
    found = mean_accuracy(family, shape, weight, null)
    assert found == pytest.approx(BASE(family, shape, weight), abs=0.01)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_constant_changes_no_prediction_of_independent_columns(weight):
    x, y, truth = overlapping(0)
    model = MixtureClassifier(covariance="diag", unlabeled_weight=weight)
    wider = np.column_stack([x, np.ones((len(x), 5))])
    assert accuracy(clone(model), wider, y, truth) == pytest.approx(accuracy(model, x, y, truth), abs=0.01)


@pytest.mark.parametrize("shape", ["auto", "full", "tied", "diag", "spherical", "low_rank"])
@pytest.mark.parametrize("family", ["gaussian", "student_t"])
def test_units_do_not_matter(family, shape):
    x, y, _ = overlapping(1, n=200)
    model = MixtureClassifier(family, covariance=shape, tol=1e-9, max_iter=2000)
    base = model.fit(x, y).predict_proba(x)
    units = np.array([1e-6, 1e6, 3.0, 0.1])
    moved = clone(model).fit(x * units + [5.0, 0.0, -3.0, 100.0], y)
    found = moved.predict_proba(x * units + [5.0, 0.0, -3.0, 100.0])
    np.testing.assert_allclose(found, base, atol=1e-4)


@pytest.mark.parametrize("shape", ["full", "tied"])
def test_maximum_likelihood_does_not_mind_affine_maps(shape):
    x, y, _ = overlapping(2, n_labeled=60)
    turn = np.random.default_rng(0).normal(size=(4, 4))
    model = MixtureClassifier(covariance=shape, shrinkage=0, unlabeled_weight=0.2, tol=1e-9, max_iter=3000)
    base = model.fit(x, y).predict_proba(x)
    np.testing.assert_allclose(clone(model).fit(x @ turn, y).predict_proba(x @ turn), base, atol=1e-4)


def test_iris_with_every_fifth_label():
    """.813 before the prior had levels."""
    x, truth = load_iris(return_X_y=True)
    y = np.where(np.arange(150) % 5 == 0, truth, -1)
    for covariance in ("auto", "full"):
        model = MixtureClassifier(covariance=covariance).fit(x, y)
        assert (model.predict(x) == truth)[y == -1].mean() >= 0.95
    model = MixtureClassifier(covariance="full", unlabeled_weight=1.0).fit(x, y)
    assert (model.predict(x) == truth)[y == -1].mean() >= 0.95


@pytest.mark.parametrize("weight", ["auto", 1.0])
@pytest.mark.parametrize("n_columns", [2, 8])
def test_class_weights_do_not_run_away(n_columns, weight):
    """Three balanced classes that overlap, 5 labels each."""
    largest = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth = np.repeat([0, 1, 2], 200)
        x = rng.normal(size=(600, n_columns))
        x[:, 0] += 1.5 * truth
        x[:, 1] += 1.5 * (truth == 1)
        y = np.full(600, -1)
        for k in range(3):
            y[rng.choice(np.flatnonzero(truth == k), 5, replace=False)] = k
        largest.append(MixtureClassifier(unlabeled_weight=weight).fit(x, y).class_prior_.max())
    assert np.mean(largest) < 1 / 3 + 0.1


def two_levels(family, rng, n=90, weight=0.5):
    x = rng.normal(size=(n, 3)) * [1.0, 2.0, 0.3]
    truth = rng.integers(3, size=n)
    x[:, 0] += truth
    y = np.where(np.arange(n) < 30, truth, -1)
    y[:3] = truth[:3] = [0, 1, 2]
    labels = encode(y)
    data = Data(x, labels, np.where(labels.is_labeled, 1.0, weight))
    mixture = Mixture(family, np.arange(3), 3)
    engine = ThreadEngine(1)
    return mixture, data, engine, fit_levels(mixture, data, engine, rng, tol=1e-12, max_iter=3000)


HIERARCHIES = {
    **{
        f"{name}, {shape}": as_family(name, shape)
        for name in ("gaussian", "student_t")
        for shape in ("full", "low_rank", "diag", "spherical")
    },
    "product": Product([([0, 2], Gaussian("full")), ([1], Gaussian("diag"))]),
}


@pytest.mark.parametrize("family", HIERARCHIES.values(), ids=HIERARCHIES.keys())
def test_both_levels_climb_and_the_lower_one_starts_from_the_upper_one(family, rng):
    mixture, _, _, (upper, lower) = two_levels(family, rng)
    assert lower.mixture is mixture
    for level in (upper, lower):
        assert np.diff(level.fit.path).min() > -1e-9
        assert level.fit.converged
    pooled = upper.mixture.family.summary(upper.fit.params.family)
    if "covariance" in pooled and not isinstance(family, StudentT):
        np.testing.assert_allclose(pooled["covariance"], pooled["covariance"][:1].repeat(3, axis=0))


def test_without_rows_of_its_own_a_component_is_like_the_pooled_one(rng):
    """The pseudo-rows of the lower level have the dispersion that the upper one found."""
    for shape in ("full", "diag"):
        _, _, _, (upper, lower) = two_levels(Gaussian(shape), rng)
        family = lower.mixture.family
        alone = family.summary(family.reference(lower.prior, 3))["covariance"]
        pooled = upper.mixture.family.summary(upper.fit.params.family)["covariance"]
        np.testing.assert_allclose(alone, pooled, rtol=1e-12)


@pytest.mark.parametrize(
    ("family", "pooled"),
    [(Gaussian("full"), "tied"), (Gaussian("diag"), "tied_diag"), (StudentT("low_rank"), "tied")],
)
def test_the_level_above_has_one_dispersion(family, pooled):
    assert family.pooled().covariance.name == pooled
    assert family.pooled().pooled() is not None
    assert type(family.pooled()) is type(family)
    assert family.covariance.name != pooled, "the family itself was changed"


@pytest.mark.parametrize("name", ["bernoulli", "poisson", "categorical", "multinomial", "von_mises_fisher"])
def test_families_without_dispersion_have_one_level(name):
    family = as_family(name)
    assert family.pooled() is family


def test_a_tied_shape_is_its_own_level():
    for shape in ("tied", TiedDiag()):
        family = Gaussian(shape)
        assert family.pooled() is family


def test_rows_left_out_are_seen_by_no_level(rng):
    """What a fold's rows get does not depend on their labels, nor on what lies where they lie."""
    _, data, engine, levels = two_levels(Gaussian("full"), rng)
    folds = [np.array([0, 4, 7]), np.array([1, 2]), np.array([5])]
    found = evidence_left_out(levels, None, data, folds, engine)
    pattern = data.labels.pattern.copy()
    pattern[folds[0]] = np.roll(pattern[folds[0]], 1)
    wrong = replace(data, labels=replace(data.labels, pattern=pattern))
    again = evidence_left_out(levels, None, wrong, folds[:1], engine)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_allclose(other, one[:3], rtol=1e-12)
    weight = data.weight.copy()
    weight[folds[1]] = 0.0
    kept = replace(data, weight=weight)
    begin = start(levels[0].mixture, levels[0].prior, kept, engine, rng)
    upper = fit(levels[0].mixture, levels[0].prior, kept, begin, engine, max_iter=FEW_STEPS)
    joint = log_joint(levels[0].mixture, upper.params, data.take(folds[1]))
    wanted = joint - upper.params.log_group[0]
    np.testing.assert_allclose(found[0][3:5], wanted - wanted.max(axis=1, keepdims=True), atol=1e-12)


def test_very_many_unlabeled_rows_are_thinned_to_the_same_weight(monkeypatch, rng):
    _, data, engine, levels = two_levels(Gaussian("full"), rng, n=600)
    folds = [np.array([0, 4, 7]), np.array([1, 2])]
    whole = evidence_left_out(levels, None, data, folds, engine)[1]
    monkeypatch.setattr(hierarchy, "MOST_UNLABELED", 285)
    half = evidence_left_out(levels, None, data, folds, engine)[1]
    assert 0 < np.abs(half - whole).max() < 1.0
    seen = []
    monkeypatch.setattr(
        hierarchy,
        "start",
        lambda mixture, prior, kept, *_: seen.append(kept) or start(mixture, prior, kept, engine, rng),
    )
    evidence_left_out(levels, None, data, folds, engine)
    for kept, fold in zip(seen, folds, strict=True):
        assert kept.total_weight == pytest.approx(data.total_weight - len(fold))
        assert (~kept.labels.is_labeled).sum() == 285


def test_the_powers_are_the_posterior_that_the_text_says(rng):
    """Twin: Bayes' rule over powers, row by row."""
    evidence = 15.0 * rng.normal(size=(40, 3))
    truth, shares = rng.integers(3, size=40), np.array([0.2, 0.3, 0.5])
    weight = rng.integers(1, 5, size=40) / 2
    repeated = np.sort(evidence.std(axis=1).repeat((2 * weight).astype(int)))
    usual = USUAL / repeated[(len(repeated) - 1) // 2]
    powers = np.minimum(usual * np.exp(SD * DEVIATIONS), 1.0)
    assert 0 < (powers == 1).sum() < len(powers) / 2
    prior, score = norm.logpdf(DEVIATIONS), []
    for power, deviation in zip(powers, DEVIATIONS, strict=True):
        likelihood = 0.0
        for row, k, w in zip(evidence, truth, weight, strict=True):
            says = shares * np.exp(power * row)
            likelihood += w * np.log(says[k] / says.sum())
        score.append(norm.logpdf(deviation) + likelihood)
    found = judge(evidence, truth, weight, shares)
    chances = softmax(prior + 0.5 * (np.array(score) - prior))
    mine = found.calibration
    assert len(mine.powers) == MOST_POWERS
    for order in range(2 * MOST_POWERS):
        moment = mine.chances @ np.log(mine.powers) ** order
        assert moment == pytest.approx(chances @ np.log(powers) ** order, rel=1e-8), "Gauss quadrature"
    assert mine.powers.max() <= 1
    assert found.loss == pytest.approx(logsumexp(prior) - logsumexp(score))
    once = judge(evidence, truth, np.ones(40), shares)
    twice = judge(np.tile(evidence, (2, 1)), np.tile(truth, 2), np.full(80, 0.5), shares)
    assert twice.loss == pytest.approx(once.loss), "a weight is a number of rows"


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_values_stay_as_they_are(n, rng):
    values, chances = np.sort(rng.normal(size=n)), rng.dirichlet(np.ones(n))
    for twice in (False, True):
        given = np.concatenate([values, values]) if twice else values
        weight = np.concatenate([0.3 * chances, 0.7 * chances]) if twice else chances
        found, of_found = few_values(given, weight)
        np.testing.assert_allclose(found, values, rtol=1e-9)
        np.testing.assert_allclose(of_found, chances, rtol=1e-9)


def test_far_classes_are_no_reason_to_be_sure_before_a_label_says_so(rng):
    near, far = (scale * rng.normal(size=(31, 2)) for scale in (0.1, 100.0))
    assert usual_power(near, np.ones(31)) == LARGEST_POWER
    assert usual_power(far, np.ones(31)) * np.median(far.std(axis=1)) == pytest.approx(USUAL)
    far[0, 0] = -np.inf
    assert usual_power(far, np.ones(31)) > 0


def test_power_is_one_where_the_model_is_right_and_small_where_it_is_not():
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=4000)
    signal = truth[:, None] + 0.8 * rng.normal(size=(4000, 1))
    y = np.where(np.arange(4000) < 400, truth, -1)
    right = MixtureClassifier(covariance="diag").fit(signal, y)
    assert 0.8 < right.posterior_power_ < 1.2
    copies = np.repeat(signal, 10, axis=1) + 1e-3 * rng.normal(size=(4000, 10))
    wrong = MixtureClassifier(covariance="diag").fit(copies, y)
    assert wrong.posterior_power_ < 0.2


def test_a_given_power_leaves_predictions_and_densities_as_they_are():
    x, y, _ = overlapping(3)
    plain, sharp = (MixtureClassifier(calibrate=a, unlabeled_weight=1.0).fit(x, y) for a in (1.0, 0.25))
    np.testing.assert_array_equal(plain.predict(x), sharp.predict(x))
    np.testing.assert_allclose(plain.log_joint(x), sharp.log_joint(x))
    np.testing.assert_allclose(sharp.predict_log_proba(x), log_softmax(0.25 * plain.log_joint(x), axis=1))


def test_lambda_is_balanced_or_one():
    x, y, _ = overlapping(4)
    model = MixtureClassifier().fit(x, y)
    assert model.unlabeled_weight_ in (pytest.approx(16 / 384), 1.0)
    one_each = np.full(400, -1)
    one_each[[np.flatnonzero(y == k)[0] for k in (0, 1)]] = [0, 1]
    blind = MixtureClassifier().fit(x, one_each)
    assert blind.unlabeled_weight_ == pytest.approx(2 / 398), "no label can be left out"
    spread = np.median(np.log(blind.predict_proba(x) / blind.calibration_.shares).std(axis=1))
    assert spread < 2 * USUAL, "so nobody can say how sure predictions may be"
    assert MixtureClassifier().fit(x[:16], y[:16]).unlabeled_weight_ == 1.0


@pytest.mark.parametrize(
    "settings",
    [{"components_per_class": "bic"}, {"class_prior": "unlabeled"}, {"n_novel_components": 1}],
    ids=lambda one: next(iter(one)),
)
def test_what_is_asked_about_unlabeled_rows_is_asked_about_all(settings):
    x, y, _ = overlapping(5)
    assert MixtureClassifier(covariance="tied", random_state=0, **settings).fit(x, y).unlabeled_weight_ == 1.0


def test_labels_choose_the_weight_that_serves_them():
    """One class inside the other, which few labels cannot describe; and two clusters that are no classes."""
    rng = np.random.default_rng(0)
    half = rng.integers(2, size=600)
    nested = rng.normal(size=(600, 12)) * np.where(half == 1, 2.0, 1.0)[:, None]
    clusters = rng.normal(size=(600, 2)) + np.column_stack([8.0 * half - 4.0, np.zeros(600)])
    across = (clusters[:, 1] > 0).astype(int)
    for x, truth, wanted in ((nested, half, 1.0), (clusters, across, 30 / 570)):
        y = np.where(np.arange(600) < 30, truth, -1)
        model = MixtureClassifier(covariance="full").fit(x, y)
        assert model.unlabeled_weight_ == pytest.approx(wanted)


def test_labels_choose_the_covariance():
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=1200)
    alike = rng.normal(size=(1200, 12)) + 0.5 * truth[:, None]
    nested = rng.normal(size=(1200, 12)) * np.where(truth == 1, 3.0, 1.0)[:, None]
    y = np.where(np.arange(1200) < 60, truth, -1)
    names = [MixtureClassifier().fit(x, y).mixture_.family.covariance.name for x in (alike, nested)]
    assert names == ["tied", "full"]
    own = MixtureClassifier(Gaussian("full")).fit(alike, y)
    assert own.mixture_.family.covariance.name == "full", "a family given as an object stays"


def test_folds_do_not_depend_on_the_order_of_rows_and_keep_copies_together():
    x, y, _ = overlapping(6, n=60, n_labeled=24)
    engine, rng = ThreadEngine(1), np.random.default_rng(0)
    mixture = Mixture(Gaussian("full"), np.arange(2), 2)

    def folds(order, weight=1.0):
        rows = Data(x[order], encode(y[order]), np.full(len(order), weight))
        level = fit_levels(mixture, rows, engine, rng)[-1]
        return {frozenset(order[fold].tolist()) for fold in evidence.deal(rows, level)}

    every = np.arange(60)
    assert folds(every) == folds(np.random.default_rng(1).permutation(60))
    assert len(folds(every)) == evidence.N_FOLDS
    assert folds(np.concatenate([every, every])) == folds(every, weight=2.0)


def test_a_class_with_as_many_rows_as_components_leaves_nothing_to_the_labels(rng):
    """Without a fold it could not be started: the fit of all rows stands, as without any evidence."""
    x = np.concatenate([rng.normal(size=(3, 2)), 20 + rng.normal(size=(12, 2))])
    y = np.repeat(["few", "many"], [3, 12])
    model = MixtureClassifier(components_per_class={"few": 3}, random_state=0).fit(x, y)
    assert np.ptp(np.log(model.calibration_.powers)) > 3, "nothing speaks for one power"
    assert model.unlabeled_weight_ == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unlabeled_weight": "some"}, "unlabeled_weight='some'"),
        ({"unlabeled_weight": 1.5}, "unlabeled_weight=1.5"),
        ({"calibrate": "isotonic"}, "calibrate='isotonic'"),
        ({"calibrate": 0.0}, "calibrate=0.0"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings, message):
    x, y, _ = overlapping(0)
    with pytest.raises(ParameterError, match=message):
        MixtureClassifier(**settings).fit(x, y)


@pytest.mark.parametrize("shrinkage", [None, 0.0])
def test_many_rows_are_climbed_from_where_a_sample_of_them_ended(monkeypatch, shrinkage):
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=6000)
    x = rng.normal(size=(6000, 3)) * np.where(truth == 1, 1.5, 1.0)[:, None] + 1.5 * truth[:, None]
    data = Data(x, encode(np.where(np.arange(6000) < 40, truth, -1)), np.ones(6000))
    mixture, engine = Mixture(Gaussian("full"), np.arange(2), 2), ThreadEngine(1)

    def fitted():
        return fit_levels(
            mixture, data, engine, np.random.default_rng(0), shrinkage=shrinkage, tol=1e-9, max_iter=500
        )

    whole = fitted()
    monkeypatch.setattr(hierarchy, "MANY", 5000)
    monkeypatch.setattr(hierarchy, "SAMPLE", 3000)
    again = fitted()
    assert again[-1].fit.objective == pytest.approx(whole[-1].fit.objective, abs=1e-5)
    assert again[-1].fit.n_iter < whole[-1].fit.n_iter
    for one, other in zip(again, whole, strict=True):
        assert one.fit.path[0] > other.fit.path[0] + 0.01
