"""Draw docs/_static/moons.svg, the picture of README and front page: ``python docs/figures/moons.py``.

Twenty tables of 600 rows, 8 of them labeled. A random forest learns from the labeled rows, ``AutoClassifier``
from all rows; both are judged on 2,000 new rows. The table in the picture is the one whose two errors are
nearest to the averages.
"""

import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier

from semigen import AutoClassifier

N_ROWS, LABELS_PER_CLASS, N_NEW, NOISE, N_TABLES = 600, 4, 2000, 0.12, 20
BLUE, ORANGE, GRAY = "#2f6db3", "#d9772b", "#9a9a9a"


def draw(seed):
    """Rows, labels with -1 where there is none, and new rows with their classes."""
    X, truth = make_moons(N_ROWS, noise=NOISE, random_state=seed)
    rng = np.random.default_rng(seed)
    y = np.full(N_ROWS, -1)
    for k in (0, 1):
        y[rng.choice(np.flatnonzero(truth == k), LABELS_PER_CLASS, replace=False)] = k
    return X, y, *make_moons(N_NEW, noise=NOISE, random_state=1000 + seed)


def fit(seed):
    """Both models of one table and their errors on new rows."""
    X, y, X_new, y_new = draw(seed)
    labeled = y != -1
    models = (
        RandomForestClassifier(300, random_state=0).fit(X[labeled], y[labeled]),
        AutoClassifier().fit(X, y),
    )
    return models, [np.mean(model.predict(X_new) != y_new) for model in models]


def picture(X, y, models, titles):
    """One panel per model: the rows, and the side of the boundary that each class has."""
    (low_x, low_y), (high_x, high_y) = X.min(axis=0) - 0.25, X.max(axis=0) + 0.25
    across, up = np.meshgrid(np.linspace(low_x, high_x, 160), np.linspace(low_y, high_y, 110))
    grid = np.column_stack([across.ravel(), up.ravel()])
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.5), sharex=True, sharey=True, layout="constrained")
    for panel, model, title in zip(panels, models, titles, strict=True):
        probability = model.predict_proba(grid)[:, 1].reshape(across.shape)
        panel.contourf(across, up, probability, levels=[0, 0.5, 1], colors=[BLUE, ORANGE], alpha=0.15)
        panel.contour(across, up, probability, levels=[0.5], colors="black", linewidths=1.5)
        panel.scatter(*X[y == -1].T, s=10, color=GRAY, linewidths=0, alpha=0.8)
        for k, color, mark in ((0, BLUE, "o"), (1, ORANGE, "s")):
            panel.scatter(*X[y == k].T, s=70, color=color, marker=mark, edgecolors="black", zorder=3)
        panel.set_title(title, fontsize=15.5, fontweight="bold")
        panel.set(xticks=[], yticks=[], xlim=(low_x, high_x), ylim=(low_y, high_y))
        panel.spines[:].set_visible(False)
    return figure


def main():
    """Fit all tables, draw the typical one, and print the averages for the caption."""
    warnings.simplefilter("error")
    fits = [fit(seed) for seed in range(N_TABLES)]
    errors = np.array([error for _, error in fits])
    mean = errors.mean(axis=0)
    typical = int(np.abs(errors - mean).sum(axis=1).argmin())
    X, y, *_ = draw(typical)
    titles = (
        f"Random forest: {errors[typical, 0]:.0%} error",
        f"AutoClassifier: {errors[typical, 1]:.0%} error",
    )
    with mpl.rc_context({"svg.hashsalt": "semigen", "svg.fonttype": "path"}):
        figure = picture(X, y, fits[typical][0], titles)
        target = Path(__file__).parent.parent / "_static/moons.svg"
        figure.savefig(target, facecolor="white", metadata={"Date": None, "Creator": None})
    print(f"mean error over {N_TABLES} tables: random forest {mean[0]:.1%}, AutoClassifier {mean[1]:.1%}")


if __name__ == "__main__":
    main()
