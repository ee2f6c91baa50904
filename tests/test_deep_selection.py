"""Deep classifiers leave λ and how sure they may be to held-out labels."""

import numpy as np
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")

import semigen  # noqa: E402
from semigen.comparison import CLASS_SHARES, Score, Verdict  # noqa: E402
from semigen.data.labels import encode  # noqa: E402
from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures  # noqa: E402
from semigen.deep.selection import explain_selection, select, to_hold_out, to_try  # noqa: E402
from semigen.evaluation.calibration import Calibration, calibrate, evidence_of  # noqa: E402
from semigen.evaluation.intervals import Estimate  # noqa: E402
from semigen.evaluation.metrics import row_log_loss  # noqa: E402
from semigen.exceptions import ParameterError  # noqa: E402

Y = np.where(np.arange(100) < 40, np.arange(100) % 2, -1)
LABELS, WEIGHT = encode(Y), np.ones(100)
EVEN = np.full(2, 0.5)


def chosen(predict, **options):
    tried = to_try(None, LABELS, WEIGHT)
    folds = to_hold_out(tried, None, LABELS, WEIGHT, 0)
    return select(predict, tried, folds, LABELS, WEIGHT, EVEN, 0, options.pop("power", None), **options)


def right(rows, share):
    """Probabilities that are right, and sure of it, in a share of these rows."""
    wrong = np.arange(len(rows)) % 10 >= 10 * share
    return np.where((np.arange(2) == Y[rows, None]) ^ wrong[:, None], 0.99, 0.01)


@pytest.mark.parametrize(
    ("without", "with_unlabeled", "lam", "outcome"),
    [(0.9, 0.2, 0.0, "hurt"), (0.2, 0.9, 1.0, "helped"), (0.8, 0.8, 1.0, "unclear")],
)
def test_unlabeled_rows_are_left_out_where_they_hurt(without, with_unlabeled, lam, outcome):
    found = chosen(lambda lam, held, rows: right(rows, with_unlabeled if lam else without))
    assert (found.unlabeled_weight, found.verdict.outcome) == (lam, outcome)
    assert found.comparison.names == ("all rows", "labeled rows only")
    assert found.comparison.rows.tolist() == list(range(40))
    better = max(without, with_unlabeled)
    best = found.comparison.score("all rows" if with_unlabeled == better else "labeled rows only")
    assert best.accuracy.value == pytest.approx(better, abs=0.06)
    assert best.log_loss.value < found.comparison.score(CLASS_SHARES).log_loss.value


@pytest.mark.parametrize(("turned", "least", "lam"), [(0.6, 0.5, 0.0), (0.6, None, 1.0), (0.1, 0.5, 1.0)])
def test_unlabeled_rows_that_make_another_model_are_left_out_where_labels_do_not_tell(turned, least, lam):
    def predict(tried, held_out, rows):
        of_labels = right(rows, 0.8)  # the same with unlabeled rows and without
        sure = np.where(rows[:, None] % 2 == np.arange(2), 0.99, 0.01)  # of rows without a label
        other = (tried == 1) & (rows // 2 % 10 < 10 * turned)
        sure[other] = sure[other][:, ::-1]
        return np.where(Y[rows, None] >= 0, of_labels, sure)

    found = chosen(predict, least_agreement=least)
    assert found.verdict.outcome == "unclear"
    assert found.unlabeled_weight == lam
    # the 40 rows with a label agree, and the 60 others with 1 - 2 turned, as their classes are even
    assert found.agreement == pytest.approx(0.4 + 0.6 * (1 - 2 * turned), abs=0.02)
    said = explain_selection(found.comparison, found.verdict, found.unlabeled_weight)
    assert ("They are left out" in said) == (lam == 0)
    assert ("They are kept" in said) == (lam == 1)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("agreed", "kept"), [(0.4, 0.0), (0.6, 1.0)])
def test_only_m2_leaves_unlabeled_rows_out_by_agreement(agreed, kept, rng, monkeypatch):
    monkeypatch.setattr("semigen.deep.selection.agreement", lambda *_: agreed)
    X, small = rng.normal(size=(100, 2)), {"hidden": 8, "n_steps": 2, "random_state": 0}
    models = [VAEClassifier(**small), VAEClassifier(VAEFeatures(**small), **small), GANClassifier(**small)]
    models.append(FlowMixtureClassifier(n_transforms=1, bins=2, components_per_class=1, **small))
    fits = [model.fit(X, Y) for model in models]
    assert [one.verdict_.outcome for one in fits] == ["unclear"] * 4
    assert [one.unlabeled_weight_ for one in fits] == [kept, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("without", "with_unlabeled", "said"),
    [
        (0.9, 0.2, ["Unlabeled rows hurt", "than the class shares alone"]),
        (0.3, 0.9, ["Unlabeled rows helped", "The model predicts better than the class shares alone: -"]),
        (0.8, 0.7, ["cannot be told", "They are kept", "do not show that the model predicts better"]),
        (0.2, 0.2, ["cannot be told", "They are kept", "predicts worse than the class shares alone: +"]),
    ],
)
def test_a_fit_says_what_held_out_labels_tell(without, with_unlabeled, said):
    found = chosen(lambda lam, held, rows: right(rows, with_unlabeled if lam else without), power=0.3)
    text = explain_selection(found.comparison, found.verdict, found.unlabeled_weight)
    assert [line for line in said if line not in text] == []
    assert ("They are kept" in text) == (found.verdict.outcome == "unclear")
    assert ("Do not use it" in text) == ("worse than the class" in text)
    assert len(text.splitlines()) == 2


def test_a_fit_says_what_held_out_labels_do_not_tell(rng, capsys):
    X = rng.normal(size=(100, 2)) + Y[:, None]
    small = VAEClassifier(hidden=8, n_latent=2, n_steps=2, random_state=0)
    assert "nothing is known" in small.set_params(unlabeled_weight=0.5, calibrate=1.0).fit(X, Y).explanation_
    given = small.set_params(calibrate="auto", verbose=1).fit(X, Y)
    assert given.explanation_.startswith("Unlabeled rows have the weight 0.5: nothing says")
    assert "class shares alone" in given.explanation_
    assert capsys.readouterr().out.endswith(f"{given.explanation_}\n")
    assert small.fit(X[:40], Y[:40]).explanation_.startswith("Every row is labeled")


def test_nothing_is_held_out_that_need_not_be():
    assert to_try(0.3, LABELS, WEIGHT) == (0.3,)
    assert to_try(None, LABELS, np.where(Y < 0, 0.0, 1.0)) == (1.0,)
    assert to_hold_out((0.3,), 1.0, LABELS, WEIGHT, 0) == []
    assert len(to_hold_out((0.3,), None, LABELS, WEIGHT, 0)) == 3
    alone = encode(np.array([0, 1, -1]))
    assert to_hold_out((0.0, 1.0), None, alone, np.ones(3), 0) == []
    found = select(None, (0.0, 1.0), [], alone, np.ones(3), EVEN, 0, None)
    assert (found.unlabeled_weight, found.folds, found.comparison) == (1.0, [], None)
    assert found.verdict.outcome == "not compared"


def spy_on_calibrate(monkeypatch, module):
    """Arguments of the calls of ``calibrate`` from this module."""
    calls = []

    def spied(*told):
        calls.append(told)
        return calibrate(*told)

    monkeypatch.setattr(f"semigen.deep.{module}.calibrate", spied)
    return calls


def test_a_fit_is_calibrated_by_its_folds(monkeypatch, rng):
    X = rng.normal(size=(100, 2)) + Y[:, None]
    calls = spy_on_calibrate(monkeypatch, "classifier")
    clf = VAEClassifier(hidden=8, n_latent=2, n_steps=10, random_state=0).fit(X, Y)
    [(shown, weight, folds, shares)] = calls
    assert sorted(np.concatenate([one.code for one in folds])) == sorted(Y[:40])
    assert len(weight) == 100
    np.testing.assert_array_equal(clf.calibration_.powers, calibrate(shown, weight, folds, shares).powers)
    clf.calibration_ = Calibration.at(1.0, shares)
    np.testing.assert_allclose(shown, evidence_of(clf.predict_proba(X), shares), rtol=1e-6)


def test_no_fold_is_calibrated_by_itself(monkeypatch):
    calls = spy_on_calibrate(monkeypatch, "selection")
    chosen(lambda lam, held, rows: right(rows, 0.8))
    assert len(calls) == 6
    for shown, _, folds, _ in calls:
        assert len(folds) == 2
        assert all(one.shown is not shown for one in folds)


SMALL = {
    VAEClassifier: {"n_latent": 2, "hidden": 16, "learning_rate": 0.01},
    GANClassifier: {"hidden": 16, "generator_hidden": 16, "n_latent": 4},
    FlowMixtureClassifier: {"components_per_class": 2, "n_transforms": 2, "hidden": 16, "warmup_steps": 10},
}


@pytest.mark.parametrize("make", SMALL, ids=lambda one: one.__name__)
def test_columns_that_mean_nothing_give_the_class_shares(make, rng, tmp_path):
    X, truth = rng.normal(size=(300, 4)), np.arange(300) % 2
    y = np.where(np.arange(300) < 40, truth, -1)
    model = make(n_steps=60, random_state=0, **SMALL[make]).fit(X, y)
    loss = row_log_loss(model.predict_proba(X[40:]), truth[40:]).mean()
    assert loss < np.log(2) + 0.04
    assert model.comparison_.n_unlabeled == 260
    assert model.verdict_.n_rows == 40
    assert model.unlabeled_weight_ == (0.0 if model.verdict_.hurt else 1.0)
    semigen.save(model, tmp_path / "m.semigen")
    again = semigen.load(tmp_path / "m.semigen")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.verdict_ == model.verdict_
    plain = model.calibration_
    model.calibration_ = Calibration.at(1.0, plain.shares)
    np.testing.assert_allclose(plain(model.predict_proba(X)), again.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("make", SMALL, ids=lambda one: one.__name__)
def test_a_fit_whose_unlabeled_rows_hurt_is_one_of_the_labeled_rows(make, rng, monkeypatch):
    X = rng.normal(size=(100, 3)) + Y[:, None]
    small = make(n_steps=4, random_state=0, start="mixture", **SMALL[make])
    alone = clone(small).set_params(unlabeled_weight=0.0).fit(X, Y)
    harm = Verdict("hurt", 40, Score(*[Estimate(0.2, 0.1, 0.3)] * 2))
    monkeypatch.setattr("semigen.deep.selection.judge", lambda *_, **__: harm)
    fitted = small.fit(X, Y)
    assert fitted.unlabeled_weight_ == 0
    assert fitted.start_ == alone.start_ == "labels"
    np.testing.assert_array_equal(fitted.predict_proba(X), alone.predict_proba(X))


def test_folds_do_not_see_the_labels_that_are_held_out(monkeypatch, rng):
    X, fits = rng.normal(size=(100, 3)), []
    learn = VAEClassifier._learn

    def spied(self, X, labels, weight, training, lam, *told):
        fits.append((lam, self.features, training.n_steps, np.flatnonzero(labels.is_labeled & (weight > 0))))
        learn(self, X, labels, weight, training, lam, *told)

    monkeypatch.setattr(VAEClassifier, "_learn", spied)
    features = VAEFeatures(n_latent=2, hidden=8, n_steps=3)
    model = VAEClassifier(features, n_latent=2, hidden=8, n_steps=5, random_state=0).fit(X, Y)
    *folds, last = fits
    assert [lam for lam, *_ in folds] == [0.0] * 3 + [1.0] * 3
    assert last[3].tolist() == list(range(40))
    assert [steps for _, _, steps, _ in fits] == [3] * 6 + [5]
    for lam in (0.0, 1.0):
        left_out = [np.setdiff1d(np.arange(40), seen) for one, _, _, seen in folds if one == lam]
        assert sorted(np.concatenate(left_out).tolist()) == list(range(40))
    assert all(one.estimator is model.features_ for _, one, _, _ in folds)  # M1 is learned once


def test_a_report_tells_what_the_folds_of_the_fit_told(rng):
    pytest.importorskip("jinja2")
    X = rng.normal(size=(100, 3)) + np.arange(100)[:, None] % 2
    model = VAEClassifier(n_latent=2, hidden=8, n_steps=10, random_state=0).fit(X, Y)
    record = semigen.report(model, X, Y).record
    assert record["comparison"] == model.comparison_.to_dict()
    assert record["verdict"]["outcome"] == model.verdict_.outcome


def test_a_seed_is_a_result_and_progress_counts_the_steps_of_all_fits(rng):
    X, said = rng.normal(size=(100, 3)), []
    one = VAEClassifier(n_latent=2, hidden=8, n_steps=5, random_state=3)
    first = one.fit(X, Y, progress=lambda *step: said.append(step[:2])).predict_proba(X)
    np.testing.assert_array_equal(one.fit(X, Y).predict_proba(X), first)
    assert [done for done, total in said if total == 23] == list(range(1, 24))


class Tracker:
    def __init__(self):
        self.logged = []

    def log(self, values, step):
        self.logged.append((step, values))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_tracker_logs_the_history_of_the_last_fit(rng, tmp_path):
    X, tracker = rng.normal(size=(100, 3)), Tracker()
    small = {"n_latent": 2, "hidden": 8, "n_steps": 5}
    features = VAEFeatures(**small)
    model = VAEClassifier(features, **small, checkpoint=tmp_path / "fit.pt").fit(X, Y, tracker=tracker)
    assert [step for step, _ in tracker.logged] == model.history_["step"].tolist()
    for name in tracker.logged[0][1]:
        assert [values[name] for _, values in tracker.logged] == model.history_[name].tolist()
    assert model.fit(X, Y).n_steps_ == 5  # the checkpoint is that of a fit without one, too
    features.fit(X, tracker=tracker)
    assert [values["bound"] for _, values in tracker.logged[5:]] == features.history_["bound"].tolist()
    with pytest.raises(ParameterError, match=r"tracker=3 has no log\(values, step=\)"):
        features.fit(X, tracker=3)


def test_another_fit_s_checkpoint_is_refused_before_any_fold(rng, tmp_path):
    X, path = rng.normal(size=(100, 3)), tmp_path / "fit.pt"
    small = {"n_latent": 2, "hidden": 8, "n_steps": 4, "checkpoint": path}
    VAEClassifier(**small).fit(X, Y)
    for other, message in (
        ({"alpha": 3.0}, "other settings or data"),
        ({"random_state": 1}, "other settings or data"),
        ({"n_steps": 3}, "is of a fit of 4 steps, and n_steps=3: raise n_steps"),
    ):
        with pytest.raises(ParameterError, match=message):
            VAEClassifier(**{**small, **other}).fit(X, Y, progress=lambda *_: pytest.fail("a step"))
    assert [one.name for one in tmp_path.iterdir()] == ["fit.pt"]
    assert VAEClassifier(**{**small, "n_steps": 5, "verbose": 1}).fit(X, Y).n_steps_ == 5


@pytest.mark.filterwarnings("ignore::semigen.exceptions.TrainingWarning")
def test_a_fit_that_was_ended_in_a_fold_goes_on_there(rng, tmp_path):
    X, said = rng.normal(size=(100, 3)), []
    small = {"n_latent": 2, "hidden": 8, "n_steps": 8}
    whole = VAEClassifier(**small, random_state=0).fit(X, Y)
    model = VAEClassifier(**small, checkpoint=tmp_path / "fit.pt")

    def cut(done, total, what):
        said.append(done)
        if done == 10:  # in the third of six folds of four steps
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, progress=cut)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"fit.pt.fold-{i}" for i in range(3)]
    assert said == list(range(1, 11))
    said.clear()
    model.fit(X, Y, progress=lambda done, total, what: said.append(done))
    assert said == list(range(10, 33))  # nothing is learned again but the step that was cut
    np.testing.assert_array_equal(model.predict_proba(X), whole.predict_proba(X))
    assert [path.name for path in tmp_path.iterdir()] == ["fit.pt"]
