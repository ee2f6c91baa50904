"""Warm starts of MixtureClassifier: they go on where the last fit of the same structure ended."""

import numpy as np
import pandas
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone

from semigen import MixtureClassifier
from semigen.datasets import make_gaussian_classes
from semigen.exceptions import ConvergenceWarning, ParameterError


@pytest.fixture(scope="module")
def helpful():
    return make_gaussian_classes(20, 300, 6, distance=4.0, random_state=3)


WARM = {
    "full": MixtureClassifier(),
    "tied": MixtureClassifier(covariance="tied", shrinkage=0),
    "diag": MixtureClassifier(covariance="diag"),
    "low rank": MixtureClassifier(covariance="low_rank"),
    "student_t": MixtureClassifier("student_t", covariance="tied"),
    "von_mises_fisher": MixtureClassifier("von_mises_fisher"),
    "several components": MixtureClassifier(covariance="tied", components_per_class=2, random_state=0),
    "label noise": MixtureClassifier(covariance="tied", label_noise="estimate"),
    "unlabeled part": MixtureClassifier(covariance="tied", class_prior="unlabeled"),
}


@pytest.mark.parametrize("name", WARM)
def test_a_warm_start_goes_on_where_the_last_fit_ended(name, helpful):
    """The same rows again: nothing is left to gain. Other weights: EM climbs from there (falls warn)."""
    model = clone(WARM[name]).set_params(warm_start=True, unlabeled_weight=0.3, max_iter=2000)
    model.fit(helpful.X, helpful.y)
    first, objective = model.n_iter_, model.objective_
    model.fit(helpful.X, helpful.y)
    assert model.n_iter_ <= max(first // 2, 2)
    assert model.objective_ >= objective - 1e-6
    assert model.objective_path_[0] == pytest.approx(objective, rel=1e-12)
    before = model.predict_proba(helpful.X)
    path = model.set_params(unlabeled_weight=1.0).fit(helpful.X, helpful.y).objective_path_
    assert (np.diff(path) > -1e-9 * (1 + np.abs(path[1:]))).all()
    anew = clone(model).fit(helpful.X, helpful.y)
    assert anew.n_iter_ >= 1
    assert np.abs(model.predict_proba(helpful.X) - before).max() > 0


ONE_FIT = {**WARM, "auto": MixtureClassifier(unlabeled_weight="auto"), "nothing shared": MixtureClassifier()}
ONE_FIT["nothing shared"].set_params(covariance="full", shrinkage=0)


@pytest.mark.parametrize("name", ONE_FIT)
def test_fits_of_one_iteration_walk_the_path_of_one_fit(name, helpful):
    """Each begins where the last one ended, to the last digit, and warns that EM has not converged."""
    model = clone(ONE_FIT[name]).set_params(tol=0)
    if name != "auto":
        model.set_params(unlabeled_weight=0.3)
    piece = clone(model).set_params(warm_start=True, max_iter=1)
    ends = []
    for _ in range(3):
        with pytest.warns(ConvergenceWarning, match="raise max_iter"):
            piece.fit(helpful.X, helpful.y)
        ends += piece.objective_path_[-2:].tolist()
    with pytest.warns(ConvergenceWarning):
        whole = clone(model).set_params(max_iter=3).fit(helpful.X, helpful.y)
    np.testing.assert_allclose(ends, np.repeat(whole.objective_path_[-4:], 2)[1:-1], rtol=1e-12)
    np.testing.assert_allclose(piece.log_joint(helpful.X), whole.log_joint(helpful.X), rtol=1e-10)
    assert piece.unlabeled_weight_ == whole.unlabeled_weight_


@pytest.mark.parametrize(("n_labeled", "covariance"), [(20, "tied"), (40, "full")])
def test_a_warm_start_keeps_the_weight_and_the_covariance_that_were_chosen(n_labeled, covariance):
    rows = make_gaussian_classes(n_labeled, 300, 6, distance=4.0, random_state=3)
    model = MixtureClassifier(warm_start=True).fit(rows.X, rows.y)
    chosen = model.unlabeled_weight_
    assert (model.mixture_.family.covariance.name, 0 < chosen < 1) == (covariance, True)
    other = np.array([0 if k is None else k for k in np.roll(rows.y, 1)])  # labels that say nothing
    anew = MixtureClassifier().fit(rows.X, other)
    model.fit(rows.X, other)
    assert (model.mixture_.family.covariance.name, model.unlabeled_weight_) == (covariance, chosen)
    assert anew.unlabeled_weight_ != chosen
    assert covariance == "tied" or anew.mixture_.family.covariance.name != covariance


def test_what_a_criterion_chooses_is_started_anew(helpful):
    model = MixtureClassifier(covariance="bic", warm_start=True).fit(helpful.X, helpful.y)
    first = model.objective_path_
    np.testing.assert_array_equal(model.fit(helpful.X, helpful.y).objective_path_, first)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical", "low_rank"])
def test_parameters_that_the_new_rows_do_not_allow_are_moved_to_their_bounds(covariance):
    """Columns without variance in a class keep a share of that of all rows, which has grown by then."""
    y = np.arange(60) % 2
    X = np.column_stack([y, y, 3 * y]).astype(float)
    model = MixtureClassifier(covariance=covariance, shrinkage=0, warm_start=True, calibrate=1.0)
    few = np.where(y == 1, 0.05, 1.0)
    model.fit(X, y, few)
    at_bounds = model.objective_
    path = model.fit(X, y).objective_path_  # a fall would warn, which is an error
    assert path[0] < at_bounds - 1
    np.testing.assert_allclose(model.log_joint(X), clone(model).fit(X, y).log_joint(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("classes", "other classes: "),
        ("columns", "numbers of columns: 3, not 2"),
        ("components", "other components: "),
        ("names", "other columns: "),
        ("kinds", "other kinds of columns: "),
        ("levels", "other levels of categories: "),
        ("class prior", "other class priors: 'shared', not 'fixed'"),
        ("covariance", "another family, covariance or number of levels"),
    ],
)
def test_a_warm_start_of_something_else_is_refused(change, words, helpful):
    X, y = helpful.X[:, :3].round(1), np.array([-1 if k is None else k for k in helpful.y])
    model = MixtureClassifier({0: "categorical"}, covariance="tied", warm_start=True, max_iter=2000)
    X[:, 0] = np.abs(X[:, 0]).round() % 3
    before = model.fit(X, y).predict_proba(X)
    Z, labels, params = X, y, model.get_params()
    if change == "classes":
        labels = np.where(y == y.max(), y.max() + 1, y)
    elif change == "columns":
        Z = X[:, :2]
    elif change == "components":
        model.set_params(components_per_class=2)
    elif change == "names":
        Z = pandas.DataFrame(X, columns=["a", "b", "c"])
        model.set_params(family={"a": "categorical"})
    elif change == "kinds":
        model.set_params(family="gaussian")
    elif change == "levels":
        Z = np.where(np.arange(len(X))[:, None] > 0, X, 7.0)
    elif change == "class prior":
        model.set_params(class_prior="uniform")
    else:
        model.set_params(covariance="full")
    with pytest.raises(ParameterError, match=words) as refused:
        model.fit(Z, labels)
    assert "warm_start=False" in str(refused.value)
    np.testing.assert_array_equal(model.predict_proba(X), before)  # nothing was changed
    anew = clone(model).set_params(warm_start=False).fit(Z, labels)
    assert model.set_params(**params).fit(X, y).n_iter_ <= 2 < anew.n_iter_


def test_twin_of_a_warm_start_with_another_weight(helpful):
    """From λ = 0 to 1 the rows' mean, about which parameters are held, moves: the densities do not."""
    X, unlabeled = helpful.X + 5 * helpful.X.std(axis=0), np.array([label is None for label in helpful.y])
    model = MixtureClassifier(
        covariance="tied", shrinkage=0, unlabeled_weight=0, calibrate=1.0, warm_start=True
    )
    model.fit(X[:, :3], helpful.y)
    code = np.searchsorted(model.classes_, np.where(unlabeled, model.classes_[0], helpful.y))
    n_classes = len(model.classes_)
    resp = np.where(unlabeled[:, None], model.predict_proba(X[:, :3]), np.eye(n_classes)[code])
    mean = resp.T @ X[:, :3] / resp.sum(axis=0)[:, None]
    covariance = sum(
        (r[:, None] * (X[:, :3] - m)).T @ (X[:, :3] - m) for r, m in zip(resp.T, mean, strict=True)
    ) / len(X)
    log_joint = np.log(resp.mean(axis=0)) + np.column_stack(
        [multivariate_normal.logpdf(X[:, :3], m, covariance) for m in mean]
    )
    rows = np.where(unlabeled, logsumexp(log_joint, axis=1), log_joint[np.arange(len(X)), code])
    model.set_params(unlabeled_weight=1.0).fit(X[:, :3], helpful.y)
    assert model.objective_path_[1] == pytest.approx(rows.mean(), rel=1e-10)


def test_components_without_weight_are_started_anew(helpful):
    """At λ = 0 a novel component has no rows, and EM could never give it any."""
    model = MixtureClassifier(covariance="tied", n_novel_components=1, random_state=0, warm_start=True)
    model.set_params(unlabeled_weight=0.0).fit(helpful.X, helpful.y)
    model.set_params(unlabeled_weight=1.0).fit(helpful.X, helpful.y)
    anew = clone(model).fit(helpful.X, helpful.y)
    np.testing.assert_array_equal(model.predict_proba(helpful.X), anew.predict_proba(helpful.X))


def test_without_warm_start_a_second_fit_knows_nothing_of_the_first(helpful):
    model = MixtureClassifier(unlabeled_weight=0.3).fit(helpful.X, helpful.y)
    again = model.set_params(unlabeled_weight=1.0).fit(helpful.X, helpful.y)
    anew = MixtureClassifier(unlabeled_weight=1.0).fit(helpful.X, helpful.y)
    np.testing.assert_array_equal(again.objective_path_, anew.objective_path_)
