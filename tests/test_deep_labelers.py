"""Labels for the unlabeled rows that deep models start from."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_moons

torch = pytest.importorskip("torch")

from semigen.deep import GANClassifier, VAEClassifier, VAEFeatures, labelers  # noqa: E402
from semigen.deep.data.rows import Batch, TensorRows  # noqa: E402
from semigen.exceptions import ParameterError  # noqa: E402

GIVEN = {"unlabeled_weight": 1.0, "calibrate": 1.0, "device": "cpu", "random_state": 0}
"""Nothing is left to held-out labels."""


def m2(**options):
    return VAEClassifier(**{"hidden": 8, "n_latent": 2, "n_steps": 4, **GIVEN, **options})


def m1_m2(**options):
    return m2(features=VAEFeatures(hidden=8, n_latent=2, n_steps=4, device="cpu"), **options)


def gan(**options):
    return GANClassifier(**{"hidden": 8, "generator_hidden": 8, "n_steps": 4, **GIVEN, **options})


def moons(n, noise, seed):
    return make_moons(n, noise=noise, random_state=seed)


def with_two_labels(truth, rng):
    y = np.full(len(truth), -1)
    for k in (0, 1):
        y[rng.choice(np.flatnonzero(truth == k), 2, replace=False)] = k
    return y


def test_spread_labels_solve_the_equations_of_label_spreading(rng):
    x = rng.normal(size=(80, 3))
    code = np.where(np.arange(80) < 15, np.arange(80) % 3, -1)
    distance = np.linalg.norm(x[:, None] - x, axis=2)
    np.fill_diagonal(distance, np.inf)
    reach = np.sort(distance, axis=1)[:, 4:5]
    weight = np.where(distance <= reach, np.exp(-((distance / reach) ** 2)), 0.0)
    weight = np.maximum(weight, weight.T)
    root = np.sqrt(weight.sum(axis=1))
    given = (code[:, None] == np.arange(3)).astype(float)
    exact = np.linalg.solve(np.eye(80) - 0.9 * weight / root / root[:, None], given)
    found = labelers.spread_labels(x, code)
    np.testing.assert_array_equal(found[15:], exact.argmax(axis=1)[15:])
    np.testing.assert_array_equal(found[:15], code[:15])


def test_rows_that_no_label_reaches_take_that_of_the_nearest(rng):
    x = np.concatenate([rng.normal(size=(20, 2)) + far for far in (0, 100, 240)])
    code = np.full(60, -1)
    code[[0, 59]] = 0, 1
    np.testing.assert_array_equal(labelers.spread_labels(x, code), np.repeat([0, 0, 1], 20))
    np.testing.assert_array_equal(labelers.spread_labels(x[:1], code[:1]), [0])
    np.testing.assert_array_equal(labelers.spread_labels(x[:20], np.zeros(20, dtype=int)), np.zeros(20))
    np.testing.assert_array_equal(labelers.spread_labels(x[:20], code[:20]), np.zeros(20))  # one class


def test_gaussians_replace_labels_that_were_spread_where_they_nearly_agree(rng, monkeypatch):
    truth = np.arange(400) % 2
    y = np.where(np.arange(400) < 40, truth, -1)
    wrong = []
    for _ in range(3):
        x = rng.normal(size=(400, 20))
        x[:, 0] += 4.0 * truth
        x[0] = x[1]  # a label that no Gaussian agrees with
        with monkeypatch.context() as patch:
            found = [labelers.spread_labels(x, y)]
            patch.setattr(labelers, "MOST_COLUMNS", 19)
            found.append(labelers.spread_labels(x, y))
        wrong.append([(one != truth).sum() for one in found])
        for one in found:
            np.testing.assert_array_equal(one[:40], truth[:40])
    polished, graph = np.sum(wrong, axis=0)
    assert polished < 0.85 * graph
    X, truth = moons(300, 0.05, 0)  # Gaussians disagree with 13 % of the rows, and are wrong
    y = np.where(np.arange(300) < 20, truth, -1)
    np.testing.assert_array_equal(labelers.spread_labels(X, y), truth)


def test_labels_grow_along_dense_rows(rng):
    for seed in range(3):
        X, truth = moons(500, 0.05, seed)
        y = with_two_labels(truth, rng)
        np.testing.assert_array_equal(labelers.grow_labels(X, y), truth)
    # One island without a label, which no neighbor links to another: it takes the nearest one.
    x = np.concatenate(
        [rng.normal(size=(60, 1)), rng.normal(size=(60, 1)) + 40, rng.normal(size=(60, 1)) + 100]
    )
    y = np.full(180, -1)
    y[3], y[150] = 0, 1
    np.testing.assert_array_equal(labelers.grow_labels(x, y), np.repeat([0, 0, 1], 60))
    np.testing.assert_array_equal(labelers.grow_labels(x[:2], np.array([1, -1])), [1, 1])


def test_of_many_rows_the_labeled_ones_and_some_others_are_spread_over(rng, monkeypatch):
    _, truth = moons(1500, 0.05, 0)
    y = with_two_labels(truth, rng)
    monkeypatch.setattr(labelers, "MOST_ROWS", 500)
    monkeypatch.setattr(labelers, "MOST_VALUES", 1000)
    for n_columns, n in ((2, 500), (5, 200)):
        kept = labelers.to_spread_over(y, 0, n_columns)
        assert len(kept) == len(set(kept)) == n
        assert (np.diff(kept) > 0).all()
        assert set(np.flatnonzero(y >= 0)) <= set(kept)
    np.testing.assert_array_equal(labelers.to_spread_over(truth, 0, 2), np.arange(1500))
    many = np.where(np.arange(1500) < 700, truth, -1)
    np.testing.assert_array_equal(labelers.to_spread_over(many, 0, 2), np.arange(700))


def test_held_out_labels_choose_how_labels_are_spread(rng):
    X, truth = moons(300, 0.05, 0)
    y = np.where(np.arange(300) < 20, truth, -1)
    assert labelers.choose_start(X, y, 0).start == "density"
    truth = np.arange(300) % 2
    X = rng.normal(size=(300, 12)) * np.where(truth, 1.0, 3.0)[:, None]  # one class within the other
    y = np.where(np.arange(300) < 20, truth, -1)
    assert labelers.choose_start(X, y, 0).start == "mixture"
    found = labelers.mixture_labels(X, y)
    assert (found == truth).mean() > 0.9
    assert (labelers.grow_labels(X, y) == truth).mean() < 0.7
    np.testing.assert_array_equal(found[:20], truth[:20])
    assert labelers.choose_start(X[:2], np.array([1, -1]), 0).start == "density"  # none to hold out


def test_spreading_is_chosen_unless_another_way_is_clearly_better(monkeypatch):
    truth = np.arange(80) % 2
    x = truth[:, None] + np.linspace(0.0, 0.1, 80)[:, None]

    def chosen(n_labeled, n_wrong):
        y = np.where(np.arange(80) < n_labeled, truth, -1)

        def spread(x, code, near):
            found = truth.copy()
            found[:n_wrong] = 1 - truth[:n_wrong]
            return found

        monkeypatch.setitem(labelers.LABELERS, "spreading", spread)
        found = labelers.choose_start(x, y, 0)
        assert found.agreement == 1 - 2 * n_wrong / n_labeled * (found.start == "spreading")
        return found.start

    assert chosen(20, 0) == chosen(20, 1) == "density"
    assert [chosen(40, n_wrong) for n_wrong in (0, 1, 2)] == ["spreading", "spreading", "density"]


def rows_of(x, y):
    one = torch.ones(len(x), dtype=torch.float64)
    return TensorRows(x, one[:, None], torch.as_tensor(y), one, 0.0 * one[:, None])


@pytest.mark.parametrize(("make", "objective"), [(m2, "bound"), (gan, "discriminator")])
def test_guessed_classes_count_in_the_cross_entropy(make, objective, rng):
    X = rng.normal(size=(40, 3))
    fitted = make(alpha=3.0).fit(X, np.where(np.arange(40) < 10, np.arange(40) % 2, -1))
    model = fitted.networks_.models[0]
    x = torch.from_numpy(rng.normal(size=(7, 3)))
    guess = [0, 1, -1, 1, -1]
    batch = Batch(rows_of(x[:2], [0, 1]), rows_of(x[2:], guess))
    table = fitted.networks_.architecture.table
    log_p = np.log(fitted.predict_proba(table.matrix(x[2:])))
    cross_entropy = -sum(log_p[i, y] for i, y in enumerate(guess) if y >= 0) / 5
    found = []
    for model.guidance in (0.0, 0.5):
        torch.manual_seed(0)
        found.append(float(model.loss(batch, 2, objective).loss))
    assert found[1] - found[0] == pytest.approx(3.0 * 0.5 * cross_entropy, abs=1e-6)


@pytest.mark.parametrize("make", [m2, m1_m2, gan])
def test_fits_without_some_labels_start_as_the_last_one_does(make, rng, monkeypatch):
    X, truth = moons(90, 0.1, 0)
    y = np.where(np.arange(90) < 12, truth, -1)
    n_known, starts = [], []
    spread_labels = labelers.spread_labels

    def choose(x, code, seed):
        n_known.append(int((code >= 0).sum()))
        return labelers.Choice("spreading", 1.0)

    def label(x, code, near):
        starts.append((len(code), int((code >= 0).sum())))
        return spread_labels(x, code, near)

    monkeypatch.setattr("semigen.deep.classifier.choose_start", choose)
    monkeypatch.setitem(labelers.LABELERS, "spreading", label)
    fitted = make(unlabeled_weight="auto", calibrate="auto").fit(X, y)
    assert n_known == [12]
    assert starts == [(86, 8)] * 3 + [(90, 12)]
    assert fitted.start_ == "spreading"


@pytest.mark.parametrize("make", [m2, m1_m2, gan])
def test_nothing_is_guessed_without_unlabeled_rows(make):
    X, truth = moons(60, 0.1, 0)
    y = np.where(np.arange(60) < 12, truth, -1)
    alone = make(unlabeled_weight=0.0).fit(X, y)
    assert alone.start_ == make().fit(X[:12], y[:12]).start_ == "labels"
    again = make(unlabeled_weight=0.0, start="labels").fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), alone.predict_proba(X))
    with pytest.raises(ParameterError, match=r"start='luck': use 'auto' or"):
        make(start="luck").fit(X, y)


def test_guessed_classes_teach_what_labels_alone_do_not():
    X, truth = moons(300, 0.05, 0)
    y = np.where(np.arange(300) < 12, truth, -1)
    taught = m2(n_steps=150, hidden=(30, 30), learning_rate=0.01).fit(X, y)
    alone = clone(taught).set_params(start="labels").fit(X, y)
    assert taught.start_ == "density"
    assert taught.score(X, truth) > 0.97 > 0.93 > alone.score(X, truth)
