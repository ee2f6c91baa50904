"""Possible powers of what a model makes of the columns, beside the class shares, weighed by held-out rows."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logit, softmax

from semigen.evaluation.calibration import (
    DEVIATIONS,
    LEAST_AGREEMENT,
    MOST_POWERS,
    POWER,
    SD,
    TRUST,
    USUAL,
    Calibration,
    Fold,
    agreement,
    calibrate,
    evidence_of,
    spread,
)
from semigen.evaluation.metrics import row_log_loss

SHARES = np.array([0.5, 0.3, 0.2])
ONES = np.ones(500)


def draw(rng, n, temperature=1.0):
    """True classes, and probabilities whose logits beside the shares are so many times as large as right."""
    evidence = rng.normal(size=(n, 3))
    truth = softmax(np.log(SHARES) + evidence, axis=1)
    code = (rng.random(n)[:, None] > truth.cumsum(axis=1)[:, :2]).sum(axis=1)
    return code, softmax(np.log(SHARES) + temperature * evidence, axis=1)


def found(rng, n, temperature):
    """The calibration by a fold of n held-out rows that agrees wholly with the fit."""
    code, probs = draw(rng, n, temperature)
    evidence = evidence_of(draw(rng, 500, temperature)[1], SHARES)
    fold = Fold(evidence_of(probs, SHARES), code, np.ones(n), evidence)
    return calibrate(evidence, ONES, [fold], SHARES)


def test_power_0_is_the_class_shares_and_power_1_the_model(rng):
    _, probs = draw(rng, 20)
    np.testing.assert_allclose(Calibration.at(0.0, SHARES)(probs), np.tile(SHARES, (20, 1)), rtol=1e-12)
    assert Calibration.at(0.0, SHARES).power == 0.0
    np.testing.assert_array_equal(Calibration.at(1.0, SHARES)(probs), probs)
    np.testing.assert_allclose(Calibration.at(1.0 - 1e-12, SHARES)(probs), probs, rtol=1e-9)
    uniform = Calibration.at(0.25, np.full(3, 1 / 3))
    np.testing.assert_allclose(np.log(uniform(probs)), log_softmax(np.log(probs) / 4, axis=1))
    stacked = Calibration.at(0.3, SHARES)(np.stack([probs, probs[::-1]]))
    np.testing.assert_array_equal(stacked[1], stacked[0][::-1])
    assert np.isfinite(Calibration.at(0.5, SHARES)(np.array([[1.0, 0.0, 0.0]]))).all()


def test_possible_powers_are_a_mixture(rng):
    _, probs = draw(rng, 20)
    both = Calibration(np.array([0.2, 0.8]), np.array([0.75, 0.25]), SHARES)
    apart = [Calibration.at(power, SHARES)(probs) for power in (0.2, 0.8)]
    np.testing.assert_allclose(both(probs), 0.75 * apart[0] + 0.25 * apart[1], rtol=1e-12)
    assert both.power == pytest.approx(0.2**0.75 * 0.8**0.25)


@pytest.mark.parametrize("temperature", [1.0, 3.0, 8.0])
def test_many_rows_give_the_temperature_back(rng, temperature):
    calibration = found(rng, 20_000, temperature)
    assert calibration.power == pytest.approx(1 / temperature, rel=0.25)  # as near as the next possible one
    assert calibration.chances.max() > 0.8


def test_many_rows_say_what_venn_abers_prediction_says():
    """Reference values: ``VennAbers().fit(probs, code)`` of venn-abers 1.5.4, isotonic regressions."""
    rng = np.random.default_rng(11)
    shares, n = np.array([0.6, 0.4]), 4000
    evidence = 1.5 * rng.normal(size=n)
    code = (rng.random(n) < expit(logit(0.4) + evidence)).astype(int)
    held = evidence_of(two(expit(logit(0.4) + 4 * evidence)), shares)  # four times as sure as is right
    calibration = calibrate(held, np.ones(n), [Fold(held, code, np.ones(n), held)], shares)
    said = np.array([0.002, 0.02, 0.1, 0.3, 0.6, 0.9, 0.98, 0.998])
    reference = [0.1479, 0.2595, 0.3137, 0.3866, 0.4448, 0.5825, 0.6882, 0.7576]
    np.testing.assert_allclose(calibration(two(said))[:, 1], reference, atol=0.06)


def two(second):
    """Probabilities of two classes."""
    return np.column_stack([1 - second, second])


def test_calibrated_probabilities_are_better_on_other_rows(rng):
    calibration = found(rng, 60, 8.0)
    code, probs = draw(rng, 5000, 8.0)
    assert row_log_loss(calibration(probs), code).mean() < row_log_loss(probs, code).mean() - 0.5


def test_a_useless_model_becomes_the_class_shares(rng):
    code, _ = draw(rng, 3000)
    _, probs = draw(rng, 3000, 5.0)
    evidence = evidence_of(probs, SHARES)
    fold = Fold(evidence[:60], code[:60], np.ones(60), evidence)
    loss = row_log_loss(calibrate(evidence, np.ones(3000), [fold], SHARES)(probs), code).mean()
    assert loss < row_log_loss(np.tile(SHARES, (3000, 1)), code).mean() + 0.03


def test_a_fold_that_is_unlike_the_fit_says_nothing_of_it(rng):
    other = evidence_of(draw(rng, 500)[1], SHARES)
    evidence = evidence_of(draw(rng, 500)[1], SHARES)
    held = np.eye(3)[np.arange(200) % 3]  # right in all rows
    strange = [Fold(held, np.arange(200) % 3, np.ones(200), -evidence)] * 3
    assert agreement(evidence, -evidence, ONES) == 0.0
    usual = calibrate(evidence, ONES, strange, SHARES)
    assert usual.power * spread(evidence, ONES) == pytest.approx(USUAL * LEAST_AGREEMENT)
    variance = usual.chances @ (np.log(usual.powers) - np.log(usual.power)) ** 2
    assert variance == pytest.approx(SD**2, rel=0.05)
    same = Fold(held, np.arange(200) % 3, np.ones(200), evidence)
    assert calibrate(evidence, ONES, [same], SHARES).power * spread(evidence, ONES) > 5 * USUAL
    assert agreement(evidence, other, ONES) < 0.2
    assert agreement(evidence, 3 * evidence, ONES) == pytest.approx(1.0)
    assert agreement(np.tile(evidence[:1], (500, 1)), np.tile(evidence[:1], (500, 1)), ONES) == 0.0


def test_agreement_sets_the_usual_power_and_how_much_held_out_rows_count(rng):
    evidence, code = evidence_of(draw(rng, 500)[1], SHARES), np.arange(60) % 3
    other, held = evidence + rng.normal(size=(500, 3)), rng.normal(size=(60, 3)) + np.eye(3)[code]
    kappa = agreement(evidence, other, ONES)
    assert 0.2 < kappa < 0.8
    found = calibrate(evidence, ONES, [Fold(held, code, np.ones(60), other)], SHARES)
    powers = USUAL * kappa * np.exp(SD * DEVIATIONS)
    logits = np.log(SHARES) + powers[:, None, None] * held / spread(other, ONES)
    of_class = log_softmax(logits, axis=2)[:, np.arange(60), code].sum(axis=1)
    chances = softmax(-0.5 * DEVIATIONS**2 + kappa**TRUST * of_class)
    for order in range(2 * MOST_POWERS):
        moment = found.chances @ np.log(found.powers * spread(evidence, ONES)) ** order
        assert moment == pytest.approx(chances @ np.log(powers) ** order, rel=1e-8)


def test_a_row_of_weight_2_is_two_rows(rng):
    code, probs = draw(rng, 30, 5.0)
    weight = np.r_[np.full(10, 2.0), np.ones(10), np.zeros(10)]
    again = np.r_[np.arange(20), np.arange(10)]
    evidence, even = evidence_of(probs, SHARES), np.ones(30)
    other = evidence + 5 * rng.normal(size=(30, 3))
    assert 0.1 < agreement(evidence, other, weight) < 0.9
    one = calibrate(evidence, weight, [Fold(evidence, code, weight, other)], SHARES)
    two = calibrate(evidence[again], even, [Fold(evidence[again], code[again], even, other[again])], SHARES)
    np.testing.assert_allclose(one.powers, two.powers, rtol=1e-9)
    np.testing.assert_allclose(one.chances, two.chances, rtol=1e-6)
    assert calibrate(evidence, weight, [], SHARES).power == pytest.approx(POWER)


def test_how_sure_a_model_is_does_not_matter(rng):
    code, probs = draw(rng, 30)
    evidence = evidence_of(probs, SHARES)
    one, surer = (
        calibrate(k * evidence, np.ones(30), [Fold(evidence, code, np.ones(30), evidence)], SHARES)
        for k in (1.0, 3.0)
    )
    np.testing.assert_allclose(one.powers, 3 * surer.powers, rtol=1e-9)
    np.testing.assert_allclose(one.chances, surer.chances, rtol=1e-9)
    fold = Fold(5 * evidence, code, np.ones(30), 5 * evidence)
    np.testing.assert_allclose(
        calibrate(evidence, np.ones(30), [fold], SHARES).chances, one.chances, rtol=1e-9
    )


def test_a_few_rows_far_from_all_others_do_not_make_predictions_unsure(rng):
    _, probs = draw(rng, 100, 3.0)
    far = probs.copy()
    far[:4] = [1.0 - 2e-12, 1e-12, 1e-12]
    spreads = [spread(evidence_of(one, SHARES), np.ones(100)) for one in (far, probs)]
    assert spreads[0] < 1.1 * spreads[1]


def test_log_probabilities_are_those_of_the_probabilities_however_far_apart(rng):
    evidence = rng.normal(size=(40, 3)) * np.array([1.0, 30.0])[np.arange(40) % 2, None]
    for powers, shares in ((np.array([0.1, 0.7]), SHARES), (np.ones(1), np.array([0.6, 0.4, 0.0]))):
        calibration = Calibration(powers, np.full(len(powers), 1 / len(powers)), shares)
        probs = calibration.of_evidence(evidence)
        parts = [shares * np.exp(a * evidence) for a in powers]
        twin = np.mean([one / one.sum(axis=1, keepdims=True) for one in parts], axis=0)
        np.testing.assert_allclose(probs, twin, atol=1e-12)
        np.testing.assert_allclose(np.exp(calibration.log_of_evidence(evidence)), probs, rtol=1e-9)
        np.testing.assert_allclose(calibration.of_evidence(np.stack([evidence] * 2))[1], probs)
    far = Calibration(np.ones(1), np.ones(1), SHARES).log_of_evidence(np.array([[0.0, -5000.0, 1.0]]))
    assert far[0, 1] == pytest.approx(-5001, abs=1)
