"""Prediction sets, novelty and uncertainty: what is promised holds in simulations."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import semigen
from command_line import error_of, run
from semigen.ensemble.held_out import pool_weights, shares_of_rows
from semigen.ensemble.uncertainty import held_out_probabilities
from semigen.estimators.adapters import PartlyLabeledClassifier
from semigen.evaluation.conformal import HeldOutProbabilities, set_rule
from semigen.evaluation.uncertainty import entropy
from semigen.exceptions import ParameterError


def held_out(probs, code, weight=None):
    weight = np.ones(len(code)) if weight is None else weight
    return HeldOutProbabilities(np.arange(probs.shape[1]), code, weight, probs)


def p_value(score, p, weight=None):
    """The conformal p-value of a class with probability p, from its definition."""
    weight = np.ones(len(score)) if weight is None else weight
    one = (weight @ weight) / weight.sum()
    return (weight[score <= p].sum() + one) / (weight.sum() + one)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_sets_are_those_of_the_p_values(rng, coverage, weighted):
    probs = rng.dirichlet(np.ones(3), 40)
    code = rng.integers(0, 3, 40)
    weight = rng.uniform(0.5, 2, 40) if weighted else np.ones(40)
    new = rng.dirichlet(np.ones(3), 200)
    true = probs[np.arange(40), code]
    found = set_rule(held_out(probs, code, weight), coverage).sets(new)
    expected = [[p_value(true, p, weight) > 1 - coverage + 1e-12 for p in row] for row in new]
    np.testing.assert_array_equal(found, expected)
    if not weighted:
        for k in range(3):
            assert (code == k).sum() >= 4
    by_class = set_rule(held_out(probs, code, weight), 0.75, by_class=True).sets(new)
    for k in range(3):
        mine = code == k
        expected = [p_value(probs[mine, k], p, weight[mine]) > 0.25 + 1e-12 for p in new[:, k]]
        np.testing.assert_array_equal(by_class[:, k], expected)


def test_repeated_rows_and_weights_count_by_their_ratios(rng):
    probs, code = rng.dirichlet(np.ones(2), 30), rng.integers(0, 2, 30)
    once = set_rule(held_out(probs, code)).thresholds
    for weight in (7.0, 0.1):
        weighted = set_rule(held_out(probs, code, np.full(30, weight))).thresholds
        np.testing.assert_array_equal(weighted, once)
    dropped = np.where(np.arange(30) < 20, 1.0, 0.0)
    few = set_rule(held_out(probs[:20], code[:20])).thresholds
    np.testing.assert_array_equal(set_rule(held_out(probs, code, dropped)).thresholds, few)


def test_too_few_rows_are_made_up_from_the_probabilities(rng):
    """With n < 9 the conformal p-value is never 10 % or less; here F fills in, and says how much of it."""
    probs = np.column_stack([np.linspace(0.05, 0.95, 30), np.linspace(0.95, 0.05, 30)])
    code = np.ones(30, int)
    code[[20, 25]] = 0
    rule = set_rule(held_out(probs, code), by_class=True)
    np.testing.assert_allclose(rule.n_rows, [2, 28])
    np.testing.assert_allclose(rule.n_assumed, [7, 0], atol=1e-9)
    order = np.sort(probs[:, 0])
    for p in (rule.thresholds[0] - 0.01, rule.thresholds[0] + 0.01):
        of_own = (probs[[20, 25], 0] <= p).sum()
        assumed = order[order <= p].sum() / order.sum()
        assert ((of_own + 8 * assumed) / 10 > 0.1) == (p > rule.thresholds[0])
    empty = set_rule(held_out(probs, np.zeros(30, int)), by_class=True)
    assert empty.n_assumed[1] == pytest.approx(9)
    assert 0 < empty.thresholds[1] < 1


def test_what_cannot_be_a_rule():
    probs, code = np.full((4, 2), 0.5), np.array([0, 1, 0, 1])
    for coverage in (0, 1, -1, "a"):
        with pytest.raises(ParameterError, match="coverage"):
            set_rule(held_out(probs, code), coverage)
    with pytest.raises(ParameterError, match="no held-out row"):
        set_rule(held_out(probs[:0], code[:0]))
    with pytest.raises(ParameterError, match="must be 0 or more"):
        set_rule(held_out(probs, code)).sets([[3.0, -2.0]])


def draw(rng, n, rare, distance):
    """Two Gaussian classes in two dimensions; class 1 has the share ``rare``."""
    y = (rng.random(n) < rare).astype(int)
    return rng.normal(size=(n, 2)) + distance * y[:, None] * [1, 0], y


def ensemble(**options):
    return semigen.PoolClassifier([("bayes", GaussianNB()), ("logistic", LogisticRegression())], **options)


def covered(rare, distance, n_labeled, n_sims, by_class):
    """Mean coverage over simulations: of all new rows, and of those of each class."""
    found = []
    for seed in range(n_sims):
        rng = np.random.default_rng(seed)
        X, y = draw(rng, n_labeled, rare, distance)
        y[:2], X[:2] = 1, X[:2] + distance * (1 - y[:2, None]) * [1, 0]  # two labels of each class
        model = ensemble().fit(X, y)
        X_new, y_new = draw(rng, 2000, rare, distance)
        sets = model.predict_set(X_new, by_class=by_class)
        right = sets[np.arange(len(y_new)), y_new]
        found.append([right.mean(), *(right[y_new == k].mean() for k in (0, 1)), sets.sum(axis=1).mean()])
    return np.mean(found, axis=0)


def test_sets_cover_what_they_promise():
    """20 labels; in the long run 90 to 95 % (the next of 21 ranks), give or take the luck of 30 draws."""
    every, _, _, size = covered(0.5, 1.5, 20, 30, by_class=False)
    assert 0.87 < every < 0.96
    assert size < 1.7


def test_sets_by_class_do_not_forget_the_rare_one():
    """Classes of 1:20 and 60 labels: two or three are of the rare class."""
    _, frequent, rare, size = covered(1 / 21, 2.5, 60, 30, by_class=True)
    assert 0.87 < frequent < 0.97
    assert 0.8 < rare < 0.99
    assert size < 1.6
    assert covered(1 / 21, 2.5, 60, 10, by_class=False)[2] < 0.7, "which is why there is by_class"


def test_sets_under_other_class_shares():
    """Labels of two even classes, new rows of 4:1: the held-out rows are weighted accordingly."""
    found = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        X, y = draw(rng, 80, 0.5, 1.5)
        model = ensemble(class_prior=[0.2, 0.8]).fit(X, y)
        X_new, y_new = draw(rng, 2000, 0.8, 1.5)
        found.append(model.predict_set(X_new)[np.arange(2000), y_new].mean())
    assert 0.87 < np.mean(found) < 0.95
    shifted, shared = (held_out_probabilities(model, one) for one in (False, True))
    counts = np.bincount(y)
    np.testing.assert_allclose(shifted.weight, (80 * np.array([0.2, 0.8]) / counts)[shifted.code], rtol=0.03)
    np.testing.assert_array_equal(shared.weight, 1)
    odds = [one.probabilities[:, 1] / one.probabilities[:, 0] for one in (shifted, shared)]
    np.testing.assert_allclose(odds[0] / odds[1], 4, rtol=0.3)  # labels say roughly even shares


@pytest.fixture(scope="module")
def auto():
    rng = np.random.default_rng(0)
    X, y = draw(rng, 300, 0.4, 3.0)
    y[40:] = -1
    return semigen.AutoClassifier(n_mixtures=3, random_state=0).fit(X, y)


def test_sets_of_auto_survive_a_file(auto, tmp_path):
    X, _ = draw(np.random.default_rng(1), 50, 0.4, 3.0)
    semigen.save(auto, tmp_path / "auto.semigen")
    again = semigen.load(tmp_path / "auto.semigen")
    np.testing.assert_array_equal(again.predict_set(X), auto.predict_set(X))
    rule = auto.set_rule(0.9)
    np.testing.assert_array_equal(rule.sets(auto.predict_proba(X)), auto.predict_set(X))
    assert rule.to_dict()["classes"][0]["n_rows"] == 40
    assert (auto.predict_set(X, 0.99).sum(axis=1) >= auto.predict_set(X, 0.8).sum(axis=1)).all()


def test_mapie_conforms_a_fitted_ensemble(auto):
    """As the guide has it: a prefit model, and labeled rows that were kept back."""
    mapie = pytest.importorskip("mapie.classification")
    X, y = draw(np.random.default_rng(1), 900, 0.4, 1.5)
    conformal = mapie.SplitConformalClassifier(auto, confidence_level=0.9, prefit=True)
    _, sets = conformal.conformalize(X[:300], y[:300]).predict_set(X[300:])
    assert sets.shape == (600, 2, 1)
    assert 0.84 < sets[np.arange(600), y[300:], 0].mean() < 0.96


def test_no_sets_without_held_out_rows():
    model = ensemble().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ParameterError, match="no labeled row was held out"):
        model.predict_set([[0.5]])


def test_uncertainty_has_two_parts(auto):
    X = np.array([[1.5, 0.0], [-1.0, 0.0]])
    found = auto.predict_uncertainty(X)
    np.testing.assert_allclose(found.total, found.aleatoric + found.epistemic, rtol=1e-12)
    assert ((found.aleatoric >= 0) & (found.epistemic >= 0) & (found.total <= np.log(2) + 1e-12)).all()
    assert found.total[0] > found.total[1] + 0.2
    assert found.epistemic[0] > found.epistemic[1], "models disagree between the classes"


def test_models_of_an_ensemble_are_as_sure_as_the_ensemble(rng):
    X, y = draw(rng, 80, 0.5, 1.5)
    model = ensemble().fit(X, y)
    probs, shares = model.model_proba(X)
    product = np.exp(np.tensordot(shares, np.log(probs), 1))
    np.testing.assert_allclose(product / product.sum(axis=1, keepdims=True), model.predict_proba(X))
    mean = np.tensordot(shares, probs, 1)
    np.testing.assert_allclose(model.predict_uncertainty(X).total, entropy(mean))
    model.reweight({"bayes": 0.0, "logistic": 0.0})
    found = model.predict_uncertainty(X)
    np.testing.assert_allclose(found.total, entropy(model.class_prior_))
    np.testing.assert_allclose(found.epistemic, 0)


def test_novel_rows_are_found_at_the_stated_false_alarm_rate(auto):
    rng = np.random.default_rng(5)
    alike = auto.is_novel(draw(rng, 4000, 0.4, 3.0)[0], false_alarm=0.05)
    assert 0.02 < alike.mean() < 0.09
    assert auto.is_novel([[30.0, 30.0], [0.0, 0.0]]).tolist() == [True, False]
    with pytest.raises(ParameterError, match="false_alarm"):
        auto.is_novel([[0.0, 0.0]], false_alarm=0.001)


def test_label_shift_is_that_of_an_independent_maximization(rng):
    """Saerens' EM with its Dirichlet prior, against a constrained maximization of the same likelihood."""
    prior, true = np.array([0.5, 0.3, 0.2]), np.array([0.15, 0.25, 0.6])
    y = rng.choice(3, 600, p=true)
    X = rng.normal(size=600) + 1.5 * y
    joint = np.exp(-((X[:, None] - 1.5 * np.arange(3)) ** 2) / 2) * prior
    probs, weight = joint / joint.sum(axis=1, keepdims=True), rng.uniform(0.5, 1.5, 600)

    def objective(free):
        shares = np.exp(np.append(free, 0))
        shares /= shares.sum()
        of_rows = weight @ np.log((probs * (shares / prior)).sum(axis=1))
        return -(of_rows + 0.1 * weight.sum() * prior @ np.log(shares))

    best = np.exp(np.append(minimize(objective, np.zeros(2), tol=1e-10).x, 0))
    np.testing.assert_allclose(shares_of_rows(probs, weight, prior), best / best.sum(), atol=2e-4)
    np.testing.assert_allclose(best / best.sum(), true, atol=0.1)


def test_label_shift_without_its_prior_is_that_of_quapy(monkeypatch):
    """Reference values: ``EMQ.EM(prior, probs, epsilon=1e-12)`` of quapy 0.2.3."""
    monkeypatch.setattr("semigen.ensemble.held_out.PRIOR_WEIGHT", 0.0)
    rng = np.random.default_rng(7)
    prior = np.array([0.5, 0.3, 0.2])
    y = rng.choice(3, size=500, p=[0.1, 0.3, 0.6])
    X = rng.normal(size=500) + 1.2 * y
    probs = softmax(np.log(prior) - (X[:, None] - 1.2 * np.arange(3)) ** 2 / 2, axis=1)
    found = shares_of_rows(probs, np.ones(500), prior)
    np.testing.assert_allclose(found, [0.0770418396, 0.3434986926, 0.5794594677], atol=2e-6)


def test_one_model_without_a_prior_is_scaled_by_a_temperature(rng):
    logits = rng.normal(scale=4, size=(400, 3))
    code = np.array([rng.choice(3, p=np.exp(row / 2.5) / np.exp(row / 2.5).sum()) for row in logits])
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def loss(temperature):
        scaled = logits / temperature
        return -(scaled[np.arange(400), code] - np.log(np.exp(scaled).sum(axis=1))).mean()

    found = pool_weights(np.zeros(3), log_probs[None], code, np.ones(400), np.ones(1), 0.0)
    assert 1 / found[0] == pytest.approx(
        minimize_scalar(loss, bounds=(0.1, 20), method="bounded").x, rel=1e-3
    )


def test_sets_on_the_command_line(tmp_path):
    X, _ = draw(np.random.default_rng(1), 30, 0.4, 3.0)
    frame = pd.DataFrame(X, columns=["a", "b"])
    y = np.where(np.arange(30) < 20, np.where(X[:, 0] > 1.5, "yes", "no"), None)
    models = [("mixture", semigen.MixtureClassifier(unlabeled=None)), ("logistic", LogisticRegression())]
    model = semigen.PoolClassifier(models, unlabeled=None).fit(frame, y)
    semigen.save(model, tmp_path / "m.semigen")
    frame.to_csv(tmp_path / "t.csv", index=False)
    run(
        "predict", tmp_path / "m.semigen", tmp_path / "t.csv", "--out", tmp_path / "p.csv", "--coverage", 0.95
    )
    written = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)["set"].tolist()
    names = np.array(["no", "yes"])
    for text, members, p in zip(
        written, model.predict_set(frame, 0.95), model.predict_proba(frame), strict=True
    ):
        order = np.argsort(-p, kind="stable")
        assert text == (" | ".join(names[order][members[order]]) or "none")
    semigen.save(models[0][1].fit(frame, y), tmp_path / "x.semigen")
    arguments = ("predict", tmp_path / "x.semigen", tmp_path / "t.csv", "--out", tmp_path / "q.csv")
    refused = run(*arguments, "--coverage", 0.9, code=1)
    assert "has no prediction sets" in error_of(refused)


@pytest.mark.parametrize(
    "classifier",
    [
        semigen.MixtureClassifier(covariance="tied", unlabeled_weight=0.1, calibrate=1),
        LogisticRegression(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_sets_of_any_classifier_cover_what_they_promise(classifier):
    share = []
    for seed in range(12):
        data = semigen.datasets.make_gaussian_classes(60, 900, 3, n_classes=3, distance=2, random_state=seed)
        rows, rest = slice(0, 360), slice(360, None)
        X, y = data.X[rows], data.y[rows]
        model = PartlyLabeledClassifier(classifier).fit(X, y)
        sets = semigen.set_rule(classifier, X, y, 0.8).sets(model.predict_proba(data.X[rest]))
        share.append(sets[np.arange(600), data.y_true[rest]].mean())
    assert 0.74 < np.mean(share) < 0.9


def test_sets_say_where_labels_are_too_few(rng):
    probs, code = rng.dirichlet(np.ones(2), 30), np.where(np.arange(30) < 3, 1, 0)
    rule = set_rule(held_out(probs, code), 0.9, by_class=True)
    assert "need 9 held-out labels of each class, and there are fewer of the classes 1 (3)" in rule.caution
    assert set_rule(held_out(probs, code), 0.9).caution is None
    assert "fewer (5)" in set_rule(held_out(probs[:5], code[:5]), 0.9).caution
    assert rule.to_dict()["caution"] == rule.caution


@pytest.mark.parametrize("coverage", [0, 1, -0.5, float("nan"), "0.9"])
def test_a_coverage_that_cannot_be_is_refused_before_any_fit(coverage, monkeypatch):
    monkeypatch.setattr("semigen.judgement.sets.compare", None)
    with pytest.raises(ParameterError, match="coverage="):
        semigen.set_rule("mixture", np.arange(8.0)[:, None], [0, 1] * 4, coverage)
