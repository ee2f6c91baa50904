"""Advice: planted help and harm are found, and findings see what was planted and nothing in clean rows."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from scipy.stats import multivariate_normal
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import semigen
from command_line import error_of, here, run
from semigen.data.labels import encode
from semigen.datasets import HARM_DESIGNS, make_gaussian_classes, make_harm
from semigen.em import ThreadEngine
from semigen.evaluation.grids import Grid, grid
from semigen.exceptions import LabelError, ParameterError
from semigen.judgement import diagnostics
from semigen.judgement.advice import (
    HARMFUL,
    OF_GRIDS,
    SAFE,
    SAFE_AVERAGE,
    advice_on,
    decide,
    told_by_grid,
    told_by_labels,
)
from semigen.judgement.clustering import clusters
from semigen.judgement.efficiency import efficiency
from semigen.judgement.findings import LOOKS
from semigen.judgement.findings.clusters import clusters_are_classes, label_equivalents
from semigen.judgement.findings.density import density_fit
from semigen.judgement.findings.drift import drift
from semigen.judgement.findings.labels import (
    classes_like_two,
    distances,
    doubtful,
    nearest_labels,
    rare_classes,
    suspicious_labels,
    twins,
)
from semigen.judgement.findings.path import held_out_change, path_jump
from semigen.judgement.findings.population import combinations, covariate_shift, label_shift, shuffled_columns
from semigen.judgement.prior import Harm, learned
from semigen.judgement.rules import recommend
from semigen.judgement.signs import of_clusters, signs
from semigen.judgement.study import name_of, study

__all__ = ["here"]  # a fixture

WEIGHTS = (0.0, 0.1, 1.0)


@cache
def clean():
    """Two Gaussian classes, 20 labels each: a right model."""
    return make_gaussian_classes(40, 300, 3, distance=3, random_state=1)


def mixture(covariance="auto"):
    one_thread = ThreadEngine(n_threads=1)
    return semigen.MixtureClassifier(covariance=covariance, max_iter=100, tol=1e-5, engine=one_thread)


def look(X, y, **options):
    return study(X, y, **{"estimator": mixture(), "weights": WEIGHTS, "with_forest": False, **options})


@cache
def clean_study():
    return look(clean().X, clean().y)


def advised(X, y, *, uncertainty=False):
    """What :func:`semigen.advise` says, without the forest."""
    n_labeled = sum(label is not None for label in y)
    found = look(X, y)
    return advice_on(found, uncertainty=uncertainty, n_labeled=n_labeled, n_unlabeled=len(y) - n_labeled)


@cache
def harmed():
    """Columns far from normal."""
    return make_harm("skewed columns", 50, n_unlabeled=200, random_state=0)


@cache
def advice_where_harmed():
    return advised(harmed().X, harmed().y)


@cache
def advice():
    return semigen.advise(clean().X, clean().y)


def test_where_the_model_is_right_the_unlabeled_rows_are_used():
    found = advice()
    assert (found.verdict, found.unlabeled_weight) == ("use", 1.0)
    assert found.harm_probability < SAFE
    assert not any(one.severity == "warning" for one in found.findings)


@pytest.mark.parametrize(
    ("design", "seed"), [("correlated columns", 1020), ("wrong number of components", 2020)]
)
def test_planted_harm_is_found(design, seed):
    data = make_harm(design, 20, random_state=seed)
    of = look(data.X, data.y, estimator=mixture(data.covariance))
    wrong = [np.mean(of.fits[one].predict(data.X_test) != data.y_test) for one in (0.0, 1.0)]
    assert wrong[1] > wrong[0] + 0.1
    found = advice_on(of, uncertainty=False, n_labeled=40, n_unlabeled=500)
    assert found.verdict == "do not use"
    assert found.unlabeled_weight == 0
    assert found.harm_probability >= HARMFUL
    assert any(one.severity == "warning" for one in found.findings)


def test_the_findings_come_with_the_gravest_first_and_under_names_of_their_own():
    found = advice()
    order = [("warning", "caution", "note", "good").index(one.severity) for one in found.findings]
    assert order == sorted(order)
    assert len({one.name for one in found.findings}) == len(found.findings)
    assert len(LOOKS) >= 12


def test_advice_is_json_and_says_the_same_as_text_and_as_html():
    found = advice()
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert said["verdict"] == found.verdict
    assert said["recommendation"]["kind"] == found.recommendation.kind
    assert [one["name"] for one in said["findings"]] == [one.name for one in found.findings]
    assert said["harm_probability"] == found.harm_probability > found.average_harm_probability
    for text in (str(found), found._repr_html_()):
        assert found.recommendation.estimator in text
        assert all(one.name in text for one in found.findings)
    assert str(found).startswith(found.sentence)


def test_advice_does_not_depend_on_the_order_of_unlabeled_rows_nor_on_the_names_of_classes():
    data, first = clean(), advice()
    order = np.r_[np.arange(40), 40 + np.random.default_rng(0).permutation(300)]
    names = np.array([None if one is None else "ab"[one] for one in data.y], dtype=object)
    second = advised(data.X[order], names[order])
    assert second.verdict == first.verdict
    assert second.harm_probability == pytest.approx(first.harm_probability, abs=0.1)
    assert set(second.labeled) == {"a", "b"}
    left, right = (one.comparison.score(name_of(1.0)).log_loss.value for one in (first, second))
    assert left == pytest.approx(right, abs=1e-4)


def test_names_of_classes_are_shown_and_not_run():
    data = clean()
    names = np.array([None if one is None else ("<script>", "b")[one] for one in data.y], dtype=object)
    X = data.X.copy()
    X[0] = X[1] = 5.0  # two equal rows with two labels
    names[0], names[1] = "<script>", "b"
    html = advised(X, names)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_too_few_labels_to_hold_out_still_give_a_probability():
    data = make_gaussian_classes(2, 200, 2, distance=5, random_state=0)
    found = semigen.advise(data.X, data.y)
    assert found.comparison is None
    assert 0 < found.harm_probability < 1
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_verdict_follows_from_the_probability_of_harm():
    assert decide(SAFE, 1.0) == ("use", 1.0)
    assert decide(SAFE + 0.01, SAFE_AVERAGE) == ("use with weight λ", 0.5)
    assert decide(HARMFUL - 0.01, SAFE_AVERAGE + 0.01) == ("not enough labels to tell", None)
    assert decide(HARMFUL, 0.0) == ("do not use", 0.0)
    assert decide(SAFE + 0.01, 0.0, shift=1.1) == ("not enough labels to tell", None)
    assert decide(SAFE, 0.0, shift=1.1) == ("use", 1.0)


def test_an_average_is_recommended_as_an_ensemble_of_both_models():
    of = replace(clean_study(), estimator=semigen.MixtureClassifier())
    what = recommend(of, [], True, 0.5)
    assert what.kind == "generative"
    model = eval(what.estimator, {"semigen": semigen})
    assert [one.unlabeled_weight for _, one in model.estimators] == [1, 0]


def test_the_densities_that_were_asked_about_are_recommended():
    of = replace(clean_study(), estimator=semigen.MixtureClassifier(covariance="diag"))
    for weight in (None, 0.0, 1.0):
        model = eval(recommend(of, [], True, weight).estimator, {"semigen": semigen})
        mixture = model if weight is not None else model.estimator
        assert mixture.covariance == "diag"
        assert weight in (None, mixture.unlabeled_weight)


def test_each_model_expects_to_be_better_than_the_other():
    found = signs(clean_study())
    assert found["change expected by itself"] < 0 < found["change expected by before"]
    assert found["entropy"] < found["entropy before"] < np.log(2)
    assert found["labels kept"] == pytest.approx(0.9)  # 36 of the 40
    assert 0 < found["iterations before"] <= found["iterations"] <= np.log(100)


def test_clusters_that_labels_do_not_begin_are_seen():
    found = {}
    for right in (False, True):
        made = make_harm("split clusters", 10, well_specified=right, random_state=0)
        found[right] = of_clusters(look(made.X, made.y))
    assert found[False]["other clusters in errors"] > 5
    assert found[True]["other clusters in errors"] < 0


def test_rows_without_clusters_are_seen(rng):
    cells = pd.DataFrame(rng.integers(3, size=(400, 5)).astype(str))
    y = np.where(cells[0] == cells[1], "same", "other").astype(object)
    y[30:] = None
    found = of_clusters(look(cells, y))
    assert found["clusters in errors"] < 2
    assert (found["numbers"], found["heavy tails"]) == (0, 0)
    assert found["repeated"] == pytest.approx(1 - 3 / 400)
    far = make_gaussian_classes(40, 300, 3, distance=6, random_state=1)
    assert of_clusters(look(far.X, far.y))["clusters in errors"] > 5


def test_a_density_without_clusters_is_that_of_one_normal_distribution():
    """Beside scipy's, where the prior is next to nothing."""
    found = clean_study()
    half = found.half
    alone, _ = clusters(half, 0)
    x = half.fitted.matrix
    normal = multivariate_normal(x.mean(axis=0), np.cov(x.T, bias=True))
    change = normal.logpdf(half.left_out.matrix) - half.model.score_samples(half.left_out)
    assert alone.mean == pytest.approx(np.clip(change, -3, 3).mean(), abs=0.01)


def test_the_learned_prior_knows_the_signs_of_a_study():
    found = signs(clean_study())
    for name, harm in learned().items():
        assert set(harm.names) <= set(found), name
        assert len(harm.sign) == len(harm.value) == len(harm.beyond)
    assert set(learned()["blind"].names) < set(learned()["held out"].names)
    assert all(np.isfinite(value) for value in found.values())


def test_harm_is_more_probable_where_held_out_labels_say_so():
    found = signs(clean_study())
    harm = learned()["held out"]
    better, worse = ({**found, "t": t, "t of Brier": t} for t in (-4.0, 4.0))
    assert all(np.less(harm.probabilities(better), harm.probabilities(worse)))


def test_a_tree_is_read_down_to_a_leaf_and_a_line_beside_it():
    """Two trees: is a above 1, and if so, is b above 2; is b above 0."""
    harm = Harm(
        ("a", "b"),
        roots=(0, 5),
        sign=(0, -1, 1, -1, -1, 1, -1, -1),
        value=(1.0, 0.1, 2.0, 0.3, 0.9, 0.0, 0.2, 0.6),
        beyond=(2, 0, 4, 0, 0, 7, 0, 0),
        center=(1.0, 0.0),
        spread=(1.0, 1.0),
        weights=(0.5, 1.0),
        level=-1.0,
    )
    for signs_of, shares in (
        ((1, 5), (0.1, 0.6)),
        ((2, 2), (0.3, 0.6)),
        ((2, 3), (0.9, 0.6)),
        ((0, 0), (0.1, 0.2)),
    ):
        a, b = signs_of
        line = 1 / (1 + np.exp(1 - 0.5 * (a - 1) - min(b, 3)))
        assert harm.mean(signs_of) == pytest.approx(0.7 * np.mean(shares) + 0.3 * line)
        known = {**dict(zip("ab", signs_of, strict=True)), "log labels": 1.0, "repeated": 0.0}
        assert harm.probabilities(known) == pytest.approx([harm.mean(signs_of)] * 2)
    mean = harm.mean((1, 5))
    odds = mean / (1 - mean)
    calibrated = Harm.from_dict(
        {**harm.to_dict(), "calibration": (1, 2, 0.5, 0.25, 0.125), "of_average": (0, 1, -0.5, 0, 0.5)}
    )
    ten = {"a": 1, "b": 5, "log labels": np.log(10), "repeated": 0.0}
    for change, own, of_average in (
        ({}, np.e * odds**2, odds),
        ({"log labels": np.log(20)}, np.e * odds ** (2 + np.log(2) / 2), odds ** (1 - np.log(2) / 2)),
        ({"repeated": 0.06}, np.exp(1.125) * odds**2.25, np.exp(0.5) * odds),
    ):
        found = calibrated.probabilities({**ten, **change})
        assert found == pytest.approx((own / (1 + own), of_average / (1 + of_average)))


# Each look: what was planted is seen, and clean rows are clean.


def severity(look_at, of):
    found = look_at(of)
    return None if found is None else found.severity


def test_held_out_labels_speak():
    data = make_harm("wrong number of components", 50, n_unlabeled=300, random_state=0)
    found = held_out_change(look(data.X, data.y))
    assert found.severity == "warning"
    assert found.evidence["best_unlabeled_weight"] < 1
    path = {one["unlabeled_weight"]: one for one in found.evidence["path"]}
    assert path[0.0]["log_loss_change"] == [0, 0, 0]
    assert path[1.0]["log_loss_change"][1] > 0
    assert path[1.0]["brier_change"][0] > 0
    assert severity(held_out_change, clean_study()) in ("note", "good")


def test_a_jump_on_the_path_of_the_weights_is_seen():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 660)
    X = rng.standard_normal((660, 2))
    X[:, 0] += 1.2 * (2 * y - 1)
    X[60:, 1] += rng.choice([-12, 12], 600)  # the unlabeled rows have clusters of their own
    shown = np.where(np.arange(660) < 60, y, -1)
    found = path_jump(look(X, shown, weights=(0.0, 0.01, 1.0)))
    assert found.severity == "warning"
    assert max(one["share_changed"] for one in found.evidence["steps"]) > 0.2
    assert severity(path_jump, clean_study()) == "good"


def test_clusters_that_are_not_the_classes_are_seen():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((400, 2)) + 8 * rng.integers(0, 2, (400, 1))
    shown = np.full(400, -1)
    shown[:60] = rng.integers(0, 2, 60)  # labels that have nothing to do with them
    found = clusters_are_classes(look(X, shown))
    assert found.severity == "warning"
    assert found.evidence["expected_accuracy"] > 0.8 > found.evidence["accuracy"][0]
    assert severity(clusters_are_classes, clean_study()) == "good"


def test_drift_is_seen():
    data = make_harm("outlying unlabeled rows", 20, n_unlabeled=300, random_state=1)
    found = drift(look(data.X, data.y))
    assert found.severity == "warning"
    assert found.evidence["z"] > 4
    assert severity(drift, clean_study()) == "good"


def test_drift_that_chance_does_not_explain_is_no_good_sign():
    seen = look(clean().X, clean().y)
    joint = {one: found - 50 * (one == 0) for one, found in seen.joint.items()}
    vars(seen)["joint"] = joint  # labeled rows that the model of the labeled rows describes far worse
    found = drift(seen)
    assert found.evidence["z"] < -4
    assert (found.severity, "cannot be told" in found.sentence) == ("note", True)


def test_columns_that_a_density_misses_are_named():
    rng = np.random.default_rng(3)
    data = clean()
    X = np.column_stack([data.X, np.exp(2 * rng.standard_normal(len(data.X)))])
    found = density_fit(look(pd.DataFrame(X, columns=["a", "b", "c", "skewed"]), data.y))
    assert found.severity in ("caution", "warning")
    assert found.evidence["columns"][0]["column"] == "skewed"
    assert "skewed" in found.sentence
    assert severity(density_fit, clean_study()) == "good"


def test_a_column_that_a_model_sees_as_several_is_named_once():
    date = [diagnostics.ColumnFit("when", one, 0.0) for one in (0.4, 0.3)]
    worst = [date[0], diagnostics.ColumnFit("paid", 0.35, 0.0), date[1]]
    seen = SimpleNamespace(table=SimpleNamespace(matrix=np.zeros((1, 1))), worst_columns=worst, freer={})
    assert density_fit(seen).sentence.endswith("the rows or more: when (40 %), paid (35 %).")


@pytest.mark.parametrize(("distance", "worth"), [(1, 0.00833), (2, 0.127), (3, 0.385), (4, 0.675)])
def test_the_worth_of_an_unlabeled_row_is_the_ratio_of_the_two_regrets(distance, worth):
    """By quadrature of the information about the two means and the share of two unit normals."""
    x = np.linspace(-12, 12, 4001)
    normal = [np.exp(-0.5 * (x - m) ** 2) for m in (-distance / 2, distance / 2)]
    p = normal[1] / (normal[0] + normal[1])
    weight = (normal[0] + normal[1]) / sum(map(np.sum, normal))
    score = [
        np.array([x + distance / 2, 0 * x, 0 * x - 0.5]),
        np.array([0 * x, x - distance / 2, 0 * x + 0.5]),
    ]
    mean = (1 - p) * score[0] + p * score[1]
    whole = sum((share * weight * one) @ one.T for share, one in zip((1 - p, p), score, strict=True))
    seen = (weight * mean) @ mean.T
    exact = np.trace(np.linalg.solve(whole, whole - seen)) / np.trace(np.linalg.solve(seen, whole - seen))
    assert exact == pytest.approx(worth, rel=0.02)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20_000, 1)) + (rng.integers(0, 2, (20_000, 1)) - 0.5) * distance
    posterior = 1 / (1 + np.exp(-distance * rows))
    assert efficiency(rows, np.hstack([1 - posterior, posterior])) == pytest.approx(exact, rel=0.08)


def test_label_equivalents_grow_with_the_rows():
    found = label_equivalents(clean_study())
    assert found.severity == "good"
    assert 40 < found.evidence["label_equivalents"] < 300
    near = make_gaussian_classes(40, 300, 3, distance=1, random_state=1)
    less = label_equivalents(look(near.X, near.y))
    assert less.evidence["labels_each"] < found.evidence["labels_each"]


def test_label_equivalents_of_a_wrong_model_are_no_good_sign():
    rng = np.random.default_rng(3)
    X = np.column_stack([clean().X, np.exp(2 * rng.standard_normal(len(clean().X)))])
    seen = look(X, clean().y)
    assert density_fit(seen).severity == "warning"
    found = label_equivalents(seen)
    assert (found.severity, found.evidence["densities_fit"]) == ("note", False)
    assert "do not count on it" in found.sentence


def test_labeled_rows_of_another_population_are_seen():
    X = clean().X.copy()
    X[:40, 2] += 2.5
    assert severity(covariate_shift, look(X, clean().y)) == "warning"
    assert severity(covariate_shift, clean_study()) == "good"


def test_other_class_shares_are_seen():
    rng = np.random.default_rng(4)
    y = np.r_[np.repeat([0, 1], 30), np.zeros(270, dtype=int), np.ones(30, dtype=int)]
    X = rng.standard_normal((360, 2)) + 4 * y[:, None]
    found = label_shift(look(X, np.where(np.arange(360) < 60, y, -1)))
    assert found.severity == "caution"
    assert found.evidence["unlabeled"][0] == pytest.approx(0.9, abs=0.05)
    assert "class_prior='unlabeled'; not if semigen.query" in found.sentence
    assert severity(label_shift, clean_study()) == "good"


def test_shuffled_columns_are_seen():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 360)
    X = rng.standard_normal((360, 1)) + 0.3 * rng.standard_normal((360, 5)) + y[:, None]
    shown = np.where(np.arange(360) < 60, y, -1)
    assert shuffled_columns(look(X, shown)) is None
    X[60:] = rng.permuted(X[60:], axis=0)
    assert severity(shuffled_columns, look(X, shown)) == "warning"


def test_wrong_labels_are_ranked_first():
    data = make_gaussian_classes(60, 300, 2, distance=5, random_state=6)
    y = data.y.copy()
    assert severity(suspicious_labels, look(data.X, y)) == "good"
    wrong = [3, 17, 41]
    for row in wrong:
        y[row] = 1 - y[row]
    seen = look(data.X, y)
    rows, doubts = doubtful(seen.held_out, seen)
    assert sorted(rows[doubts.order[:3]]) == wrong
    found = suspicious_labels(seen)
    assert found.severity == "caution"
    assert {one["row"] for one in found.evidence["rows"]} <= set(wrong)
    doubts = [one["probability_wrong"] for one in found.evidence["rows"]]
    assert doubts == sorted(doubts, reverse=True)
    assert len(set(doubts)) > 1
    first = found.evidence["rows"][0]
    assert first["alternative"] == data.y[first["row"]] != first["label"]
    n, row = len(found.evidence["rows"]), f"row {first['row']} (from 0)"
    assert found.sentence.startswith(f"{n} labels of 60 look wrong, first of all {row}: labeled ")
    y[[one for one in wrong if one != first["row"]]] = data.y[[one for one in wrong if one != first["row"]]]
    alone = suspicious_labels(look(data.X, y)).sentence
    assert alone.startswith(f"1 label of 60 looks wrong: {row}, labeled ")
    assert alone.endswith("Check it.")


def test_the_nearest_labels_do_not_count_a_row_s_own():
    """Beside one row after another."""
    found = clean_study()
    rows = found.held_out.comparison.rows
    expected = []
    for row in rows:
        others = found.labeled != row
        far = np.linalg.norm(found.plain[found.labeled[others]] - found.plain[row], axis=1)
        votes = np.exp(-((far / np.sort(far)[9]) ** 2))
        each = [votes[found.code[others] == k].sum() + 0.25 for k in (0, 1)]
        expected.append(np.array(each) / sum(each))
    assert nearest_labels(found, rows) == pytest.approx(np.array(expected))


def test_few_labels_and_equal_rows_have_nearest_labels_too():
    few = SimpleNamespace(
        plain=np.zeros((4, 1)), labeled=np.array([0, 2]), code=np.array([0, 1]), n_classes=2
    )
    assert nearest_labels(few, np.array([2])) == pytest.approx(np.array([[1.25, 0.25]]) / 1.5)


def test_sparse_rows_are_as_far_apart_as_dense_ones():
    x = clean_study().plain
    sparse = SimpleNamespace(plain=scipy.sparse.csr_array(x), labeled=clean_study().labeled)
    assert distances(sparse) == pytest.approx(distances(clean_study()), abs=1e-6)


def test_a_class_of_two_groups_is_seen():
    X = clean().X.copy()
    own = np.flatnonzero(clean().y_true == 0)
    X[own[::2], 2] += 9
    found = classes_like_two(look(X, clean().y))
    assert [one["class"] for one in found.evidence["classes"]] == [0]
    assert found.evidence["classes"][0]["share_of_smaller"] == pytest.approx(0.5, abs=0.1)
    assert classes_like_two(clean_study()) is None


def test_near_duplicates_across_labels_are_seen():
    X, y = clean().X.copy(), clean().y
    assert twins(clean_study()) is None
    one, other = (next(i for i in range(40) if y[i] == k) for k in (0, 1))
    X[other] = X[one] + 1e-6
    found = twins(look(X, y))
    assert found.evidence["n_pairs"] == 1
    assert sorted(found.evidence["pairs"][0]["rows"]) == sorted([one, other])


@pytest.mark.parametrize("n_filled", [0, 1, 3])
def test_a_column_may_have_few_values_in_labeled_rows(n_filled):
    X, y = np.column_stack([clean().X, clean().X[:, 0]]), clean().y
    labeled = np.flatnonzero([label is not None for label in y])
    X[labeled[n_filled:], 3] = np.nan
    found = look(X, y)
    assert found.held_out is not None
    assert signs(found)["agreement"] > 0.9


def test_rare_classes_are_named():
    y = clean().y.copy()
    assert rare_classes(clean_study()) is None
    y[[i for i in range(40) if y[i] == 1][2:]] = None
    found = rare_classes(look(clean().X, y))
    assert found.severity == "caution"
    (rare,) = found.evidence["classes"]
    assert (rare["class"], rare["n_labeled"]) == (1, 2)
    assert rare["share"] == pytest.approx(2 / 22, abs=0.05)
    assert (clean().y_true[rare["most_like"]] == 1).all()
    assert all(y[row] is None for row in rare["most_like"])
    asked = f"Label more such rows; most like 1 are {rare['most_like'][0]}, "
    assert f"of 1 (2): what is said of such a class is uncertain. {asked}" in found.sentence


def test_of_many_rare_classes_the_rarest_are_named():
    made = make_gaussian_classes(8, 192, 7, n_classes=8, distance=3, random_state=0)
    y = np.full(200, None)
    for k in range(8):
        y[np.flatnonzero(made.y_true == k)[: 9 if k < 2 else 4 - (k == 5)]] = k
    found = rare_classes(look(made.X, y, weights=(0.0, 1.0)))
    assert found.severity == "note"
    assert len(found.evidence["classes"]) == 6
    assert found.sentence.startswith("Few of the 41 labels are of 5 (3), 2 (4), 3 (4), 4 (4), 2 more: ")


def test_a_small_share_is_no_lack_of_labels():
    made = make_gaussian_classes(400, 100, 3, class_prior=(0.98, 0.02), distance=4, random_state=0)
    found = rare_classes(look(made.X, made.y, weights=(0.0, 1.0)))
    n = found.evidence["classes"][0]["n_labeled"]
    assert n >= 5
    assert found.sentence.startswith(f"A small share of the 400 labels is of 1 ({n}): accuracy hardly tells")


# The parts


def test_rows_of_the_model_look_like_rows_of_the_model():
    of = clean_study()
    fit, rng = of.fits[1.0], np.random.default_rng(7)
    code = np.repeat([0, 1], 50)
    X = diagnostics.draw_like(fit.mixture_, fit.params_, code, rng)
    assert np.abs(diagnostics.simulated(fit, X, fit.log_joint(X), code, rng)).max() < 3
    off = diagnostics.simulated(fit, X, fit.log_joint(X + 3.0), code, rng)
    assert off[0] < -10
    turned = diagnostics.simulated(fit, X, fit.log_joint(X), 1 - code, rng)
    assert turned[1] < -10
    X[rng.random(X.shape) < 0.4] = np.nan  # drawn rows have the same gaps
    assert np.abs(diagnostics.simulated(fit, X, fit.log_joint(X), code, rng)).max() < 3


def test_the_recommendation_follows_the_table():
    def rules(of):
        return {one.name: one for one in of.recommendation.rules}

    few = make_gaussian_classes(6, 100, 2, distance=3, random_state=1)
    found = advised(few.X, few.y)
    assert found.recommendation.kind == "generative"
    assert rules(found)["few labels"].strength == 1
    assert rules(advice())["few labels"].strength == 0
    wide = make_gaussian_classes(12, 60, 25, distance=4, random_state=1)
    wanted = advised(wide.X, wide.y, uncertainty=True)
    assert rules(wanted)["many columns"].speaks_for == "hybrid"
    assert rules(wanted)["many columns"].strength > 0.5 > rules(advice())["many columns"].strength
    assert rules(wanted)["uncertainty needed"].strength > rules(advice())["uncertainty needed"].strength
    found = advice_where_harmed()
    assert found.recommendation.kind == "discriminative"
    assert rules(found)["misspecification"].strength > 0.4
    model = eval(found.recommendation.single, {"semigen": semigen, "sklearn": sklearn})
    X, y = harmed().X, harmed().y
    frame = pd.DataFrame(X).rename(columns=str).assign(word=["yes", "no"] * (len(X) // 2))
    assert isinstance(model.fit(frame, y).classifier_, RandomForestClassifier | LogisticRegression)


def test_a_mixture_is_recommended_where_unlabeled_rows_help_it_and_else_the_ensemble():
    few = make_gaussian_classes(12, 100, 2, distance=3, random_state=1)
    helped = advised(few.X, few.y)
    assert helped.recommendation.kind == "generative"
    assert helped.verdict.startswith("use")
    assert helped.recommendation.estimator == helped.recommendation.single
    ensemble, of, found = "semigen.AutoClassifier()", clean_study(), advice().findings
    for weight, wanted in ((1.0, ...), (0.5, ...), (0.0, ensemble), (None, ensemble)):
        what = recommend(of, found, False, weight)
        assert what.kind == "generative"
        assert "MixtureClassifier" in what.single
        assert what.estimator == (what.single if wanted is ... else wanted)
        assert what.single in what.sentence
        assert what.estimator in what.sentence
        density = recommend(of, found, True, weight)
        assert density.estimator == density.single
    what = advice_where_harmed().recommendation
    assert (what.kind, what.estimator) == ("discriminative", ensemble)
    assert what.sentence == what.to_dict()["sentence"]


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        (["a", "b"] * 10, LabelError, "every row is labeled"),
        (["a", None] * 10, LabelError, "only one class"),
        ([None, None] * 10, LabelError, "label"),
    ],
)
def test_labels_that_leave_nothing_to_ask_are_refused(y, error, words):
    with pytest.raises(error, match=words):
        semigen.advise(np.arange(20.0)[:, None], y)


def test_other_estimators_are_refused():
    data = clean()
    for model in (semigen.AutoClassifier(), semigen.MixtureClassifier(n_novel_components=1)):
        with pytest.raises(ParameterError, match="MixtureClassifier"):
            semigen.advise(data.X, data.y, estimator=model)
    with pytest.raises(LabelError, match="rows"):
        semigen.advise(data.X[:5], data.y)


def test_progress_counts_to_its_end():
    steps = []
    data = make_gaussian_classes(40, 60, 2, random_state=0)
    semigen.advise(data.X, data.y, progress=lambda done, total, name: steps.append((done, total)))
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))


@pytest.mark.parametrize("design", HARM_DESIGNS)
def test_every_design_has_a_twin(design):
    for well_specified in (False, True):
        one, same = (
            make_harm(design, 5, 40, well_specified=well_specified, n_test=50, random_state=3) for _ in "ab"
        )
        np.testing.assert_array_equal(one.X, same.X)
        assert one.X.shape[1] == one.X_test.shape[1]
        n_labeled = sum(label is not None for label in one.y)
        assert len(one.y) == n_labeled + 40
        assert min(np.bincount([label for label in one.y if label is not None])) >= 2
        assert len(one.y_test) == 50
    assert not np.array_equal(make_harm(design, 5, 40, random_state=4).X, one.X)


def test_an_unknown_design_is_refused():
    with pytest.raises(ParameterError, match="split clusters"):
        make_harm("split")


# The command line


@pytest.fixture
def csv(here):
    data = clean()
    frame = pd.DataFrame(data.X, columns=["u", "v", "w"])
    frame["kind"] = [None if one is None else "xy"[one] for one in data.y]
    frame.to_csv("data.csv", index=False)
    return frame


def test_the_command_says_what_the_function_says(csv):
    result = run(
        "advise", "--uncertainty", "--unlabeled", "?", "data.csv", "--strip-labels", "--target", "kind"
    )
    expected = semigen.advise(csv[["u", "v", "w"]], csv["kind"], uncertainty=True)
    said = " ".join(result.stdout.split())
    assert expected.sentence in said
    assert all(one.name in said for one in expected.findings)
    assert "Next: semigen fit data.csv --target kind --unlabeled '?' --strip-labels --model" in said
    found = json.loads(run("advise", "data.csv", "--target", "kind", "--json").stdout)
    assert found["verdict"] == expected.verdict
    assert found["harm_probability"] == pytest.approx(expected.harm_probability)
    assert found["target"] == "kind"


def test_the_command_counts_rows_by_their_weights(csv):
    table = pd.read_csv("data.csv")
    table["weight"] = np.where(np.arange(len(table)) % 3 > 0, 1.0, 0.0)
    table.to_csv("weighted.csv", index=False)
    table[table.weight > 0].drop(columns="weight").to_csv("rest.csv", index=False)
    found = json.loads(
        run("advise", "weighted.csv", "--target", "kind", "--weight", "weight", "--json").stdout
    )
    alone = json.loads(run("advise", "rest.csv", "--target", "kind", "--json").stdout)
    assert found["n_labeled"] == alone["n_labeled"] < table.kind.notna().sum()
    assert found["verdict"] == alone["verdict"]
    assert found["harm_probability"] == pytest.approx(alone["harm_probability"], abs=0.15)  # other folds


def test_weights_count_in_fits_and_scores():
    X, y = clean().X, clean().y
    weight = np.where(np.arange(len(y)) % 2, 1.0, 3.0)
    plain, heavy = clean_study(), look(X, y, weight=weight)
    assert not np.allclose(heavy.fits[1.0].means_, plain.fits[1.0].means_)
    assert np.array_equal(heavy.held_out.comparison.weight, weight[heavy.held_out.comparison.rows])


def test_the_command_refuses_what_cannot_be_used(csv):
    csv.fillna("x").to_csv("full.csv", index=False)
    assert "every row is labeled" in error_of(run("advise", "full.csv", "--target", "kind", code=1))
    assert "did you mean" in error_of(run("advise", "data.csv", "--target", "kinds", code=1))
    run("advise", "data.csv", "--target", "kind", "--as", "u", code=2)
    assert "--as u=poisson" in error_of(
        run("advise", "data.csv", "--target", "kind", "--as", "u=poisson", code=1)
    )


def test_many_held_out_labels_decide_where_their_interval_leaves_out_zero():
    class Held:
        def __init__(self, n, low, high):
            change = SimpleNamespace(log_loss=SimpleNamespace(low=low, high=high))
            self.held_out = SimpleNamespace(
                comparison=SimpleNamespace(rows=np.arange(n), difference=lambda *_: change)
            )

    assert decide(*told_by_labels((0.5, 0.5), Held(100, 0.01, 0.03)))[0] == "do not use"
    assert decide(*told_by_labels((0.5, 0.5), Held(100, -0.03, -0.01)))[0] == "use"
    for unsure in (Held(99, 0.01, 0.03), Held(100, -0.01, 0.03), SimpleNamespace(held_out=None)):
        assert told_by_labels((0.5, 0.4), unsure) == (0.5, 0.4)
    assert told_by_labels((0.99, 0.9), Held(100, 0.01, 0.03)) == (0.99, 0.9)


def test_rare_words_do_not_make_two_populations_of_one(rng):
    rows = (rng.random((3000, 1000)) < 0.002) * 1.0
    labeled, unlabeled = np.arange(1170), np.arange(1170, 3000)
    assert diagnostics.column_shift(rows, labeled, unlabeled)[0] < 0.5
    rows[:400, 0] = 1.0
    assert diagnostics.column_shift(rows, labeled, unlabeled)[0] > 4


def test_wide_tables_are_advised_on_without_covariances(rng):
    y = np.where(np.arange(40) < 20, np.arange(40) % 4, -1)
    wide = study(rng.normal(size=(40, 100)), encode(y, -1), weights=(0.0, 1.0), with_forest=False)
    assert wide.fits[1.0].covariance == wide.estimator.covariance == "diag"
    assert clean_study().fits[1.0].covariance == "auto"


def every_combination(*levels):
    return np.stack(np.meshgrid(*(np.arange(float(n)) for n in levels)), axis=-1).reshape(-1, len(levels))


def test_a_grid_is_rows_of_distinct_combinations(rng):
    rows = every_combination(4, 3, 3)
    assert grid(rng.permutation(rows)) == Grid(36, 36, 3)
    assert grid(np.column_stack([rows, np.full(36, 7.0)])) == Grid(36, 36, 3)
    some = rng.permutation(every_combination(4, 4, 4))[:32]
    assert grid(some) == Grid(32, 64, 3)
    for none in (
        some[:31],  # less than half of the combinations
        np.vstack([rows, rows[:1]]),  # one of them twice
        np.column_stack([np.arange(40.0), np.arange(40) % 2, np.ones(40)]),  # an identifier and a flag
        np.column_stack([np.arange(40.0), np.arange(40) % 2, np.arange(40) % 4 // 2]),
        every_combination(3, 3, 3),  # 27 rows
        rng.standard_normal((500, 3)),
        scipy.sparse.csr_array(rows),
    ):
        assert grid(none) is None


def test_unlabeled_rows_of_a_grid_are_advised_against(rng):
    rows = every_combination(4, 3, 3, 3)
    kind = np.where(rows[:, 0] + rows[:, 1] + rows[:, 2] > 4, "yes", "no").astype(object)
    shown = np.where(np.isin(np.arange(len(rows)), rng.permutation(len(rows))[:24]), kind, None)
    frame = pd.DataFrame(rows.astype(int).astype(str), columns=list("abcd"))
    found = look(frame, shown)
    assert found.grid == Grid(108, 108, 4)
    said = combinations(found)
    assert (said.severity, said.evidence) == (
        "caution",
        {"n_rows": 108, "n_combinations": 108, "n_columns": 4},
    )
    assert "The rows are all 108 combinations of the values of 4 columns" in said.sentence
    assert "100 of the 108" in combinations(replace(found, grid=Grid(100, 108, 4))).sentence
    assert combinations(clean_study()) is None
    advice = advice_on(found, uncertainty=False, n_labeled=24, n_unlabeled=84)
    assert advice.verdict == "do not use"
    assert said in advice.findings
    assert told_by_grid((0.1, 0.1), True) == OF_GRIDS
    assert told_by_grid((0.1, 0.1), False) == (0.1, 0.1)
    assert told_by_grid((0.95, 0.9), True) == (0.95, 0.9)
    assert OF_GRIDS[0] >= HARMFUL


def test_columns_of_a_grid_are_not_called_shuffled(monkeypatch):
    monkeypatch.setattr("semigen.judgement.findings.population.dependence_differs", lambda *_: True)
    assert severity(shuffled_columns, clean_study()) == "warning"
    assert shuffled_columns(replace(clean_study(), grid=Grid(340, 340, 3))) is None


def test_a_grid_is_seen_in_all_rows_that_count_and_not_in_those_that_are_drawn(monkeypatch):
    monkeypatch.setattr("semigen.judgement.study.MOST_UNLABELED", 20)
    rows = every_combination(4, 4, 4)
    shown = np.where(np.arange(65) < 12, np.arange(65) % 2, -1)
    twice = np.vstack([rows, rows[-1:]])
    quick = {"estimator": mixture("diag"), "weights": (0.0, 1.0)}
    assert look(twice, shown, weight=1.0 * (np.arange(65) < 64), **quick).grid == Grid(64, 64, 3)
    assert look(twice, shown, **quick).grid is None
