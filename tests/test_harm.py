"""The probability that unlabeled rows hurt the default ensemble."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from semigen import AutoClassifier
from semigen.comparison import Score, Verdict
from semigen.data.weights import read_labels
from semigen.datasets import make_gaussian_classes
from semigen.ensemble.defaults import MIXTURE_PER_CLASS, MIXTURES
from semigen.ensemble.explained import left_out, share_alone
from semigen.ensemble.harm import (
    COEFFICIENTS,
    agreement,
    correlation,
    harm_probability,
    harm_signs,
    supervised_share,
)
from semigen.ensemble.held_out import HeldOut
from semigen.evaluation.intervals import Estimate


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
    change, squares = [], []
    for i in range(9):
        change.append(log_without[i, held_out.code[i]] - log_with[i, held_out.code[i]])
        both = (np.exp(log_with[i]) + np.exp(log_without[i])) / 2
        squares.append(sum(both[k] * (log_with[i, k] - log_without[i, k]) ** 2 for k in range(3)))
    variance = (9 * np.var(change, ddof=1) + 20 * np.mean(squares)) / 29
    expected = [np.mean(change) / np.sqrt(variance / 9), 0.3, np.log(7)]
    found = harm_signs(held_out, *pair, 0.3, 7)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert harm_probability(found) == pytest.approx(expit(np.dot(COEFFICIENTS, [1, *expected])))


def test_weights_count_by_their_ratios_and_rows_of_weight_0_do_not(held_out, pair):
    once = harm_signs(held_out, *pair, 0.3, 7)
    np.testing.assert_allclose(harm_signs(replace(held_out, weight=np.full(9, 2.5)), *pair, 0.3, 7), once)
    some = np.arange(9) < 6
    np.testing.assert_allclose(
        harm_signs(replace(held_out, weight=some * 1.0), *pair, 0.3, 7),
        harm_signs(held_out.at(some), *pair[:, :6], 0.3, 7),
    )


def test_harm_is_likelier_where_supervised_models_are_better_and_generative_ones_disagree(held_out, pair):
    better = pair[0].copy()
    better[np.arange(9), held_out.code] += 1.0
    better = log_softmax(better, axis=1)
    good, bad = ((better, pair[0]), (pair[0], better))
    assert harm_probability(harm_signs(held_out, *good, 0.3, 7)) < harm_probability(
        harm_signs(held_out, *bad, 0.3, 7)
    )
    harm = [harm_probability(harm_signs(held_out, *good, agreed, 7)) for agreed in (0.9, 0.3, -0.2)]
    assert harm == sorted(harm)
    assert 0 < harm_probability(harm_signs(held_out, pair[0], pair[0], 0.3, 7)) < 1
    assert harm_signs(replace(held_out, weight=np.zeros(9)), *pair, 0.3, 7) is None
    assert harm_probability(None) is None


def test_the_share_of_the_supervised_models_grows_from_three_to_seven_tenths():
    shares = [supervised_share(harm) for harm in (None, 0.0, 0.3, 0.5, 0.6, 0.7, 1.0)]
    assert shares == pytest.approx([0, 0, 0, 0.5, 0.75, 1, 1])


def test_agreement_is_the_correlation_of_evidence_over_unlabeled_rows(rng):
    first, second = rng.normal(size=(2, 50, 2))
    wanted = np.corrcoef(first[:, 0] - first[:, 1], second[:, 0] - second[:, 1])[0, 1]
    apart = [one - (one[:, 0] - one[:, 1]).mean() * np.array([0.5, -0.5]) for one in (first, second)]
    assert correlation(*apart) == pytest.approx(wanted)
    assert correlation(first + rng.normal(size=(50, 1)), first) == pytest.approx(1)
    assert correlation(first, np.ones((50, 2))) == 0


def test_two_generative_models_agree_on_classes_that_are_clusters_and_not_on_noise(rng):
    agreed = {}
    for name, distance in (("clusters", 6), ("noise", 0)):
        data = make_gaussian_classes(10, 300, distance=distance, n_features=6, random_state=1)
        auto = AutoClassifier(n_mixtures=8).fit(data.X, data.y)
        labels, weight = read_labels(data.y, -1, None, data.X)
        agreed[name] = auto.agreement_
        rows = auto.forms_.of(auto.read(data.X))
        assert agreement(auto.pool_, rows, labels, weight) == auto.agreement_
        few = replace_labels(labels)
        assert agreement(auto.pool_, rows, few, weight) is None
    assert agreed["clusters"] > agreed["noise"] + 0.2, agreed
    assert auto.supervised_share_ == pytest.approx(
        supervised_share(auto.verdict_.harm_probability) if auto.unlabeled_used_ else 1.0
    )
    assert {MIXTURES, MIXTURE_PER_CLASS} <= auto.pool_.estimators_.keys()


def test_a_share_follows_from_the_probability_of_harm_not_from_a_difference_that_it_makes_small():
    nothing = Estimate(0.0, -0.001, 0.001)
    verdict = Verdict("unclear", 200, Score(nothing, nothing), 0.68)
    assert verdict.negligible
    assert share_alone(0.94, verdict).startswith(
        "With a probability of 68% models that use the unlabeled rows"
    )
    some = replace(verdict, change=Score(nothing, Estimate(0.0, -0.3, 0.3)))
    assert share_alone(0.94, some) == (
        "So the ensemble trained on the labeled rows alone counts for 94% of the model."
    )


def test_models_that_are_left_out_for_a_probability_are_said_to_be():
    wide = Estimate(0.0, -0.3, 0.3)
    unclear = Verdict("unclear", 60, Score(wide, wide), 0.74)
    assert left_out(unclear, dependence_shift=False).startswith(
        "With a probability of harm of 70% or more, m"
    )
    for said_before in ((unclear, True), (replace(unclear, outcome="hurt"), False)):
        told = left_out(said_before[0], dependence_shift=said_before[1])
        assert told == "Models that use unlabeled rows are left out."


def replace_labels(labels):
    """Labels of which every row has one."""
    return labels.take(np.flatnonzero(labels.is_labeled)[np.zeros(len(labels.is_labeled), dtype=int)])
