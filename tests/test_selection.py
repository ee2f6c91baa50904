"""Components and covariance chosen by a criterion."""

import numpy as np
import pytest

from semigen import MixtureClassifier
from semigen.exceptions import ParameterError
from semigen.mixture.selection import MAX_COMPONENTS, Candidate, criterion, search

CLASSES = np.array(["a", "b", "c"])


def evaluate_by(value):
    """An evaluator that counts its calls and takes the criterion from a function."""
    calls = []

    def evaluate(shape, components):
        calls.append((shape, tuple(components.values())))
        return Candidate(shape, components, value(shape, components), 0)

    return evaluate, calls


def test_search_finds_each_class_s_own_number():
    wanted = {"a": 2, "b": 3, "c": 1}

    def distance(shape, components):
        return sum((components[label] - wanted[label]) ** 2 for label in wanted) + (shape != "tied")

    evaluate, calls = evaluate_by(distance)
    found = search(evaluate, CLASSES, ("full", "tied"), None)
    assert (found[0].covariance, found[0].components_per_class) == ("tied", wanted)
    assert [one.value for one in found] == sorted(one.value for one in found)
    assert len(calls) == len(set(calls)), "a model was fitted twice"


def test_search_keeps_what_is_fixed():
    evaluate, calls = evaluate_by(lambda shape, components: len(shape))
    found = search(evaluate, CLASSES, ("full", "spherical", "tied"), {"a": 1, "b": 4, "c": 1})
    assert {counts for _, counts in calls} == {(1, 4, 1)}
    assert len(found) == 3


def test_search_ends_where_more_is_always_better():
    evaluate, calls = evaluate_by(lambda shape, components: -sum(components.values()))
    found = search(evaluate, CLASSES, ("full",), None)
    assert set(found[0].components_per_class.values()) == {MAX_COMPONENTS}
    assert len(calls) <= 3 * MAX_COMPONENTS


def test_a_criterion_is_asked_for_by_name():
    assert criterion(1, "full") is None
    assert criterion("bic", "full") == criterion("bic", "bic") == "bic"
    assert criterion({"a": 2}, "cv") == "cv"
    with pytest.raises(ParameterError, match=r"'bic'.*'icl'.*the same one"):
        criterion("bic", "icl")


def ring_and_blob(rng, n=400):
    """Class "two" has two far clusters, round and small; class "one" has one."""
    y = rng.integers(2, size=n)
    side = rng.choice([-6.0, 6.0], size=n)
    X = rng.normal(size=(n, 2)) + np.where(y[:, None] == 1, np.column_stack([side, side]), 0.0)
    labels = np.where(y == 1, "two", "one").astype(object)
    labels[rng.random(n) > 0.2] = None
    return X, labels, y


@pytest.mark.parametrize("name", ["bic", "icl", "cv"])
def test_the_classifier_finds_the_components_of_each_class(name, rng):
    X, labels, _ = ring_and_blob(rng)
    tol = 1e-6 if name != "cv" else 1e-4  # nine candidates in five folds
    model = MixtureClassifier(
        components_per_class=name, covariance="spherical", max_iter=500, tol=tol, random_state=0
    )
    model.fit(X, labels)
    best = model.selection_[0]
    if name != "cv":  # cross-validation asks for good predictions, and those may need no further component
        assert best.components_per_class == {"one": 1, "two": 2}
    assert best.value == min(one.value for one in model.selection_)
    assert model.components_per_class == name, "a fit changes no parameter"
    np.testing.assert_array_equal(np.bincount(model.component_class_), [*best.components_per_class.values()])
    if name == "bic":
        assert model.bic(X, labels) == pytest.approx(best.value, rel=1e-12)


def test_bic_finds_the_shape_that_the_rows_have(rng):
    n = 600
    y = rng.integers(2, size=n)
    X = rng.normal(size=(n, 4)) * [1.0, 3.0, 0.5, 2.0] + 2.5 * y[:, None]
    model = MixtureClassifier(covariance="bic", shrinkage=0.0).fit(X, np.where(rng.random(n) < 0.3, y, -1))
    assert {one.covariance for one in model.selection_} == {"full", "tied", "diag", "spherical", "low_rank"}
    assert model.selection_[0].covariance in ("diag", "tied")
    assert model.mixture_.family.covariance.name == model.selection_[0].covariance


def test_too_many_components_for_the_rows_lose_instead_of_failing():
    X = np.array([[0.0], [0.0], [1.0], [1.0], [0.0], [1.0]])
    model = MixtureClassifier(components_per_class="bic", covariance="spherical").fit(X, [0, 0, 1, 1, -1, -1])
    assert model.selection_[0].components_per_class == {0: 1, 1: 1}
