"""One power of what a model makes of the columns, beside the class shares."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from semigen.evaluation.calibration import POWER, POWER_RANGE, Calibration, best_power
from semigen.evaluation.metrics import row_log_loss

SHARES = np.array([0.5, 0.3, 0.2])


def draw(rng, n, temperature=1.0):
    """True classes, and probabilities whose logits beside the shares are so many times as large as right."""
    evidence = rng.normal(size=(n, 3))
    truth = softmax(np.log(SHARES) + evidence, axis=1)
    code = (rng.random(n)[:, None] > truth.cumsum(axis=1)[:, :2]).sum(axis=1)
    return code, softmax(np.log(SHARES) + temperature * evidence, axis=1)


def test_power_0_is_the_class_shares_and_power_1_the_model(rng):
    _, probs = draw(rng, 20)
    np.testing.assert_allclose(Calibration(0.0, SHARES)(probs), np.tile(SHARES, (20, 1)), rtol=1e-12)
    np.testing.assert_array_equal(Calibration(1.0, SHARES)(probs), probs)
    np.testing.assert_allclose(Calibration(1.0 - 1e-12, SHARES)(probs), probs, rtol=1e-9)
    uniform = Calibration(0.25, np.full(3, 1 / 3))
    np.testing.assert_allclose(np.log(uniform(probs)), log_softmax(np.log(probs) / 4, axis=1))
    stacked = Calibration(0.3, SHARES)(np.stack([probs, probs[::-1]]))
    np.testing.assert_array_equal(stacked[1], stacked[0][::-1])
    assert np.isfinite(Calibration(0.5, SHARES)(np.array([[1.0, 0.0, 0.0]]))).all()


@pytest.mark.parametrize("temperature", [1.0, 3.0, 8.0])
def test_many_rows_give_the_temperature_back(rng, temperature):
    code, probs = draw(rng, 20_000, temperature)
    assert best_power(probs, SHARES, code, np.ones(len(code))) == pytest.approx(1 / temperature, rel=0.05)


def test_calibrated_probabilities_are_better_on_other_rows(rng):
    code, probs = draw(rng, 60, 8.0)
    found = Calibration(best_power(probs, SHARES, code, np.ones(60)), SHARES)
    code, probs = draw(rng, 5000, 8.0)
    assert row_log_loss(found(probs), code).mean() < row_log_loss(probs, code).mean() - 0.5


def test_a_useless_model_becomes_the_class_shares(rng):
    code, _ = draw(rng, 3000)
    _, probs = draw(rng, 3000, 5.0)
    power = best_power(probs[:60], SHARES, code[:60], np.ones(60))
    assert POWER_RANGE[0] <= power < 0.2
    found = row_log_loss(Calibration(power, SHARES)(probs), code)
    assert found.mean() < row_log_loss(np.tile(SHARES, (3000, 1)), code).mean() + 0.03


def test_a_row_of_weight_2_is_two_rows(rng):
    code, probs = draw(rng, 30, 5.0)
    weight = np.r_[np.full(10, 2.0), np.ones(10), np.zeros(10)]
    again = np.r_[np.arange(20), np.arange(10)]
    assert best_power(probs, SHARES, code, weight) == pytest.approx(
        best_power(probs[again], SHARES, code[again], np.ones(30)), rel=1e-6
    )
    assert best_power(probs[:0], SHARES, code[:0], np.ones(0)) == POWER


def test_how_sure_a_model_is_does_not_matter(rng):
    code, probs = draw(rng, 30)
    evidence = np.log(probs) - np.log(SHARES)
    surer = softmax(np.log(SHARES) + 3 * evidence, axis=1)
    powers = [best_power(one, SHARES, code, np.ones(30)) for one in (probs, surer)]
    assert powers[0] == pytest.approx(3 * powers[1], rel=1e-3)


def test_a_few_rows_far_from_all_others_do_not_make_predictions_unsure(rng):
    code, probs = draw(rng, 100, 3.0)
    far = probs.copy()
    far[:4] = np.where(np.arange(3) == code[:4, None], 1.0 - 2e-12, 1e-12)  # right, and surer than any
    powers = [best_power(one, SHARES, code, np.full(100, 0.1)) for one in (far, probs)]
    assert powers[0] > 0.9 * powers[1]
