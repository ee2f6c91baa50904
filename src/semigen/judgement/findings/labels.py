"""Labels that look wrong, classes that look like two, near-duplicates across labels, rare classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import softmax
from sklearn.mixture import GaussianMixture

from semigen.common.plain import plain
from semigen.evaluation.doubt import LOOK_WRONG, Doubts, label_doubts
from semigen.judgement.findings.records import Finding, counted
from semigen.judgement.held_out import OutOfFold
from semigen.judgement.study import FOREST, LOGISTIC, Study, name_of

NATS, LEAST = 8.0, 1e-3
N_NEAREST, NO_NEIGHBOR, LEAST_REACH = 10, 0.5, 1e-9
"""Nearest labeled rows, the weight of all classes alike beside them, and how far they are at least."""
MOST_SHOWN = 20
FEW, RARE_SHARE = 5, 0.03
MOST_LIKE, MOST_NAMED = 5, 5
"""Unlabeled rows that are named for a rare class, and rare classes in a sentence."""
TWIN_DISTANCE = 0.01
"""Of the median distance of two labeled rows."""
SURE = 0.8
LEAST_ROWS, MOST_AXES = 40, 5
APART, SMALL = 4.0, 0.15
"""Within-cluster standard deviations between two halves of a class, and the smaller half's share."""


def suspicious_labels(study: Study) -> Finding | None:
    """Labels that models which had not seen them find improbable, the most improbable first."""
    if study.held_out is None:
        return None
    rows, doubts = doubtful(study.held_out, study)
    names = study.labels.classes.tolist()
    listed = [
        {
            "row": int(study.rows[rows[i]]),
            "label": plain(names[study.held_out.code[i]]),
            "alternative": plain(names[doubts.alternative[i]]),
            "probability_wrong": float(doubts.wrong[i]),
        }
        for i in doubts.listed
    ]
    n, expected = len(rows), float(doubts.wrong.sum())
    evidence = {
        "n_rows": n,
        "n_doubtful": len(listed),
        "expected_wrong": expected,
        "rows": listed[:MOST_SHOWN],
    }
    if not listed:
        return Finding(LOOK_WRONG, "good", evidence, f"None of {counted(n, 'label')} looks wrong.")
    first, only = listed[0], len(listed) == 1
    which = f"{counted(len(listed), 'label')} of {n:,} look{'s' if only else ''} wrong"
    row = f"row {first['row']} (from 0)"
    return Finding(
        LOOK_WRONG,
        "caution",
        evidence,
        f"{which}{f': {row},' if only else f', first of all {row}:'} labeled {first['label']!r}, while "
        f"models that had not seen the label say {first['alternative']!r}. Check {'it' if only else 'them'}.",
    )


def doubtful(held_out: OutOfFold, study: Study) -> tuple[NDArray[np.intp], Doubts]:
    """Rows with labels, and the doubts about these.

    The probabilities are the geometric mean of those of the best mixture, a random forest (of sparse rows
    logistic regression) and the nearest labeled rows, all without the label, weighted by how well each
    predicts labels (e times less for ``NATS`` nats in all).
    """
    losses, code = held_out.comparison, held_out.code
    mixture = min(map(name_of, study.weights), key=lambda one: losses.score(one).log_loss.value)
    other = FOREST if FOREST in held_out.probs else LOGISTIC
    probs = np.array([held_out.probs[mixture], held_out.probs[other], nearest_labels(study, losses.rows)])
    log_probs = np.log(np.maximum(probs, LEAST))
    loss = -log_probs[:, np.arange(len(code)), code].sum(axis=1)
    pooled = softmax(np.tensordot(softmax(-loss / NATS), log_probs, 1), axis=1)
    return losses.rows, label_doubts(pooled, code)


def nearest_labels(study: Study, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Class probabilities by the labels of the nearest labeled rows, without a row's own, (m, K)."""
    distance = distances(study)
    np.fill_diagonal(distance, np.inf)
    reach = np.sort(distance, axis=1)[:, min(N_NEAREST, len(distance) - 1) - 1, None]
    weight = np.exp(-((distance / np.maximum(reach, LEAST_REACH)) ** 2))
    votes = weight @ np.eye(study.n_classes)[study.code] + NO_NEIGHBOR / study.n_classes
    probs: NDArray[np.float64] = votes / votes.sum(axis=1, keepdims=True)
    return probs[np.searchsorted(study.labeled, rows)]


def distances(study: Study) -> NDArray[np.float64]:
    """Of the labeled rows, each to each."""
    x: Any = study.plain[study.labeled]
    product = x @ x.T
    product = np.asarray(product if isinstance(product, np.ndarray) else product.toarray())
    square = product.diagonal()
    return np.asarray(np.sqrt(np.maximum(square[:, None] + square - 2 * product, 0.0)))


def classes_like_two(study: Study) -> Finding | None:
    """Classes whose rows fall into two distant groups."""
    if issparse(study.plain):
        return None
    numbers, posterior = np.asarray(study.plain), study.posterior[0.0]
    found = []
    for k, name in enumerate(study.labels.classes.tolist()):
        mine = np.flatnonzero(
            (study.labels.hard == k) | (~study.labels.is_labeled & (posterior[:, k] > SURE))
        )
        if len(mine) < LEAST_ROWS:
            continue
        x = numbers[mine] - numbers[mine].mean(axis=0)
        _, _, axes = np.linalg.svd(x, full_matrices=False)
        x = x @ axes[:MOST_AXES].T
        two = GaussianMixture(
            2, covariance_type="tied", n_init=2, reg_covar=1e-4, random_state=study.random_state
        ).fit(x)
        gap = two.means_[0] - two.means_[1]
        apart = float(np.sqrt(gap @ np.linalg.solve(two.covariances_, gap)))
        if apart > APART and two.weights_.min() > SMALL:
            found.append(
                {"class": plain(name), "distance": apart, "share_of_smaller": float(two.weights_.min())}
            )
    if not found:
        return None
    which = ", ".join(repr(one["class"]) for one in found)
    return Finding(
        "classes that look like two",
        "caution",
        {"classes": found},
        f"The rows of {which} fall into two distant groups: give {'it' if len(found) == 1 else 'them'} "
        f"two components "
        "(components_per_class), and check whether these are two classes.",
    )


def twins(study: Study) -> Finding | None:
    """Labeled rows that are nearly the same and have different labels."""
    distance = distances(study)
    upper = np.triu_indices(len(distance), 1)
    if not len(upper[0]):
        return None
    limit = TWIN_DISTANCE * float(np.median(distance[upper]))
    near = distance[upper] <= limit
    unlike = near & (study.code[upper[0]] != study.code[upper[1]])
    if not unlike.any():
        return None
    names = study.labels.classes.tolist()
    pairs = [
        {
            "rows": [int(study.rows[study.labeled[i]]), int(study.rows[study.labeled[j]])],
            "labels": [plain(names[study.code[i]]), plain(names[study.code[j]])],
        }
        for i, j in zip(upper[0][unlike], upper[1][unlike], strict=True)
    ]
    share = float(unlike.sum() / near.sum())
    first = pairs[0]
    return Finding(
        "near-duplicates across labels",
        "caution",
        {"n_pairs": len(pairs), "share_of_near_pairs": share, "pairs": pairs[:MOST_SHOWN]},
        f"{counted(len(pairs), 'pair')} of nearly equal rows have different labels, such as rows "
        f"{first['rows'][0]} and "
        f"{first['rows'][1]} (from 0; {first['labels'][0]!r} and {first['labels'][1]!r}): a label is "
        f"wrong, or a column is missing that tells them "
        "apart.",
    )


def rare_classes(study: Study) -> Finding | None:
    """Classes with few labels, or of a very small share, and the unlabeled rows that look most like them."""
    share = study.count / study.count.sum()
    probs = (study.probs[0.0] + study.logistic)[study.unlabeled]
    order = np.argsort(-probs, axis=0, kind="stable")[:MOST_LIKE]
    rare = [
        {
            "class": plain(name),
            "n_labeled": int(study.count[k]),
            "share": float(share[k]),
            "most_like": study.rows[study.unlabeled[order[:, k]]].tolist(),
        }
        for k, name in enumerate(study.labels.classes.tolist())
        if study.count[k] < FEW or share[k] < RARE_SHARE
    ]
    if not rare:
        return None
    rare.sort(key=lambda one: one["n_labeled"])
    first, few = rare[0], rare[0]["n_labeled"] < FEW
    named = [f"{one['class']!r} ({one['n_labeled']})" for one in rare]
    if len(named) > MOST_NAMED:
        named[MOST_NAMED - 1 :] = [f"{len(named) - MOST_NAMED + 1} more"]
    labels = f"of the {study.count.sum():,.0f} labels"
    what, so = (
        (f"Few {labels} are", "what is said of such a class is uncertain")
        if few
        else (f"A small share {labels} is", "accuracy hardly tells whether such a class is found")
    )
    return Finding(
        "rare classes",
        "caution" if first["n_labeled"] < 3 else "note",
        {"classes": rare},
        f"{what} of {', '.join(named)}: {so}. Label more such rows; most like {first['class']!r} are "
        f"{', '.join(map(str, first['most_like']))} (rows from 0).",
    )
