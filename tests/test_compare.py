"""Any classifiers on the same folds: what each is given, and what is said of the result."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import LinearSVC

import semigen
from command_line import error_of, run
from semigen.common.notices import once_each
from semigen.datasets import make_gaussian_classes
from semigen.estimators.adapters import PartlyLabeledClassifier
from semigen.evaluation.metrics import brier_score
from semigen.exceptions import DatasetShiftWarning, LabelError, ParameterError
from semigen.judgement.comparing import OTHERS, OURS, named_model

DATA = make_gaussian_classes(16, 64, distance=2.5, random_state=0)
X = DATA.X
Y = np.array([-1 if label is None else label for label in DATA.y])
NAMES = np.where(Y < 0, None, np.where(Y == 1, "b", "a"))


class Noting(ClassifierMixin, BaseEstimator):
    """Notes what it is fitted on."""

    seen: list

    def fit(self, X, y):
        Noting.seen.append((X, y))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


class NotingAll(Noting):
    """The same, of a semi-supervised kind."""

    def __init__(self, unlabeled=-1):
        self.unlabeled = unlabeled

    def fit(self, X, y):
        Noting.seen.append((X, y))
        self.classes_ = np.array([label for label in (0, 1) if label in y.tolist()])
        return self


def test_every_model_gets_the_rows_that_it_can_use():
    Noting.seen = []
    rows, y = np.arange(20.0)[:, None], np.array([0, 1] * 4 + [-1] * 12)
    found = semigen.compare({"supervised": Noting(), "all": NotingAll()}, rows, y, n_splits=4)
    assert len(Noting.seen) == 8
    for (rows, labels), (all_rows, all_labels) in zip(Noting.seen[::2], Noting.seen[1::2], strict=True):
        assert len(rows) == 6, "the labeled rows of three folds"
        assert sorted(labels.tolist()) == [0, 0, 0, 1, 1, 1]
        assert len(all_rows) == 18, "no held-out row, not even without its label"
        assert sorted(all_rows[[one is not None for one in all_labels.tolist()], 0]) == sorted(rows[:, 0])
    assert found.rows.tolist() == list(range(8))


def test_it_is_the_paired_cross_validation_with_brier_scores():
    found = semigen.compare({"bayes": GaussianNB()}, X, Y, n_repeats=2)
    assert (found.n_splits, found.n_repeats, len(found.rows)) == (5, 2, 16)
    single = semigen.compare([GaussianNB()], X, Y)
    assert single.names == ("GaussianNB",)
    probs = single.probabilities["GaussianNB"]
    truth = Y[single.rows]
    by_hand = brier_score(truth, probs, classes=[0, 1])
    assert single.brier("GaussianNB").value == pytest.approx(by_hand)
    assert single.brier("GaussianNB", "class shares").value == pytest.approx(by_hand - 0.5, abs=0.02)
    record = json.loads(json.dumps(single.to_dict()))
    assert record["scores"]["GaussianNB"]["brier"]["value"] == pytest.approx(by_hand)
    frame = single.to_frame()
    assert frame["brier"][0] == pytest.approx(by_hand)
    with pytest.raises(ParameterError, match="no estimator 'x'"):
        single.brier("GaussianNB", "x")


def test_weights_of_zero_leave_rows_out():
    weight = np.where(np.arange(len(Y)) % 2, 1.0, 0.0)
    kept = weight > 0
    found = semigen.compare([GaussianNB()], X, Y, sample_weight=weight)
    alone = semigen.compare([GaussianNB()], X[kept], Y[kept])
    kept_losses = found.row_losses["GaussianNB"][found.weight > 0]
    assert found.score("GaussianNB").log_loss.value == pytest.approx(kept_losses.mean())
    assert found.n_labeled == alone.n_labeled


def test_the_table_in_words():
    found = semigen.compare({"bayes": GaussianNB(), "logistic": "logistic"}, X, Y)
    lines = str(found).splitlines()
    assert lines[0] == "16 held-out labeled rows, 5 folds; 95 % intervals"
    best, other = sorted(found.names, key=lambda name: found.score(name).log_loss.value)
    assert [line.split()[0] for line in lines[1:5]] == ["name", best, other, "class"]
    loss = found.score(best).log_loss
    assert f"{loss.value:.3f} ({loss.low:.3f}-{loss.high:.3f})" in lines[2]
    change = found.difference(other, best).log_loss
    assert f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})" in lines[3]


@pytest.mark.parametrize("measure", ["log_loss", "accuracy", "brier"])
def test_the_figure_has_the_intervals_of_the_table_and_the_best_on_top(measure):
    found = semigen.compare({"bayes": GaussianNB(), r"$\frac{1$": "logistic"}, X, Y)
    axes = semigen.plot(found, ax=Figure().subplots(), measure=measure)
    names = [one.get_text() for one in axes.get_yticklabels()]
    (points, _, (lines,)) = axes.containers[0]
    of = [found.brier(name) if measure == "brier" else getattr(found.score(name), measure) for name in names]
    values = [one.value for one in of]
    assert points.get_xdata().tolist() == values
    assert values == sorted(values, reverse=measure != "accuracy")
    ends = [(one[0, 0], one[1, 0]) for one in lines.get_segments()]
    np.testing.assert_allclose(ends, [(one.low, one.high) for one in of])


def test_what_has_no_figure():
    found = semigen.compare({"bayes": GaussianNB()}, X, Y)
    for record, measure in ((found, "auc"), (found.to_dict(), "log_loss")):
        with pytest.raises(ParameterError, match=r"no measure|no figure of a dict"):
            semigen.plot(record, measure=measure)


@pytest.mark.parametrize("name", ["auto", "mixture", "supervised mixture", "hybrid", *OTHERS])
def test_named_models_read_any_table(name):
    rng = np.random.default_rng(0)
    assert set(OURS) == {"auto", "mixture", "supervised mixture", "safe", "hybrid"}
    y = np.repeat(["no", "yes"], 30).astype(object)
    frame = pd.DataFrame(
        {"number": rng.normal(size=60) + 3 * (y == "yes"), "word": rng.choice(["a", "b"], 60)}
    )
    frame.loc[3, "number"] = None
    y[20:30], y[50:] = None, None
    model = named_model(name)
    if name == "auto":
        model.set_params(n_mixtures=2)
    found = semigen.compare({name: model}, frame, y, n_splits=2)
    assert found.score(name).accuracy.value > 0.6 or name == "boosting", (
        "ten rows are too few for leaves of 5"
    )


def test_a_pipeline_gets_what_its_last_step_can_use():
    """Self-training behind a scaler sees the unlabeled rows, whatever type the classes have."""
    for last in (SelfTrainingClassifier(LogisticRegression()), semigen.MixtureClassifier(unlabeled=None)):
        model = PartlyLabeledClassifier(make_pipeline(StandardScaler(), last), None).fit(X, NAMES)
        assert model.estimator_[0].n_samples_seen_ == len(Y)
        assert model.predict_proba(X).shape == (len(Y), 2)
        assert (model.predict(X) == np.where(DATA.y_true == 1, "b", "a")).mean() > 0.85
    supervised = PartlyLabeledClassifier(make_pipeline(StandardScaler(), GaussianNB()), None).fit(X, NAMES)
    assert supervised.estimator_[0].n_samples_seen_ == 16
    with pytest.raises(ParameterError, match="no row weights"):
        PartlyLabeledClassifier(make_pipeline(StandardScaler(), last), None).fit(
            X, NAMES, np.full(len(Y), 2.0)
        )


def test_what_cannot_be_compared():
    for estimators in ("auto", GaussianNB(), 3):
        with pytest.raises(ParameterError, match="give a list"):
            semigen.compare(estimators, X, Y)
    with pytest.raises(ParameterError, match="no model 'forrest': use auto, mixture"):
        semigen.compare(["forrest"], X, Y)
    for one in (LinearSVC(), GaussianNB):
        with pytest.raises(ParameterError, match="without predict_proba"):
            semigen.compare([one], X, Y)
    with pytest.raises(ParameterError, match="name 1: names are text"):
        semigen.compare({1: GaussianNB()}, X, Y)
    with pytest.raises(LabelError, match="0 labeled rows can be held out"):
        semigen.compare([GaussianNB()], [[0.0], [1.0], [2.0]], [0, 1, -1])
    assert semigen.compare([GaussianNB(), GaussianNB()], X, Y).names == ("GaussianNB", "GaussianNB #2")


def test_progress_is_told():
    said = []
    semigen.compare([GaussianNB()], X, Y, n_splits=3, progress=lambda *step: said.append(step))
    assert said == [(1, 3, "GaussianNB"), (2, 3, "GaussianNB"), (3, 3, "GaussianNB")]


def test_compare_on_the_command_line(tmp_path):
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    frame["kind"] = NAMES
    frame.to_csv(tmp_path / "t.csv", index=False)
    arguments = ("compare", tmp_path / "t.csv", "--target", "kind", "--models")
    record = json.loads(run(*arguments, "mixture, logistic", "--splits", 3, "--json").stdout)
    assert record["n_rows"] == 16
    assert set(record["scores"]) == {"mixture", "logistic", "class shares"}
    said = run(*arguments, "logistic,mixture", "--splits", 3).stdout
    assert "16 held-out labeled rows, 3 folds" in said
    assert "class shares" in said
    frame.assign(w=np.arange(len(frame)) % 2).to_csv(tmp_path / "t.csv", index=False)
    weighted = json.loads(run(*arguments, "logistic", "--splits", 3, "--weight", "w", "--json").stdout)
    model = named_model("logistic", unlabeled=None)
    wanted = semigen.compare({"logistic": model}, X, NAMES, n_splits=3, sample_weight=np.arange(len(X)) % 2)
    assert weighted["scores"]["logistic"] == wanted.to_dict()["scores"]["logistic"]
    assert weighted["scores"]["logistic"] != record["scores"]["logistic"]
    assert "no model 'nothing'" in error_of(run(*arguments, "nothing", code=1))


def test_warnings_of_all_folds_are_given_once():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    table = pd.DataFrame(
        {
            "age": np.where(rng.random(40) < 0.2, -999, 20 + np.arange(40)),
            "day": [f"2024-{1 + j % 12:02d}-{1 + j % 28:02d}" for j in range(40)],
        }
    )
    for n_jobs in (1, 2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            semigen.compare(["logistic", "mixture"], table, y, n_jobs=n_jobs)
        for said in ("'day' (date) became", "rows is far from all other values"):
            assert len([one for one in caught if said in str(one.message)]) == 1
        assert {one.filename for one in caught} == {__file__} or n_jobs > 1


def test_models_that_read_columns_in_their_own_ways_warn_of_each_column_once():
    rng = np.random.default_rng(0)
    few = ["the", "quick", "brown", "fox", "jumps", "over", "a", "dog"]
    words = [" ".join(rng.choice(few, 6)) for _ in Y]
    frame = pd.DataFrame({"a": X[:, 0], "free": words, "when": pd.date_range("2020-01-01", periods=len(Y))})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        semigen.compare(["mixture", "logistic"], frame, NAMES, n_splits=2, unlabeled=None)
    told = [str(one.message) for one in caught if "'free'" in str(one.message)]
    assert len(told) == 1
    assert "'when'" in told[0]


def test_of_warnings_about_the_same_columns_the_one_that_names_most_is_given():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with once_each():
            for said in (
                "'a' is odd",
                "'b' is odd",
                "'a' and 'c' are odd",
                "'c' is odd in 3 rows",
                "done in 4",
            ):
                warnings.warn(said, UserWarning, stacklevel=1)
            warnings.warn("'a' is odd", DatasetShiftWarning, stacklevel=1)
            warnings.warn("done in 5", UserWarning, stacklevel=1)
    kept = ["'b' is odd", "'a' and 'c' are odd", "done in 4", "'a' is odd"]
    assert [str(one.message) for one in caught] == kept


def test_a_classifier_that_cannot_read_the_table_is_named():
    table = pd.DataFrame({"color": ["red", "blue"] * 20})
    with pytest.raises(
        ParameterError, match=r"'naive' cannot be fitted .*(red|blue).*Put what encodes its columns before"
    ):
        semigen.compare({"naive": GaussianNB()}, table, np.arange(40) % 2)
