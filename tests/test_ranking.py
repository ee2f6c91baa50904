"""How well two classes are ranked: areas under curves against brute force, and where they are shown."""

import numpy as np
import pytest

import semigen
from semigen.evaluation.ranking import ranking
from semigen.reporting.view import about_ranking


def draw(rng, n, share, *, ties=False):
    code = (rng.random(n) < share).astype(int)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.2 * code - 2)))
    score = score.round(1) if ties else score
    return np.column_stack([1 - score, score]), code


def test_areas_are_those_of_pairs_and_of_ranks(rng):
    probs, code = draw(rng, 80, 0.2, ties=True)
    weight = rng.integers(1, 4, 80).astype(float)
    found = ranking(probs, code, weight, ("no", "yes"))
    assert (found.of, found.n_rows) == ("yes", code.sum())
    assert found.share == pytest.approx(weight @ code / weight.sum())
    score, hit = probs[:, 1], code == 1
    pairs = np.outer(weight[hit], weight[~hit])
    above = np.sign(score[hit][:, None] - score[~hit]) / 2 + 0.5
    assert found.auc.value == pytest.approx((pairs * above).sum() / pairs.sum())
    precision = [weight[hit & (score >= t)].sum() / weight[score >= t].sum() for t in score[hit]]
    assert found.average_precision.value == pytest.approx(np.average(precision, weights=weight[hit]))


def test_the_rarer_class_is_ranked_whatever_its_place_and_equal_weights_do_not_matter(rng):
    probs, code = draw(rng, 100, 0.2)
    one = ranking(probs, code, np.ones(100), ("no", "yes"))
    assert ranking(probs[:, ::-1], 1 - code, np.full(100, 7.0), ("yes", "no")) == pytest.approx(one)


@pytest.mark.parametrize(
    ("code", "classes"), [([0, 1, 2], ("a", "b", "c")), ([0, 0, 0], ("a", "b")), ([0, 0, 0], ("a",))]
)
def test_other_numbers_of_classes_have_no_ranking(code, classes):
    probs = np.full((3, len(classes)), 1 / len(classes))
    assert ranking(probs, np.array(code), np.ones(3), classes) is None


def test_intervals_hold(rng):
    many = ranking(*draw(rng, 100_000, 0.05), np.ones(100_000), (0, 1))
    held = {"auc": [], "average_precision": []}
    for _ in range(200):
        probs, code = draw(rng, 400, 0.05)
        found = ranking(probs, code, np.ones(400), (0, 1))
        for name, each in held.items():
            one = getattr(found, name)
            each.append(one.low <= getattr(many, name).value <= one.high)
    assert all(0.89 <= np.mean(each) <= 0.995 for each in held.values()), held
    perfect = ranking(np.eye(2)[[0] * 20 + [1] * 3], np.array([0] * 20 + [1] * 3), np.ones(23), (0, 1))
    assert perfect.auc.value == perfect.average_precision.value == 1
    assert perfect.auc.low < 0.6


def test_a_comparison_of_two_classes_says_how_well_the_rarer_one_is_ranked(rng):
    code = np.arange(120) % 10 == 0
    x = rng.normal(size=(120, 2)) + 2 * code[:, None]
    y = np.where(np.arange(120) < 100, np.where(code, "yes", "no"), None)
    found = semigen.compare(["logistic"], x, y, unlabeled=None)
    assert found.ranking("logistic").of == "yes"
    assert found.ranking("class shares") is None
    assert str(found).endswith("ROC AUC is of 'yes', 10 % of these rows.")
    said = found.to_dict()
    assert (said["ranked_class"], said["ranked_share"]) == ("yes", pytest.approx(0.1))
    assert said["scores"]["logistic"]["auc"]["value"] == found.ranking("logistic").auc.value
    assert {"auc", "average_precision_low"} <= {*found.to_frame()}
    three = np.where(np.arange(120) < 100, np.arange(120) % 3, -1)
    assert "AUC" not in str(semigen.compare(["logistic"], x, three))


def test_a_report_of_two_classes_says_how_well_the_rarer_one_is_ranked(rng):
    code = np.arange(120) % 10 == 0
    x = rng.normal(size=(120, 2)) + 2 * code[:, None]
    y = np.where(np.arange(120) < 100, np.where(code, "yes", "no"), None)
    model = semigen.MixtureClassifier(unlabeled_weight=0).fit(x, y)
    record = semigen.report(model, x, y).to_dict()
    found = record["held_out"]["ranking"]
    assert found["of"] == "yes"
    said = about_ranking(record)
    assert said.startswith("Ranking by the probability of yes (10.0 % of the held-out rows): ROC AUC 0.")
    assert said.endswith("by chance 0.5 and 0.100.")
