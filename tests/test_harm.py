"""The probability that unlabeled rows hurt the default ensemble."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from semigen.ensemble.defaults import BOOSTING, LOGISTIC, MIXTURE_PER_CLASS, MIXTURES
from semigen.ensemble.harm import INTERCEPT, WEIGHTS, harm_probability, harm_signs
from semigen.ensemble.held_out import HeldOut

NAMES = [MIXTURES, BOOSTING, MIXTURE_PER_CLASS]


@pytest.fixture
def held_out(rng):
    m, K = 9, 3
    log_probs = log_softmax(rng.normal(size=(3, m, K)), axis=2)
    return HeldOut(
        np.arange(m),
        rng.integers(0, K, m),
        np.ones(m),
        np.arange(m) % 3,
        log_probs,
        log_probs,
        np.full((m, K), 1 / K),
        np.full((m, K), -np.log(K)),
    )


@pytest.fixture
def pair(rng):
    return log_softmax(rng.normal(size=(2, 9, 3)), axis=2)


def test_the_signs_are_those_of_their_description(held_out, pair):
    log_with, log_without = pair
    change, squares, same = [], [], 0
    for i in range(9):
        change.append(log_without[i, held_out.code[i]] - log_with[i, held_out.code[i]])
        both = (np.exp(log_with[i]) + np.exp(log_without[i])) / 2
        squares.append(sum(both[k] * (log_with[i, k] - log_without[i, k]) ** 2 for k in range(3)))
        same += held_out.log_probs[0, i].argmax() == held_out.log_probs[2, i].argmax()
    variance = (9 * np.var(change, ddof=1) + 20 * np.mean(squares)) / 29
    expected = [
        np.mean(change) / np.sqrt(variance / 9),
        np.log((same + 1) / (9 - same + 1)),
        np.log(np.mean(squares) + 1e-3),
    ]
    np.testing.assert_allclose(harm_signs(held_out, NAMES, *pair), expected, rtol=1e-12)
    assert harm_probability(held_out, NAMES, *pair) == pytest.approx(
        expit(INTERCEPT + np.dot(WEIGHTS, expected))
    )


def test_weights_count_by_their_ratios_and_rows_of_weight_0_do_not(held_out, pair):
    once = harm_signs(held_out, NAMES, *pair)
    np.testing.assert_allclose(harm_signs(replace(held_out, weight=np.full(9, 2.5)), NAMES, *pair), once)
    some = np.arange(9) < 6
    fewer = replace(held_out, weight=np.ones(6), code=held_out.code[:6], log_probs=held_out.log_probs[:, :6])
    np.testing.assert_allclose(
        harm_signs(replace(held_out, weight=some * 1.0), NAMES, *pair),
        harm_signs(fewer, NAMES, *pair[:, :6]),
    )


def test_harm_is_likelier_where_the_supervised_models_are_better_on_held_out_rows(held_out, pair):
    rows = np.arange(9)
    better = pair[0].copy()
    better[rows, held_out.code] += 1.0
    better = log_softmax(better, axis=1)
    assert harm_probability(held_out, NAMES, better, pair[0]) < harm_probability(
        held_out, NAMES, pair[0], better
    )


def test_equal_predictions_and_missing_models(held_out, pair):
    same = harm_probability(held_out, NAMES, pair[0], pair[0])
    assert 0 < same < 1
    assert harm_probability(held_out, [MIXTURES, BOOSTING, LOGISTIC], *pair) is None
    assert harm_probability(replace(held_out, weight=np.zeros(9)), NAMES, *pair) is None
