"""What an unlabeled row is worth: theory against simulation, some minutes (``--long``).

For two Gaussian classes with common covariance, equal proportions and Mahalanobis distance Δ, the error of
the fitted linear rule exceeds Bayes' by c/N with N labeled rows. With N_l labeled and N_u unlabeled rows
it is as if there were N_l + ARE · N_u labeled rows, ARE = .101, .359, .657 for Δ = 2, 3, 4 (O'Neill 1978,
*JASA* 73:821).
"""

import numpy as np
import pytest
from scipy.stats import norm

from semigen import MixtureClassifier

EFFICIENCY = {2: 0.101, 3: 0.359, 4: 0.657}


def excess_error(model, distance, dimension):
    """Exact error of the linear rule on the true classes, less Bayes' error."""
    mean = np.zeros(dimension)
    mean[0] = distance / 2
    weight = np.linalg.solve(model.covariances_[0], model.means_[1] - model.means_[0])
    center = model.means_.mean(axis=0)
    offset = np.log(model.class_prior_[1] / model.class_prior_[0]) - weight @ center
    size = np.linalg.norm(weight)
    wrong_high = norm.cdf(-(weight @ mean + offset) / size)
    wrong_low = norm.cdf((-weight @ mean + offset) / size)
    return 0.5 * (wrong_high + wrong_low) - norm.cdf(-distance / 2)


def draw(rng, n, distance, dimension):
    y = rng.integers(2, size=n)
    X = rng.normal(size=(n, dimension))
    X[:, 0] += (y - 0.5) * distance
    return X, y


@pytest.mark.long
@pytest.mark.parametrize("distance", [2, 3, 4])
def test_unlabeled_rows_are_worth_what_theory_says(distance):
    dimension, n_labeled, n_unlabeled, repeats = 2, 400, 2000, 1500
    equivalent = round(n_labeled + EFFICIENCY[distance] * n_unlabeled)
    rng = np.random.default_rng(distance)
    with_unlabeled, supervised = [], []
    for _ in range(repeats):
        X, y = draw(rng, n_labeled + n_unlabeled, distance, dimension)
        y[n_labeled:] = -1
        model = MixtureClassifier(
            covariance="tied", shrinkage=0, unlabeled_weight=1.0, tol=1e-9, max_iter=3000
        ).fit(X, y)
        with_unlabeled.append(excess_error(model, distance, dimension))
        X, y = draw(rng, equivalent, distance, dimension)
        model = MixtureClassifier(covariance="tied", shrinkage=0).fit(X, y)
        supervised.append(excess_error(model, distance, dimension))
    ratio = np.mean(with_unlabeled) / np.mean(supervised)
    relative = [np.std(v) / np.mean(v) / np.sqrt(repeats) for v in (with_unlabeled, supervised)]
    noise = 2 * ratio * np.hypot(*relative)
    print(
        f"Δ = {distance}: excess error {ratio:.3f} of its equivalent's, ± {noise:.3f} (two standard errors)"
    )
    assert noise < 0.1, "too few repeats to tell"
    assert ratio - noise > 0.8
    assert ratio + noise < 1.2
