"""Laws of semi-supervised classifiers: what any of them should do with labels, weights and rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from semigen.testing.trials import Array, obey

Table = tuple[Array, NDArray[Any], NDArray[Any]]


def table(random_state: int = 0) -> Table:
    """Rows of two classes, labels with -1 for most of them, and the true classes."""
    rng = np.random.default_rng(random_state)
    truth = np.arange(80) % 2
    X = rng.normal(size=(80, 3)) + np.array([4.0, 0.0, -2.0]) * truth[:, None]
    return X, np.where(np.arange(80) < 24, truth, -1), truth


def probabilities_are_finite_and_sum_to_one(estimator: Any) -> None:
    """Also of rows far from all others: markers of missing values such as 1e36, and numbers up to 1e300."""
    X, y, _ = table()
    model = _fitted(estimator, X, y)
    far = np.array([1e4, 1e8, 1e20, 9.97e36, -3.4e38, 1e100, 1e200, -1e300])[:, None]
    along = np.array([1.0, 0.0, 2.0])  # the classes differ along (4, 0, -2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.predict_proba(np.vstack([X, far * np.ones(3), far * along, far * np.eye(3)[1]]))
    assert found.shape == (80 + 3 * len(far), 2)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-9)


def classes_are_what_was_written(estimator: Any) -> None:
    """Numbers with gaps or fractions, text and dates, sorted; predictions are of the same type."""
    X, y, _ = table()
    days = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]").tolist()
    for names in (
        np.array([3, 7]),
        *(np.array(pair, dtype=object) for pair in (["no", "yes"], [1.5, 2.5], days)),
    ):
        labels = names[np.maximum(y, 0)].astype(object)
        labels[y == -1] = -1 if names.dtype.kind == "i" else None
        model = _fitted(estimator, X, labels.astype(int) if names.dtype.kind == "i" else labels)
        assert model.classes_.tolist() == names.tolist()
        assert set(model.predict(X).tolist()) <= set(names.tolist())


def the_order_of_classes_does_not_matter(estimator: Any) -> None:
    """Where two classes change their names, so do predictions, but for rows near the border."""
    X, y, _ = table()
    wanted = _fitted(estimator, X, y).predict(X)
    found = _fitted(estimator, X, np.where(y == -1, -1, 1 - y)).predict(X)
    assert np.mean(found == 1 - wanted) > 0.95


def predictions_are_the_most_probable_classes(estimator: Any) -> None:
    """``predict`` and ``predict_proba`` agree."""
    X, y, _ = table()
    model = _fitted(estimator, X, y)
    np.testing.assert_array_equal(model.predict(X), model.classes_[model.predict_proba(X).argmax(axis=1)])


def a_row_is_predicted_the_same_whatever_rows_are_beside_it(estimator: Any) -> None:
    """Their order and number do not matter."""
    X, y, _ = table()
    model = _fitted(estimator, X, y)
    wanted, order = model.predict_proba(X), np.random.default_rng(1).permutation(len(X))
    np.testing.assert_allclose(model.predict_proba(X[order]), wanted[order], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(X[:1]), wanted[:1], rtol=1e-6, atol=1e-9)


def predictions_draw_no_random_numbers(estimator: Any) -> None:
    """Twice the same, and NumPy's stream is left as it was."""
    X, y, _ = table()
    model = _fitted(estimator, X, y)
    before = str(np.random.get_state(legacy=False))  # noqa: NPY002
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    assert str(np.random.get_state(legacy=False)) == before  # noqa: NPY002


def unlabeled_rows_are_no_class(estimator: Any) -> None:
    """The marker is not among the classes, and its rows are predicted as known classes."""
    X, y, truth = table()
    model = _fitted(estimator, X, y)
    assert model.classes_.tolist() == [0, 1]
    assert np.mean(model.predict(X) == truth) > 0.8


def the_rows_given_are_left_as_they_are(estimator: Any) -> None:
    """Neither ``fit`` nor ``predict_proba`` writes to them."""
    X, y, _ = table()
    rows, labels = X.copy(), y.copy()
    _fitted(estimator, rows, labels).predict_proba(rows)
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(labels, y)


def rows_without_any_label_are_refused(estimator: Any) -> None:
    """With an error that speaks of labels."""
    X, y, _ = table()
    message = None
    try:
        _fitted(estimator, X, np.full_like(y, -1))
    except ValueError as error:
        message = str(error)
    assert message is not None, "a table without a single label was fitted"
    assert "label" in message.lower(), f"the error does not speak of labels: {message}"


CLASSIFIER_LAWS: tuple[Callable[[Any], None], ...] = (
    probabilities_are_finite_and_sum_to_one,
    classes_are_what_was_written,
    the_order_of_classes_does_not_matter,
    predictions_are_the_most_probable_classes,
    a_row_is_predicted_the_same_whatever_rows_are_beside_it,
    predictions_draw_no_random_numbers,
    unlabeled_rows_are_no_class,
    the_rows_given_are_left_as_they_are,
    rows_without_any_label_are_refused,
)


def check_classifier(estimator: Any) -> None:
    """Check that a semi-supervised classifier obeys the laws of all of semigen's.

    To see each law as a test of its own, parametrize a test over ``CLASSIFIER_LAWS``, functions of an
    estimator.

    Parameters
    ----------
    estimator : classifier
        With ``fit``, ``predict`` and ``predict_proba``; -1 and None mark unlabeled rows. It is cloned.

    Raises
    ------
    AssertionError
        If a law does not hold.
    """
    obey(CLASSIFIER_LAWS, estimator)


def _fitted(estimator: Any, X: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(estimator).fit(X, y)
