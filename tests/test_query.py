"""Which rows to label next: laws of the choice, a brute-force twin, and what cannot be asked."""

from __future__ import annotations

import functools
import json
import sys
import types
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading
from sklearn.utils.validation import check_is_fitted

import semigen
from command_line import make_notes, mixed
from semigen.data.labels import encode
from semigen.datasets import make_gaussian_classes
from semigen.exceptions import LabelError, ParameterError
from semigen.judgement.information import MOST_PRECISE, PRECISION, closeness, most_informative

N_LABELED = 12


@pytest.fixture(scope="module")
def data():
    """Three classes that overlap, of 240 rows; the first rows are labeled."""
    drawn = make_gaussian_classes(N_LABELED, 240 - N_LABELED, 4, n_classes=3, distance=2.5, random_state=0)
    return drawn.X, drawn.y_true, drawn.y


@pytest.fixture(scope="module")
def auto(data):
    X, _, y = data
    return semigen.AutoClassifier(n_mixtures=6).fit(X, y)


def clusters(sizes, seed, gap=5.0):
    """Rows of round clusters in four dimensions, and the cluster of each."""
    rng = np.random.default_rng(seed)
    which = np.repeat(np.arange(len(sizes)), sizes)
    centers = rng.normal(size=(len(sizes), 4))
    centers *= gap / np.linalg.norm(centers, axis=1)[:, None]
    return centers[which] + 0.5 * rng.normal(size=(len(which), 4)), which


def settled(features, u, labeled, weight):
    """What is uncertain when some rows are labeled, by the definition."""
    h = MOST_PRECISE * u[labeled] ** 2
    f = features[labeled]
    covariance = np.linalg.inv((f.T * h) @ f + PRECISION * np.eye(features.shape[1]))
    return sum(v * ui * row @ covariance @ row for v, ui, row in zip(weight, u, features, strict=True))


def test_each_row_is_the_one_that_settles_most_by_brute_force():
    rng = np.random.default_rng(0)
    features, u = rng.normal(size=(25, 4)), rng.uniform(size=25)
    weight, labeled = rng.uniform(size=25), [3, 7]
    candidates = np.setdiff1d(np.arange(25), [*labeled, 11])
    found = most_informative(features, u, np.array(labeled), candidates, weight, 5)
    first = settled(features, u, labeled, weight)
    for row, share in zip(found.rows, found.settled, strict=True):
        now = settled(features, u, labeled, weight)
        gain = {i: now - settled(features, u, [*labeled, i], weight) for i in candidates if i not in labeled}
        assert max(gain, key=gain.get) == row
        assert share == pytest.approx(gain[row] / first, rel=1e-8)
        labeled.append(int(row))


def test_unknown_is_the_share_of_prior_variance_that_is_left():
    features = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = most_informative(features, np.ones(3), np.array([0]), np.array([1, 2]), np.ones(3), 2)
    left = PRECISION / (PRECISION + MOST_PRECISE)
    assert dict(zip(found.rows.tolist(), found.unknown, strict=True)) == pytest.approx({1: left, 2: 1.0})


def test_closeness_is_one_where_two_classes_are_equal():
    probs = np.array([[0.4, 0.4, 0.2], [1.0, 0.0, 0.0], [0.1, 0.6, 0.3]])
    np.testing.assert_allclose(closeness(probs), [1, 0, 0.7])


@pytest.mark.parametrize("strategy", ["auto", "cover", "margin"])
def test_rows_are_unlabeled_distinct_and_of_positive_weight(auto, data, strategy):
    X, _, y = data
    weight = np.ones(len(X))
    weight[100:] = 0
    asked = semigen.query(auto, X, y, 20, strategy=strategy, sample_weight=weight)
    assert len(asked) == 20 == len(set(asked.rows.tolist()))
    assert set(asked.rows.tolist()) <= set(range(N_LABELED, 100))
    assert (asked.n_rows, asked.n_labeled, asked.strategy) == (240, N_LABELED, strategy)
    everything = semigen.query(auto, X, y, 1000, strategy=strategy, sample_weight=weight)
    assert sorted(everything.rows.tolist()) == list(range(N_LABELED, 100))


@pytest.mark.parametrize("strategy", ["auto", "cover", "margin"])
def test_the_order_of_the_rows_does_not_matter(auto, data, strategy):
    X, _, y = data
    order = np.random.default_rng(0).permutation(len(X))
    asked = semigen.query(auto, X, y, 15, strategy=strategy)
    again = semigen.query(auto, X[order], y[order], 15, strategy=strategy)
    assert order[again.rows].tolist() == asked.rows.tolist()
    np.testing.assert_allclose(again.scores, asked.scores, rtol=1e-6)
    assert again.reasons == asked.reasons


def test_a_weight_says_how_much_a_row_matters(auto, data):
    X, truth, y = data
    weight = np.where(truth == truth[0], 1.0, 1e-6)
    asked = semigen.query(auto, X, y, 8, strategy="cover", sample_weight=weight)
    evenly = semigen.query(auto, X, y, 8, strategy="cover")
    assert (truth[asked.rows] == truth[0]).mean() > (truth[evenly.rows] == truth[0]).mean()


def test_a_batch_differs_where_the_least_certain_rows_are_copies(data):
    X, _, y = data
    five = np.tile(np.arange(len(X)), 5)
    model = LogisticRegression().fit(X[:N_LABELED], y[:N_LABELED].astype(int))
    asked = five[semigen.query(model, X[five], y[five], 10).rows]
    closest = five[semigen.query(model, X[five], y[five], 10, strategy="margin").rows]
    assert len(set(asked.tolist())) == 10
    assert len(set(closest.tolist())) < 5


def test_without_a_label_the_rows_cover_the_clusters():
    X, which = clusters([60, 50, 40, 30, 20, 20], 0)
    asked = semigen.query(None, X, n=6)
    assert sorted(which[asked.rows].tolist()) == [0, 1, 2, 3, 4, 5]
    assert set(asked.reasons) == {"explore"}
    assert asked.predicted.tolist() == [None] * 6
    assert np.isnan(asked.probabilities).all()
    assert (np.diff(asked.scores) <= 1e-12).all()
    assert 0.8 < asked.scores.sum() < 1


@pytest.mark.parametrize(("n_clusters", "n_columns"), [(2, 1), (3, 2), (6, 1), (6, 3)])
def test_as_many_rows_as_there_are_distant_clusters_are_one_of_each(n_clusters, n_columns):
    rng = np.random.default_rng(0)
    which = np.repeat(np.arange(n_clusters), rng.integers(15, 60, size=n_clusters))
    places, apart = np.zeros((n_clusters, n_columns)), 0.0
    while apart < 10:
        places = rng.uniform(-5 * n_clusters, 5 * n_clusters, size=(n_clusters, n_columns))
        apart = np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(n_clusters, 1)].min()
    X = places[which] + rng.normal(size=(len(which), n_columns))
    assert sorted(which[semigen.query(None, X, n=n_clusters).rows].tolist()) == list(range(n_clusters))


def test_labels_of_one_class_count_as_known_places():
    X, which = clusters([40, 40, 40], 2)
    y = np.full(120, None, dtype=object)
    y[:5] = "a"
    asked = semigen.query(semigen.AutoClassifier(), X, y, 2)
    assert sorted(which[asked.rows].tolist()) == [1, 2]
    assert asked.n_labeled == 5


def test_reasons_tell_new_places_from_open_classes():
    X, which = clusters([60, 60, 60], 1)
    y = np.full(180, None, dtype=object)
    y[:10] = ["a", "b"] * 5  # nothing to learn, however many labels there are
    model = DummyClassifier(strategy="prior").fit(X[:10], y[:10].astype(str))
    asked = semigen.query(model, X, y, 12)
    reasons = np.array(asked.reasons)
    assert sorted(which[asked.rows[:2]].tolist()) == [1, 2]
    assert asked.reasons[:2] == ("explore", "explore")
    assert set(which[asked.rows[reasons == "uncertain"]]) == {0, 1, 2}
    assert set(semigen.query(model, X, y, 3, strategy="cover").reasons) == {"explore"}
    assert set(semigen.query(model, X, y, 3, strategy="margin").reasons) == {"uncertain"}


def test_labels_that_were_flipped_are_found():
    X, _ = clusters([60, 60, 60], 3)
    truth = np.repeat(["a", "b", "c"], 60)
    y = np.full(180, None, dtype=object)
    labeled = np.r_[0:20, 60:80, 120:140]
    y[labeled] = truth[labeled]
    y[[4, 66]] = ["b", "c"]
    y[125] = "a"
    model = LogisticRegression().fit(X[labeled], y[labeled].astype(str))
    asked = semigen.query(model, X, y, 8, check=0.5)
    assert sorted(asked.rows[:3].tolist()) == [4, 66, 125]
    assert asked.reasons[:3] == ("check label",) * 3
    assert "check label" not in asked.reasons[3:]
    assert asked.predicted[:3].tolist() == truth[asked.rows[:3]].tolist()
    assert (np.diff(asked.scores[:3]) <= 0).all()
    assert len(asked) == 8
    assert all(y[row] is None for row in asked.rows[3:])
    assert semigen.query(model, X, y, 8, check=1).reasons.count("check label") == 1
    assert set(semigen.query(model, X[labeled], y[labeled], 5, check=5).reasons) == {"check label"}


def test_a_label_is_judged_by_a_model_that_has_not_seen_it():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 12)), np.full(100, None, dtype=object)
    y[:40] = rng.choice(["a", "b"], 40)  # a model that has seen them knows most of them by heart
    model = DummyClassifier(strategy="prior").fit(X[:40], y[:40].astype(str))
    assert semigen.query(model, X, y, 40, check=40).reasons.count("check label") > 16


def test_an_unfitted_estimator_is_cloned_and_a_fitted_one_used_as_it_is(auto, data):
    X, _, y = data
    asked = semigen.query(auto, X, y, 6)
    probs = auto.predict_proba(X)[asked.rows]
    np.testing.assert_array_equal(asked.probabilities, probs.max(axis=1))
    assert asked.predicted.tolist() == auto.predict(X)[asked.rows].tolist()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    by_clone = semigen.query(model, X, y, 6)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    labeled = np.arange(N_LABELED)
    model.fit(X[labeled], y[labeled].astype(type(y[0])))
    by_fitted = semigen.query(model, X, y, 6)
    assert by_clone.rows.tolist() == by_fitted.rows.tolist()
    np.testing.assert_allclose(by_clone.probabilities, by_fitted.probabilities, atol=2e-3)
    assert by_clone.predicted.tolist() == by_fitted.predicted.tolist()
    margins = semigen.query(model, X, y, 6, strategy="margin")
    np.testing.assert_allclose(
        margins.scores, np.sort(closeness(model.predict_proba(X)[N_LABELED:]))[::-1][:6]
    )


def test_none_is_the_default_classifier(data, monkeypatch):
    X, _, y = data
    few = functools.partial(semigen.AutoClassifier, n_mixtures=4)
    monkeypatch.setattr("semigen.judgement.query.AutoClassifier", few)
    asked = semigen.query(None, X[:80], y[:80], 3)
    fitted = few().fit(X[:80], y[:80])
    assert asked.rows.tolist() == semigen.query(fitted, X[:80], y[:80], 3).rows.tolist()
    np.testing.assert_allclose(
        asked.probabilities, fitted.predict_proba(X[:80])[asked.rows].max(axis=1), atol=1e-12
    )


def test_an_ensemble_and_a_graph_that_labels_do_not_reach(data):
    X, _, y = data
    pool = semigen.PoolClassifier([("a", LogisticRegression()), ("b", DummyClassifier())]).fit(X, y)
    assert len(semigen.query(pool, X, y, 3)) == 3
    far = np.concatenate([X, X + 1000])
    code = np.r_[np.array([-1 if label is None else label for label in y]), np.full(len(X), -1)]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spreading = LabelSpreading(kernel="knn", n_neighbors=5).fit(far, code)
    asked = semigen.query(spreading, far, code, 4, strategy="margin")
    assert np.isfinite(asked.probabilities).all()
    assert (asked.rows >= len(X)).all()


def test_tables_of_every_kind(tmp_path):
    frame, table = mixed(str(tmp_path / "mixed.csv"), 150)
    frame = frame.drop(columns=["who", "kind"])
    model = semigen.AutoClassifier(n_mixtures=4)
    assert len(semigen.query(model, frame, n=3)) == 3
    asked = semigen.query(model, frame, table.y, n=3)
    assert all(table.y[row] is None for row in asked.rows)
    notes, _ = make_notes(80, 12)
    texts = semigen.AutoClassifier(n_mixtures=4, kinds={"body": "text"})
    asked = semigen.query(texts, notes[["body", "pages"]], notes["topic"], n=3)
    assert set(asked.predicted) <= {"engine", "garden"}
    documents = csr_array(np.random.default_rng(0).poisson(0.3, size=(90, 40)).astype(float))
    code = np.array([0, 1] * 5 + [-1] * 80)
    assert min(semigen.query(model, documents, code, n=4).rows) >= 10
    assert len(semigen.query(None, documents, n=4)) == 4


def test_labels_of_every_form(auto, data):
    X, truth, y = data
    expected = semigen.query(auto, X, y, 5).rows.tolist()
    matrix = np.where(
        (np.arange(240) < N_LABELED)[:, None], np.unique(truth)[None] == truth[:, None], np.nan
    ).astype(float)
    for given in (encode(y), matrix, list(y), pd.Series(y)):
        assert semigen.query(auto, X, given, 5).rows.tolist() == expected


def test_a_query_goes_through_json_and_into_frames(auto, data):
    X, _, y = data
    asked = semigen.query(auto, X, y, 4)
    back = json.loads(json.dumps(asked.to_dict()))
    assert back == asked.to_dict()
    assert [line["row"] for line in back["rows"]] == asked.rows.tolist()
    assert back["rows"][1]["reason"] == asked.reasons[1]
    assert back["rows"][2]["probability"] == asked.probabilities[2]
    cold = semigen.query(None, X[:40], n=2).to_dict()
    assert cold["rows"][0]["predicted"] is None is cold["rows"][0]["probability"]
    json.dumps(cold, allow_nan=False)
    for library in ("pandas", "polars", "pyarrow"):
        frame = asked.to_frame(library)
        assert list(getattr(frame, "column_names", None) or frame.columns) == [
            "row", "reason", "score", "predicted", "probability",
        ]  # fmt: skip
        assert list(np.asarray(frame["row"])) == asked.rows.tolist()


def test_a_query_is_shown_as_a_table(auto, data):
    X, _, y = data
    asked = semigen.query(auto, X, y, 3)
    head, names, *lines = str(asked).splitlines()
    assert head == f"3 rows to label next, of {len(y)} ({asked.n_labeled} labeled)"
    assert names.split() == ["row", "reason", "score", "predicted", "probability"]
    first = [asked.rows[0], asked.reasons[0], f"{asked.scores[0]:.3f}"]
    assert lines[0].split()[:3] == list(map(str, first))
    assert lines[0].endswith(f"{asked.probabilities[0]:.3f}")
    assert str(asked) in asked._repr_html_()
    assert "nan" not in str(semigen.query(None, X[:40], n=2))


class Contrary:
    """A strategy with the arguments of scikit-activeml's that asks for the most certain rows."""

    def __init__(self):
        self.seen = {}

    def query(self, X, y, clf, fit_clf=True, candidates=None, batch_size=1, return_utilities=False):
        self.seen = {"y": y, "clf": clf, "fit_clf": fit_clf, "X": X}
        certain = clf.predict_proba(X).max(axis=1)
        rows = candidates[np.argsort(-certain[candidates])[:batch_size]]
        return rows, np.tile(certain, (batch_size, 1))


class Wrapped:
    """What stands for skactiveml.classifier.SklearnClassifier."""

    def __init__(self, estimator, classes):
        self.estimator, self.classes = estimator, classes

    def fit(self, X, y):
        self.estimator.fit(X, y)
        return self

    def predict_proba(self, X):
        return self.estimator.predict_proba(X)


def test_a_strategy_of_others_sees_rows_labels_and_probabilities(auto, data, monkeypatch):
    X, _, y = data
    stand_in = types.ModuleType("skactiveml.classifier")
    stand_in.SklearnClassifier = Wrapped
    monkeypatch.setitem(sys.modules, "skactiveml", types.ModuleType("skactiveml"))
    monkeypatch.setitem(sys.modules, "skactiveml.classifier", stand_in)
    strategy = Contrary()
    asked = semigen.query(auto, X, y, 5, strategy=strategy)
    certain = auto.predict_proba(X).max(axis=1)
    rest = np.arange(N_LABELED, 240)
    assert asked.rows.tolist() == rest[np.argsort(-certain[rest])[:5]].tolist()
    np.testing.assert_array_equal(asked.scores, certain[asked.rows])
    assert asked.strategy == "Contrary"
    assert strategy.seen["fit_clf"] is False
    code = strategy.seen["y"]
    assert np.isnan(code[N_LABELED:]).all()
    assert auto.classes_[code[:N_LABELED].astype(int)].tolist() == y[:N_LABELED].tolist()
    with pytest.raises(ParameterError, match="not in the table"):
        semigen.query(auto, X, y, 5, strategy=Stranger())
    with pytest.raises(ParameterError, match=r"Contrary needs a classifier, .*strategy=\"cover\""):
        semigen.query(auto.__class__(), X, None, 5, strategy=Contrary())


class Stranger(Contrary):
    """It asks its classifier about rows of its own."""

    def query(self, X, y, clf, fit_clf=True, candidates=None, batch_size=1, return_utilities=False):
        return clf.predict_proba(X + 1)


class Committee:
    """It needs what a query does not have."""

    def query(self, X, y, ensemble, candidates=None, batch_size=1, return_utilities=False): ...


def test_strategies_of_scikit_activeml(auto, data):
    pool = pytest.importorskip("skactiveml.pool")
    X, _, y = data
    for kind in (pool.UncertaintySampling, pool.DiscriminativeAL, pool.TypiClust):
        asked = semigen.query(auto, X, y, 4, strategy=kind(missing_label=np.nan, random_state=0))
        assert len(set(asked.rows.tolist())) == 4
        assert min(asked.rows) >= N_LABELED


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, r"n=0: it must be an integer of at least 1"),
        ({"strategy": "best"}, r"strategy='best': use one of 'auto', 'cover', 'margin', or a strategy"),
        ({"strategy": 3}, r"strategy=3: use one of"),
        ({"strategy": Committee()}, r"Committee needs ensemble: use one that takes"),
        ({"check": 1.5}, r"check=1.5: give a number of rows, or a share of n below 1"),
        ({"check": -1}, r"check=-1: it must be a number of at least 0"),
        ({"random_state": None}, r"random_state=None"),
        ({"y": None, "strategy": "margin", "estimator": None}, r'needs a classifier.*strategy="auto"'),
        ({"estimator": StandardScaler()}, r"StandardScaler has no predict_proba"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_cure(auto, data, options, message):
    X, _, y = data
    with pytest.raises(ParameterError, match=message):
        semigen.query(**{"estimator": auto, "X": X, "y": y, **options})


def test_labels_that_cannot_be_used_are_refused(auto, data):
    X, truth, y = data
    with pytest.raises(LabelError, match="X has 240 rows and y 3"):
        semigen.query(auto, X, y[:3])
    with pytest.raises(LabelError, match=r"none is left to ask for: check=10 \(--check 10\)"):
        semigen.query(auto, X, truth)
