"""Learning curves and where they lead."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

import semigen
from semigen.data.labels import encode
from semigen.datasets import make_gaussian_classes
from semigen.exceptions import LabelError, ParameterError
from semigen.judgement.crossovers import Crossover, crossover, elsewhere, in_words, learned, with_more_labels
from semigen.judgement.curves import CurvePrior, Measured, measure, power_laws, zero_line
from semigen.judgement.forecast import forecast, measured_curves
from semigen.reporting.figures import _learning_curve

FLAT = CurvePrior(
    exponent=0.0, exponent_sd=100.0, log_error=0.0, log_error_sd=100.0, roughness=1e-3, apart=0.0, alike=0.0
)
LOG_TIMES = np.log([0.2, 0.4, 0.8])


def curves(levels, exponents):
    """Errors that are known exactly."""
    log_error = np.log(levels)[:, None] - np.array(exponents)[:, None] * LOG_TIMES
    return Measured(log_error, 1e-6 * np.eye(log_error.size), LOG_TIMES)


def test_power_laws_are_found_and_continued():
    found = power_laws(curves([0.2, 0.3], [0.1, 0.6]), FLAT)
    np.testing.assert_allclose(found.mean, [np.log(0.2), np.log(0.3), 0.1, 0.6], atol=1e-3)
    assert found.error(1, np.log(4)).value == pytest.approx(0.3 * 4**-0.6, rel=2e-3)
    assert found.exponent(0).value == pytest.approx(0.1, abs=1e-3)


def test_the_posterior_is_that_of_a_regression_with_a_prior(rng):
    """Against the least squares problem that it solves, stacked with the prior as further rows."""
    errors = (rng.random((2, 3, 50)) < np.array([0.4, 0.3, 0.2])[:, None]).astype(float)
    measured = measure(errors, LOG_TIMES, 0)
    prior = CurvePrior(
        exponent=0.2, exponent_sd=0.1, log_error=-1.5, log_error_sd=0.7, roughness=0.2, alike=0.6
    )
    between = np.array([[1, 0.6], [0.6, 1]])
    found = power_laws(measured, prior)
    design = np.zeros((6, 4))
    for m in range(2):
        design[3 * m : 3 * m + 3, m] = 1
        design[3 * m : 3 * m + 3, 2 + m] = -LOG_TIMES
    noise = measured.covariance + [
        [0.04 * between[i // 3, j // 3] * (i % 3 == j % 3) for j in range(6)] for i in range(6)
    ]
    whiten = np.linalg.inv(np.linalg.cholesky(noise))
    known = np.zeros((4, 4))
    known[:2, :2], known[2:, 2:] = 0.49 * between, 0.01 * between
    scale = np.linalg.inv(np.linalg.cholesky(known))
    rows = np.vstack([whiten @ design, scale])
    values = np.append(whiten @ measured.log_error.ravel(), scale @ [-1.5, -1.5, 0.2, 0.2])
    np.testing.assert_allclose(found.mean, np.linalg.lstsq(rows, values)[0], rtol=1e-8)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(rows.T @ rows), rtol=1e-8)
    draws = found.draws(20000, 0)
    np.testing.assert_allclose(draws.mean(axis=0), found.mean.reshape(2, 2).T, atol=0.02)
    one = found.error(0, np.log(2))
    sd = np.std(draws[:, 0, 0] - draws[:, 0, 1] * np.log(2))
    assert np.log(one.value / one.low) == pytest.approx(1.96 * sd, rel=0.03)


def test_models_are_alike_in_what_they_are_off_their_power_laws(rng):
    """So the difference of two is known better than either."""
    errors = (rng.random((2, 3, 50)) < 0.3).astype(float)
    spread = []
    for alike in (0.0, 0.5, 0.9):
        _, covariance = power_laws(measure(errors, LOG_TIMES, 0), CurvePrior(alike=alike)).log_errors(0.7)
        spread.append(np.sqrt([1, -1] @ covariance @ [1, -1] / np.trace(covariance)))
    assert spread[0] > spread[1] + 0.2 > spread[2] + 0.4, spread


def test_a_gain_does_not_know_how_hard_the_table_is(rng):
    """Beside draws of two errors about one power law: only their own roughness is between them."""
    errors = (rng.random((2, 3, 50)) < np.array([0.4, 0.3, 0.2])[:, None]).astype(float)
    measured = replace(measure(errors, LOG_TIMES, 0), n_minor=9)
    found = power_laws(measured)
    said = found.gain(1, np.log(3))
    draws = found.draws(40000, 0)[:, 1, 1]
    rough = rng.normal(0, np.sqrt(found.roughness[1, 1]), (2, len(draws)))
    drawn = 1 - np.exp(-draws * np.log(3) + rough[1] - rough[0])
    np.testing.assert_allclose(
        [said.low, said.value, said.high], np.quantile(drawn, [0.1, 0.5, 0.9]), atol=0.02
    )
    assert power_laws(replace(measured, n_minor=1)).gain(1, np.log(3)) == said
    assert found.gain(1, 0.0).value == 0


def test_few_rows_of_the_smaller_classes_leave_errors_open(rng):
    """They say how frequent these classes are to within one over their root."""
    errors = (rng.random((2, 3, 50)) < 0.3).astype(float)
    measured = measure(errors, LOG_TIMES, 0)
    few = power_laws(replace(measured, n_minor=4), CurvePrior(apart=0.6, alike=0.25)).log_errors(0.0)[1]
    same = power_laws(measured, CurvePrior(alike=0.25)).log_errors(0.0)[1]
    np.testing.assert_allclose(few - same, 0.09 * np.array([[1, 0.25], [0.25, 1]]))


def test_errors_are_expected_below_that_of_the_most_frequent_class():
    zero, n_minor = zero_line(np.array([0, 2, 2, -1, 2, 2, 1, -1]))
    assert (np.exp(zero), n_minor) == pytest.approx((2 / 6, 2))
    vague = Measured(np.zeros((1, 1)), np.array([[1e6]]), np.zeros(1), zero, n_minor)
    assert power_laws(vague).log_error[0] == pytest.approx(zero + CurvePrior().log_error, abs=1e-3)


def test_the_bootstrap_is_paired_over_rows(rng):
    wrong = (rng.random(60) < 0.3).astype(float)
    found = measure(np.array([[wrong], [wrong]]), LOG_TIMES[:1], 0)
    np.testing.assert_allclose(found.covariance, found.covariance[0, 0], err_msg="the same rows are drawn")
    share = (wrong.sum() + 0.5) / 61
    assert np.exp(found.log_error[0, 0]) == pytest.approx(share)
    assert found.covariance[0, 0] == pytest.approx((1 - share) / (60 * share), rel=0.25)
    none = measure(np.zeros((1, 1, 60)), LOG_TIMES[:1], 0)
    assert none.covariance[0, 0] == pytest.approx(np.pi**2 / 6, rel=0.25), "of the logarithm of a Beta(1, 60)"


def test_models_learn_from_prefixes_of_the_labels_and_never_from_tested_rows():
    seen = []

    class Noting(GaussianNB):
        def fit(self, X, y):
            seen.append((X[:, 0].tolist(), y.tolist()))
            return super().fit(X, y)

    n = 40
    X, code = np.arange(float(n))[:, None], np.arange(n) % 2
    y = np.where(np.arange(n) < 24, code, -1)
    names, sizes, errors = measured_curves(X, encode(y), {"noting": Noting()}, 4, 1, 0)
    assert (names, sizes) == (["noting"], [4, 9, 18])
    assert errors.shape == (1, 3, 24)
    for fold in range(4):
        sets = [set(rows) for rows, _ in seen[3 * fold : 3 * fold + 3]]
        assert [len(one) for one in sets] == sizes
        assert sets[0] < sets[1] < sets[2] < set(range(24))
        for _, classes in seen[3 * fold : 3 * fold + 3]:
            assert abs(np.mean(classes) - 0.5) < 0.2
    tested = [set(range(24)) - set(seen[3 * fold + 2][0]) for fold in range(4)]
    assert sorted(row for one in tested for row in one) == list(range(24))


DATA = make_gaussian_classes(24, 60, distance=1.5, random_state=0)
MODELS = {"bayes": GaussianNB(), "logistic": LogisticRegression()}


@pytest.fixture(scope="module")
def found():
    return forecast(DATA.X, DATA.y, estimators=MODELS, n_repeats=2)


def test_a_forecast_is_a_record(found):
    assert found.n_labeled == sum(label is not None for label in DATA.y.tolist())
    assert [one.name for one in found.curves] == ["bayes", "logistic"]
    record = json.loads(json.dumps(found.to_dict()))
    assert [point["n_labels"] for point in record["curves"][0]["forecast"]] == [
        times * found.n_labeled for times in (1, 2, 4, 8)
    ]
    four = found.at("bayes", 4 * found.n_labeled)
    assert record["curves"][0]["forecast"][2]["value"] == four.value
    assert four.low < four.value < found.at("bayes", found.n_labeled).value
    assert found.best == min(("bayes", "logistic"), key=lambda name: found.at(name, found.n_labeled).value)
    assert record["sentence"] == str(found)
    assert str(found) in found._repr_html_()
    assert f"With {found.n_labeled} labels the {found.best} model" in str(found)
    for one in (found.curves[0].error[0], found.curves[1].error[-1]):
        assert one.low <= one.value <= one.high
    assert forecast(DATA.X, DATA.y, estimators=MODELS, n_repeats=2).to_dict() == record


def test_when_curves_cross():
    """Errors .2 n^-.1 and .3 n^-.6: they meet at (.3 / .2)^(1 / .5) = 2.25 times the labels."""
    posterior = power_laws(curves([0.2, 0.3], [0.1, 0.6]), FLAT)
    one = crossover("late", "early", posterior.draws(2000, 0)[:, [1, 0]], 40)
    assert one.more_labels == pytest.approx(50, abs=0.5)
    assert one.low < one.more_labels < one.high
    assert one.probability == 1
    never = crossover("early", "late", posterior.draws(2000, 0)[:, [1, 0]] * [1, 0], 40)
    assert (never.more_labels, never.high, never.probability) == (None, None, 0)


def test_what_is_said_of_models_that_may_overtake(found):
    other = next(one.name for one in found.curves if one.name != found.best)

    def said(probability, more, low, high):
        one = Crossover(other, found.best, probability, more, low, high)
        return replace(found, crossovers=(one,)).sentence

    gain = found.gain(found.best)
    assert gain.low < 0 < gain.value < gain.high
    assert (
        f"With twice as many labels it should be {gain.value:.0%} lower (80 % interval: {gain.high:.0%} "
        f"lower to {-gain.low:.0%} higher)."
    ) in found.sentence
    assert found.to_dict()["gain"]["value"] == gain.value
    assert said(0.6, 30.0, 0.0, None).endswith(
        "Whether another model would overtake it cannot be told from these labels."
    )
    assert replace(found, crossovers=()).told == {found.best}
    assert said(0.6, 30.0, 4.0, None).endswith(
        f"With about 30 more labels the {other} model would overtake it (95 % interval: 4 to never)."
    )
    assert said(0.2, None, 4.0, None).endswith(
        f"That the {other} model would overtake it within ten times as many labels is 20% probable."
    )
    assert said(0.6, 1.0, 0.0, None).endswith(f"The {other} model is about as good.")


def test_figures_continue_only_curves_whose_future_is_told(found):
    none = tuple(replace(one, low=0.0, high=None) for one in found.crossovers)
    every = tuple(replace(one, low=1.0) for one in found.crossovers)
    for crossovers, n_told in ((none, 1), (every, len(found.curves))):
        one = replace(found, crossovers=crossovers)
        assert len(one.to_dict()["told"]) == n_told
        for ax in (
            semigen.plot(one, ax=Figure().subplots()),
            _learning_curve({"learning_curve": one.to_dict()})[0].axes[0],
        ):
            farthest = [max(line.get_xdata()) > found.n_labeled for line in ax.get_lines()]
            assert sum(farthest) == n_told


def test_what_cannot_be_forecast(found):
    with pytest.raises(LabelError, match="4 labeled rows can be held out"):
        forecast([[0.0], [1.0], [0.0], [1.0], [2.0]], [0, 1, 0, 1, -1])
    with pytest.raises(ParameterError, match="estimators is no dict"):
        forecast(DATA.X, DATA.y, estimators={})
    with pytest.raises(TypeError, match="positional"):  # the order of compare
        forecast(MODELS, DATA.X, DATA.y)
    with pytest.raises(ParameterError, match="no model 'x'"):
        found.at("x", 3)
    with pytest.raises(ParameterError, match=r"n_labels=0: .* at least 1"):
        found.at("bayes", 0)
    with pytest.raises(ParameterError, match=r"times=0\.5: .* at least 1"):
        found.gain("bayes", 0.5)


def test_the_default_models_and_progress():
    said = []
    found = semigen.forecast(DATA.X, DATA.y, n_splits=2, progress=lambda *step: said.append(step))
    assert [one.name for one in found.curves] == ["mixture", "logistic regression", "mixture features"]
    assert said[-1][:2] == (18, 18)
    assert len(found.crossovers) == 2
    per_class = found.n_labeled / 2
    assert found.elsewhere == with_more_labels(per_class)
    assert json.loads(json.dumps(found.to_dict()))["elsewhere"][0]["per_class"] == per_class
    assert str(found).endswith(in_words(found.elsewhere)[0])


def test_of_other_tables_what_was_measured_is_said_and_what_lies_between_is_between():
    for name, by_budget in learned().items():
        for budget, measured in by_budget.items():
            one = next(one for one in elsewhere(float(budget)) if one.name == name)
            assert (one.ahead.value, one.alike) == pytest.approx((measured["ahead"], measured["alike"]))
            assert one.n_tables == measured["tables"]
            assert 0 <= one.ahead.low < one.ahead.value < one.ahead.high < 1 - one.alike
        (few, middle, many), log_budgets = by_budget.values(), np.log([float(one) for one in by_budget])
        halfway = next(one for one in elsewhere(np.exp(log_budgets[:2].mean())) if one.name == name)
        assert halfway.ahead.value == pytest.approx((few["ahead"] + middle["ahead"]) / 2)
        beyond = [next(one for one in elsewhere(n) if one.name == name) for n in (2, 1000)]
        assert [one.ahead.value for one in beyond] == [few["ahead"], many["ahead"]]
        assert [one.per_class for one in beyond] == pytest.approx(np.exp(log_budgets[[0, -1]]))
    shares = [one.ahead.value for one in elsewhere(8)]
    assert shares == sorted(shares, reverse=True)


def test_the_model_that_is_spoken_of_is_the_one_that_leads_with_many_labels():
    few = with_more_labels(5)
    often, late = few[0].name, next(one for one in few if one.per_class == 100).name
    assert often != late
    assert late in in_words(few)[0]
    assert often not in in_words(few)[0]


def test_other_tables_are_spoken_of_where_their_ensemble_is_a_model(found, monkeypatch):
    assert found.elsewhere == ()
    assert in_words(()) == []
    monkeypatch.setattr(
        "semigen.judgement.forecast.measured_curves",
        lambda X, labels, models, *_: (list(models), [6, 12], np.full((len(models), 2, 24), 0.25)),
    )
    with_it = forecast(DATA.X, DATA.y, estimators={"mine": semigen.AutoClassifier(), "bayes": GaussianNB()})
    per_class = found.n_labeled / 2
    now, later = ([one for one in with_it.elsewhere if one.per_class == n] for n in (per_class, 100))
    assert {one.name for one in now} == {one.name for one in later} == set(learned())
    assert len(with_more_labels(100)) == len(with_more_labels(500)) == len(learned())
    first, last = (next(one for one in each if one.name == later[0].name) for each in (now, later))
    assert in_words(with_it.elsewhere) == [
        f"On {first.n_tables} other tables with {per_class:.0f} labels per class {first.name} was better "
        f"than AutoClassifier, by more than a point of error, on {first.ahead.value:.0%} (95 % interval: "
        f"{first.ahead.low:.0%} to {first.ahead.high:.0%}); with 100 on {last.ahead.value:.0%} "
        f"({last.ahead.low:.0%} to {last.ahead.high:.0%})."
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_splits": 1}, "n_splits=1"),
        ({"n_splits": 2.5}, "n_splits=2.5"),
        ({"estimators": [GaussianNB()]}, "no dict from names"),
        ({"estimators": {}}, "no dict from names"),
        ({"estimators": {"svm": LinearSVC()}}, "'svm' is a LinearSVC without predict_proba"),
        ({"estimators": {"mix": "mixtures"}}, "no model 'mixtures'"),
        ({"estimators": {1: GaussianNB()}}, "name 1"),
    ],
)
def test_what_cannot_be_forecast_is_named_before_any_fit(options, message, monkeypatch):
    data = make_gaussian_classes(20, 40, distance=2, random_state=0)
    monkeypatch.setattr("semigen.judgement.forecast.fit_classifier", None)
    with pytest.raises(ParameterError, match=message):
        forecast(data.X, data.y, **options)


def test_labels_of_one_class_in_a_matrix_make_no_curve():
    X, y = np.arange(60.0)[:, None], np.full((60, 2), np.nan)
    y[:20] = [1, 0]
    y[20:25] = [0.6, 0.4]
    with pytest.raises(LabelError, match="only rows of 0 have one certain label"):
        forecast(X, y)


def test_models_by_name_and_gains_without_end():
    data = make_gaussian_classes(20, 40, distance=2, random_state=0)
    found = forecast(data.X, data.y, estimators={"bayes": GaussianNB(), "mix": "supervised mixture"})
    assert [one.name for one in found.curves] == ["bayes", "mix"]
    for never in (np.inf, np.nan, 0.5):
        with pytest.raises(ParameterError, match="times="):
            found.gain("mix", never)
        with pytest.raises(ParameterError, match="n_labels="):
            found.at("mix", never)
