"""One comparison, one rule: verdicts and their words, the zero line, the one-standard-error rule."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import scipy.stats
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from semigen.comparison import (
    CLASS_SHARES,
    Comparison,
    Verdict,
    best_of,
    cross_validate,
    explain,
    explain_standing,
    judge,
    stand,
)
from semigen.comparison.one_standard_error import Excess, excess_losses, first_close
from semigen.evaluation import intervals
from semigen.exceptions import ParameterError


def comparison(change, accuracy=None, weight=None):
    """Two fits whose log-losses differ by ``change``, row by row."""
    m = len(change)
    losses = {"with": 1.0 + np.asarray(change), "without": np.ones(m)}
    correct = {"with": np.ones(m) if accuracy is None else accuracy, "without": np.ones(m)}
    weight = np.ones(m) if weight is None else weight
    return Comparison(("with", "without"), 5, 1, np.arange(m), weight, correct, losses)


NOISE = scipy.stats.norm.ppf((np.arange(40) + 0.5) / 40)
EDGE = float(scipy.stats.t.ppf(0.975, 39) * NOISE.std(ddof=1) / np.sqrt(40))
"""The mean from which a 95 % interval no longer contains 0."""


@pytest.mark.parametrize(
    ("mean", "outcome"),
    [(1.01, "hurt"), (0.99, "unclear"), (0.0, "unclear"), (-0.99, "unclear"), (-1.01, "helped")],
)
def test_the_verdict_is_that_of_the_interval_of_the_log_loss(mean, outcome):
    found = judge(comparison(mean * EDGE + NOISE), "with", "without", n_unlabeled=7)
    assert found.outcome == outcome
    assert (found.helped, found.hurt) == (outcome == "helped", outcome == "hurt")
    assert found.n_rows == 40
    assert found.change.log_loss.value == pytest.approx(mean * EDGE)


def test_accuracy_does_not_decide():
    """Wrong in every row, but with better probabilities on average."""
    found = judge(comparison(-1 + 0.01 * NOISE, accuracy=np.zeros(40)), "with", "without", n_unlabeled=7)
    assert found.change.accuracy.high < 0
    assert found.outcome == "helped"


@pytest.mark.parametrize(
    ("rows", "nats", "spread", "rows_changed", "negligible", "outcome"),
    [
        (400, 0.002, 0.01, 0, True, "hurt"),  # beyond chance, and nobody would notice
        (400, -0.002, 0.01, 0, True, "helped"),
        (400, 0.0, 0.01, 0, True, "unclear"),
        (400, 0.0095, 0.01, 0, False, "hurt"),  # the interval reaches beyond
        (400, 0.0, 0.2, 0, False, "unclear"),
        (99, 0.002, 0.01, 0, False, "hurt"),  # too few rows
        (400, 0.002, 0.01, 2, True, "hurt"),  # accuracy that may be as it was
        (400, 0.002, 0.01, 40, False, "hurt"),
    ],
)
def test_what_is_surely_small_is_negligible_whatever_the_outcome(
    rows, nats, spread, rows_changed, negligible, outcome
):
    change = nats + spread * scipy.stats.norm.ppf((np.arange(rows) + 0.5) / rows)
    accuracy = np.arange(rows) >= rows_changed
    found = judge(comparison(change, accuracy=accuracy.astype(float)), "with", "without", n_unlabeled=7)
    assert (found.outcome, found.negligible) == (outcome, negligible)
    assert found.to_dict()["negligible"] == negligible
    assert explain(found, 7).startswith("Unlabeled rows make next to no difference: on 4") == negligible


def test_a_model_beside_its_best_one_may_be_about_as_good():
    change = 0.002 + 0.01 * scipy.stats.norm.ppf((np.arange(400) + 0.5) / 400)
    found = stand(comparison(change), "with", "without", 3)
    assert found.outcome == "worse"
    assert explain_standing(found).startswith(
        "The saved model is about as good as the best of its models (without): log-loss +0.002"
    )


def test_nothing_to_judge():
    assert judge(None, "with", "without", n_unlabeled=3) == Verdict("not compared")
    assert judge(comparison(NOISE + 9), "with", "without", n_unlabeled=0) == Verdict("no unlabeled rows")


@pytest.mark.parametrize(
    ("mean", "said"),
    [
        (-1.0, "Unlabeled rows helped: the 1,200 unlabeled rows made predictions better; on 40 held-out"),
        (1.0, "Unlabeled rows hurt: the 1,200 unlabeled rows made predictions worse, so the model's assump"),
        (0.0, "Whether the 1,200 unlabeled rows helped cannot be told from these labels; on 40 held-out"),
    ],
)
def test_the_words_follow_the_verdict(mean, said):
    text = explain(judge(comparison(mean + NOISE), "with", "without", n_unlabeled=1200), 1200)
    assert text.startswith(said)
    low, high = mean - EDGE, mean + EDGE
    assert f"log-loss by {mean:+.3f} ({low:+.3f} to {high:+.3f}) nats per row" in text
    assert "points (95 % intervals)" in text


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (0.2, "Unlabeled rows probably helped (probability of harm 20 %), though these labels alone do not"),
        (
            0.21,
            "Whether the 9 unlabeled rows helped cannot be told from these labels (probability of harm 21 %",
        ),
        (0.75, "Unlabeled rows probably hurt (probability of harm 75 %), though these labels alone do not"),
    ],
)
def test_what_labels_cannot_tell_leans_as_the_probability_of_harm_does(harm, said):
    found = judge(comparison(NOISE), "with", "without", n_unlabeled=9, harm_probability=harm)
    assert found.outcome == "unclear"
    assert explain(found, 9).startswith(said)
    assert found.to_dict()["harm_probability"] == harm


def test_a_decided_verdict_says_its_probability_of_harm():
    found = judge(comparison(NOISE - 1), "with", "without", n_unlabeled=9, harm_probability=0.6)
    assert explain(found, 9).startswith(
        "Unlabeled rows helped: the 9 unlabeled rows made predictions better (probability of harm 60 %); on"
    )


def test_the_words_where_nothing_was_compared():
    assert explain(Verdict("not compared"), 1).startswith("Whether the 1 unlabeled row helped cannot be told")
    assert explain(Verdict("no unlabeled rows"), 0).startswith("Every row is labeled")


def test_a_verdict_is_plain_values():
    found = judge(comparison(NOISE), "with", "without", n_unlabeled=2).to_dict()
    assert found["outcome"] == "unclear"
    assert found["change"]["log_loss"]["low"] == pytest.approx(-EDGE)
    assert Verdict("not compared").to_dict() == {
        "outcome": "not compared",
        "negligible": False,
        "n_rows": 0,
        "change": None,
        "harm_probability": None,
    }


def leaves(score):
    """Its numbers."""
    return [number for part in asdict(score).values() for number in part.values()]


def test_the_zero_line_is_scikit_learns_dummy(rng):
    X, y = rng.normal(size=(60, 2)), rng.choice(3, size=60, p=[0.6, 0.3, 0.1])
    weight = rng.uniform(0.5, 2.0, size=60)
    models = {"bayes": GaussianNB(), "dummy": DummyClassifier(strategy="prior")}
    found = cross_validate(models, X, y, sample_weight=weight, n_splits=4, n_repeats=2, random_state=3)
    np.testing.assert_allclose(found.row_losses[CLASS_SHARES], found.row_losses["dummy"], rtol=1e-12)
    np.testing.assert_array_equal(found.correct[CLASS_SHARES], found.correct["dummy"])
    for one, other in zip(leaves(found.score(CLASS_SHARES)), leaves(found.score("dummy")), strict=True):
        assert one == pytest.approx(other, rel=1e-12)
    assert found.names == ("bayes", "dummy")


def test_the_zero_line_does_not_see_unlabeled_rows_or_held_out_labels():
    y = np.array([0, 0, 0, 1, 1, -1, -1, -1, -1])
    found = cross_validate({"bayes": GaussianNB()}, np.arange(9.0)[:, None], y, n_splits=5)
    others = np.array([2, 2, 2, 1, 1]) / 4  # leave-one-out
    np.testing.assert_allclose(found.row_losses[CLASS_SHARES], -np.log(others))


def test_a_comparison_states_where_it_comes_from(rng):
    X, y = rng.normal(size=(30, 2)), np.repeat([0, 1, -1], [6, 6, 18])
    weight = np.ones(30)
    weight[[0, 20, 21]] = 0
    found = cross_validate({"a": GaussianNB(), "b": GaussianNB()}, X, y, sample_weight=weight, random_state=9)
    record = found.to_dict()
    assert [record[name] for name in ("n_labeled", "n_unlabeled", "random_state")] == [11, 16, 9]
    assert [*record["scores"]] == ["a", "b", CLASS_SHARES]
    assert [(one["a"], one["b"]) for one in record["differences"]] == [("a", "b")]
    unseeded = cross_validate({"a": GaussianNB()}, X, y, random_state=np.random.default_rng(0))
    assert unseeded.random_state is None


def test_the_name_of_the_zero_line_is_reserved(rng):
    with pytest.raises(ParameterError, match="'class shares' is reserved"):
        cross_validate({CLASS_SHARES: LogisticRegression()}, rng.normal(size=(8, 1)), [0, 1] * 4, n_splits=2)


def test_losses_against_the_best_are_paired_and_weighted(rng):
    weight = rng.integers(1, 4, size=30).astype(float)
    losses = {"0": rng.gamma(2.0, 0.3, 30), "1": rng.gamma(2.0, 0.2, 30)}
    correct = {name: (value < 0.5).astype(float) for name, value in losses.items()}
    record = Comparison(("0", "1"), 5, 1, np.arange(30), weight, correct, losses)
    zero, best = excess_losses(record, ["0", "1"])
    assert zero.log_loss == pytest.approx(np.average(losses["0"], weights=weight))
    assert zero.accuracy == pytest.approx(np.average(correct["0"], weights=weight))
    difference = losses["0"] - losses["1"]
    mean = np.average(difference, weights=weight)
    variance = np.average((difference - mean) ** 2, weights=weight)
    n = weight.sum() ** 2 / (weight**2).sum()
    assert (zero.excess, zero.standard_error) == pytest.approx((mean, np.sqrt(variance / (n - 1))))
    assert (best.excess, best.standard_error) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([(0.50, 0.10, 0.11), (0.45, 0.05, 0.06), (0.40, 0.0, 0.0)], 0),
        ([(0.50, 0.10, 0.09), (0.45, 0.05, 0.06), (0.40, 0.0, 0.0)], 1),
        ([(0.50, 0.10, 0.09), (0.45, 0.05, 0.04), (0.40, 0.0, 0.0)], 2),
        ([(0.50, 0.10, 0.09), (0.60, 0.20, 0.90), (0.40, 0.0, 0.0)], 2),  # worse than λ = 0
        ([(0.40, 0.0, 0.0), (0.40, 0.0, 0.1)], 0),
    ],
)
def test_the_first_candidate_within_one_standard_error_is_chosen(candidates, chosen):
    found = [Excess(loss, 0.9, excess, error) for loss, excess, error in candidates]
    assert first_close(found) == chosen


def test_intervals_of_weighted_rows_are_those_of_the_effective_number_of_rows(rng):
    """Rows of weights w count as (Σ w)² / Σ w² rows: here 4 + 4 · 3 squared over 4 + 4 · 9."""
    weight = np.repeat([1.0, 3.0], 4)
    n = 16**2 / 40
    hits = np.array([1.0, 0, 1, 1, 1, 0, 1, 1])
    share = np.average(hits, weights=weight)
    z = 1.959963984540054
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    found = intervals.of_share(hits, weight)
    assert (found.value, found.low, found.high) == pytest.approx((share, center - half, center + half))
    values = rng.normal(size=8)
    mean = np.average(values, weights=weight)
    error = np.sqrt(((weight / 16) ** 2 * (values - mean) ** 2).sum() * n / (n - 1))
    half = scipy.stats.t.ppf(0.975, n - 1) * error
    found = intervals.of_mean(values, weight, -9, 9)
    assert (found.value, found.low, found.high) == pytest.approx((mean, mean - half, mean + half))
    wide = scipy.stats.t.ppf(1 - 0.025 / 8, n - 1) * error
    found = intervals.of_mean(values, weight, -9, 9, 8)
    assert (found.low, found.high) == pytest.approx((mean - wide, mean + wide))


def test_a_model_is_rarely_called_worse_than_the_best_of_several_that_are_no_better(rng):
    names, worse = tuple("mabcdefgh"), np.zeros(2)
    for _ in range(300):
        losses = dict(zip((*names, CLASS_SHARES), rng.normal(1, 0.5, (10, 40)), strict=True))
        one = losses["m"] = np.ones(40)
        found = Comparison(names, 5, 1, np.arange(40), one, dict.fromkeys(losses, one), losses)
        best = best_of(found, names[1:])
        worse += [stand(found, "m", best, n).outcome == "worse" for n in (8, 1)]
    assert worse[0] / 300 < 0.06
    assert worse[1] / 300 > 0.1, "luck of the best: the test shows nothing"


def test_reference_values_of_wilsons_interval():
    """Newcombe (1998), *Statistics in Medicine* 17:857, table I, method 3."""
    cases = [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]
    for hits, n, low, high in cases:
        assert intervals.wilson(hits / n, n) == pytest.approx((low, high), abs=5e-5)


def test_a_comparison_is_shown_without_its_rows():
    X, y = np.arange(40.0)[:, None], np.repeat([0, 1], 20)
    comparison = cross_validate({"prior <1>": DummyClassifier()}, X, y)
    shown = repr(comparison)
    assert "array" not in shown
    assert "prior" in shown
    assert "brier" in comparison.to_frame().columns
    assert "brier" not in replace(comparison, row_briers=None).to_frame().columns  # as of an ensemble
    html = comparison._repr_html_()
    assert "prior &lt;1&gt;" in html
    assert "accuracy" in html


def test_the_text_of_a_comparison_fits_a_terminal_and_says_who_is_worse(rng):
    names = ("supervised mixture", "self-training", "label spreading")
    code = np.arange(200) % 2
    right = np.where(code == 1, 0.9, 0.1)
    probs = {}
    for name, noise in zip(names, (0.0, 0.001, 0.3), strict=True):
        one = np.clip(right + noise * rng.uniform(-2, 2, 200), 0.01, 0.99)
        probs[name] = np.stack([1 - one, one], axis=1)
    losses = {name: -np.log(one[np.arange(200), code]) for name, one in probs.items()}
    losses[CLASS_SHARES] = np.full(200, np.log(2))
    correct = {name: (loss < np.log(2)).astype(float) for name, loss in losses.items()}
    rows, weight = np.arange(200), np.ones(200)
    found = Comparison(
        names, 5, 1, rows, weight, correct, losses, probabilities=probs, code=code, classes=("no", "yes")
    )
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 110
    assert "ROC AUC" in lines[1]
    words = " ".join(lines[6:])
    assert words.startswith("The lower the log-loss the better")
    assert "whether it is better than self-training. Worse by more than chance: label spreading." in words
    assert [line.split("  ")[0] for line in lines[2:6]] == [*names, CLASS_SHARES]
    alone = replace(found, names=names[:1])
    assert "cannot tell" not in str(alone)


def test_a_verdict_without_a_comparison_counts_no_rows():
    assert Verdict("not compared") == Verdict("not compared", 0, None)
