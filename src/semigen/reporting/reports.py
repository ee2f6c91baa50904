"""Reports of fitted classifiers: one record, shown as a page, in a notebook or as a file."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from semigen import columns
from semigen.columns.vectors import wide_frame
from semigen.common.plain import plain
from semigen.common.progress import Progress
from semigen.comparison import Comparison, Verdict, cross_validate, explain, judge
from semigen.data.labels import Labels, class_columns
from semigen.data.rows import count_rows
from semigen.data.weights import read_labels
from semigen.ensemble.auto import AutoClassifier
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS
from semigen.evaluation.splits import count_testable
from semigen.exceptions import LabelError
from semigen.io.files import written_at_once
from semigen.reporting.evidence import Evidence, held_out_of
from semigen.reporting.facts import (
    WITH,
    WITHOUT,
    about_ensemble,
    about_rows,
    class_rows,
    standings,
)
from semigen.reporting.held_out import with_advice
from semigen.reporting.page import html_page, missing_extra
from semigen.reporting.record import facts, sections

MOST_FOLDS = 5
_HEIGHT_IN_NOTEBOOK = 640


@dataclass(frozen=True)
class Report:
    """What a fitted classifier is worth: a record that JSON can hold, and a page made of it.

    Notebooks show the page; ``str`` is its verdict.

    Attributes
    ----------
    record : dict
        See ``to_dict``.
    """

    record: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.record['verdict']['text']}\nsave(path) writes the whole page."

    def to_dict(self) -> dict[str, Any]:
        """The record as plain Python values: the keys of ``summary.json``, which ``semigen fit`` writes."""
        return dict(self.record)

    def to_html(self) -> str:
        """The page: one HTML text that needs nothing else, neither files nor a network.

        Raises
        ------
        MissingExtraError
            If Jinja2 or matplotlib is not installed.
        """
        return html_page(self.record)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the page to a file.

        Parameters
        ----------
        path : str or path
        overwrite : bool, default=False
            Whether an existing file may be replaced.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is false.
        MissingExtraError
            If Jinja2 or matplotlib is not installed.
        """
        text = self.to_html()
        with written_at_once(Path(path), overwrite=overwrite) as unfinished:
            unfinished.write_text(text, encoding="utf-8")

    def _repr_html_(self) -> str:
        verdict = self.record["verdict"]["text"]
        if missing_extra() is not None:
            return f"<p>{escape(verdict)}</p><p>{escape(str(missing_extra()))}</p>"
        page = escape(self.to_html())
        return (
            f'<iframe title="semigen report" sandbox="allow-scripts" srcdoc="{page}" '
            f'style="width: 100%; height: {_HEIGHT_IN_NOTEBOOK}px; border: 0"></iframe>'
        )


class JsonAble(Protocol):
    """What has a record that JSON can hold."""

    def to_dict(self) -> dict[str, Any]:
        """The record."""
        ...


def report(
    estimator: Any,
    X: Any,
    y: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ids: Sequence[Any] | None = None,
    table: str | None = None,
    target: str = "class",
    unlabeled: Any = -1,
    advice: JsonAble | None = None,
    forecast: JsonAble | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """What a fitted classifier is worth, and what to do next: a page to read and to send on.

    :class:`semigen.AutoClassifier` has predictions for held-out rows from its fit. Any other classifier is
    fitted again on five folds and, where it has ``unlabeled_weight``, as often without the unlabeled rows.

    Parameters
    ----------
    estimator : classifier
        Fitted on X and y, with ``predict_proba``.
    X : array, sparse matrix or data frame of shape (n, D)
        The rows of the fit.
    y : array-like of shape (n,) or (n, K)
        Their labels, as the estimator read them.
    path : str or path, optional
        Where to write the page.
    sample_weight : array-like of shape (n,), optional
        The row weights of the fit.
    ids : sequence of length n, optional
        What to call the rows; their numbers from 0 otherwise.
    table : str, optional
        What to call the table; the name of the estimator's class otherwise.
    target : str, default="class"
        What to call the classes.
    unlabeled : scalar or None, default=-1
        The marker in y.
    advice, forecast : object with ``to_dict``, optional
        What ``semigen.advise`` and ``semigen.forecast`` returned for the table: parts of their own.
    overwrite : bool, default=False
        Whether ``path`` may be replaced.
    progress : callable, optional
        Called as ``progress(steps done, all steps, name)``.

    Returns
    -------
    Report

    Raises
    ------
    LabelError
        If X, y and ids are not of one length, or y has classes that the estimator has not learned.
    NotFittedError
        If the estimator is not fitted.
    MissingExtraError
        With ``path``, if Jinja2 or matplotlib is not installed.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import bundled_table
    >>> table = bundled_table("iris", labels_per_class=8, random_state=0)
    >>> auto = semigen.AutoClassifier(n_mixtures=8).fit(table.X, table.y)
    >>> report = semigen.report(auto, table.X, table.y, target="species")
    >>> record = report.to_dict()
    >>> record["n_rows"], record["n_unlabeled"]
    (150, 126)
    >>> record["held_out"]["classes"][0]["class"]
    'setosa'
    """
    check_is_fitted(estimator)
    begin, n_rows = time.perf_counter(), count_rows(X)
    labels, weight = read_labels(y, unlabeled, sample_weight, X)
    if ids is not None and len(ids) != n_rows:
        raise LabelError(f"ids has {len(ids)} values, but X has {n_rows} rows: give one per row.")
    known = np.asarray(estimator.classes_)
    strange = labels.classes[class_columns(labels.classes, known) < 0]
    if strange.size:
        raise LabelError(
            f"y has the classes {strange.tolist()!r:.200}, which the estimator has not learned: its classes "
            f"are {known.tolist()!r:.200}. Fit it to these labels, or mark such rows as unlabeled."
        )
    n_unlabeled = int((~labels.is_labeled & (weight > 0)).sum())
    comparison, pair, verdict, used = _judged(estimator, X, y, labels, sample_weight, unlabeled, n_unlabeled)
    read = estimator.read(X) if hasattr(estimator, "read") else X
    about = about_rows(estimator, read)
    evidence = Evidence(
        estimator,
        X,
        _codes(labels, estimator.classes_),
        np.asarray(estimator.predict_proba(read)),
        range(n_rows) if ids is None else ids,
        "row" if ids is None else "id",
        held_out_of(estimator, comparison, pair),
        about["log_density"] if "novelty" in about else None,
        used,
    )
    found = sections(evidence, progress)
    for name, extra in (("advice", advice), ("learning_curve", forecast)):
        if extra is not None:
            found[name] = extra.to_dict()
    found = with_advice(found, evidence)
    found["model_card"]["seconds"] = round(time.perf_counter() - begin, 1)
    made = Report(
        {**_facts(evidence, labels, table, target, comparison, pair[0], verdict, n_unlabeled), **found}
    )
    if path is not None:
        made.save(path, overwrite=overwrite)
    return made


def _judged(
    estimator: Any, X: Any, y: Any, labels: Labels, sample_weight: Any, unlabeled: Any, n_unlabeled: int
) -> tuple[Comparison | None, tuple[str, str], Verdict, bool]:
    """Held-out scores, the names of model and twin in them, the verdict, and whether unlabeled rows count."""
    if isinstance(estimator, AutoClassifier):
        used = estimator.unlabeled_used_
        pair = (ALL_MODELS, SUPERVISED_MODELS) if used else (SUPERVISED_MODELS, ALL_MODELS)
        return estimator.validation_, pair, estimator.verdict_, used
    own = getattr(estimator, "comparison_", None)
    if own is not None and {WITH, WITHOUT} & set(own.names):  # of a deep classifier, which held out folds
        used = estimator.unlabeled_weight_ > 0
        return own, (WITH, WITHOUT) if used else (WITHOUT, WITH), estimator.verdict_, used
    used = getattr(estimator, "unlabeled_weight", 1.0) != 0.0
    compared = None
    estimators = {WITH: clone(estimator)}
    if hasattr(estimator, "unlabeled_weight") and used and n_unlabeled:
        estimators[WITHOUT] = clone(estimator).set_params(unlabeled_weight=0.0)
    if count_testable(labels.hard) >= MOST_FOLDS:
        compared = cross_validate(
            estimators, X, y, sample_weight=sample_weight, n_splits=MOST_FOLDS, unlabeled=unlabeled
        )
    twin = compared if WITHOUT in estimators else None
    return compared, (WITH, WITHOUT), judge(twin, WITH, WITHOUT, n_unlabeled=n_unlabeled), used


def _codes(labels: Labels, classes: Any) -> Any:
    """The class of rows that have exactly one, by its place among those of the model, -1 otherwise, (n,)."""
    of_class = np.append(class_columns(labels.classes, np.asarray(classes)), -1)
    return of_class[labels.hard]


def _facts(
    evidence: Evidence,
    labels: Labels,
    table: str | None,
    target: str,
    comparison: Comparison | None,
    saved: str,
    verdict: Verdict,
    n_unlabeled: int,
) -> dict[str, Any]:
    """What the command line says of a fit, too."""
    model = evidence.model
    ensemble = about_ensemble(model) if isinstance(model, AutoClassifier) else {}
    names = [one["name"] for one in ensemble.get("models", ())]
    given = Counter(evidence.classes[k] for k in evidence.code if k >= 0)
    predicted = Counter(evidence.classes[k] for k in evidence.predicted)
    return facts(
        {} if table is None else {"table": table},
        target=target,
        n_rows=len(labels),
        n_unlabeled=int((~labels.is_labeled).sum()),
        labeled=class_rows(given),
        columns=_columns(evidence),
        model={
            "name": None,
            "estimator": type(model).__name__,
            "trained_on": WITH if evidence.uses_unlabeled else WITHOUT,
            "seed": plain(getattr(model, "random_state", None)),
            **ensemble,
        },
        comparison=comparison,
        why_not_compared=None if comparison is not None else "Too few labeled rows could be held out.",
        verdict=verdict,
        text=explain(verdict, n_unlabeled),
        standing=standings(comparison, saved, names),
        predicted=class_rows(predicted),
    )


def _columns(evidence: Evidence) -> list[dict[str, Any]]:
    """What each column is, by the schema of the model where it has one."""
    schema = getattr(evidence.model, "schema_", None)
    frame = wide_frame(evidence.features)
    used = {} if schema is None else {str(name): kind for name, kind in schema.input_kinds.items()}
    if frame is not None:
        described = (asdict(one) for one in columns.describe(evidence.features))
        became = {} if schema is None else {str(one.name): f"became {one.encoder}" for one in schema.several}
        return [
            {
                **one,
                "kind": used.get(one["name"], one["kind"]),
                "use": one["name"] in used or schema is None,
                "reason": became.get(one["name"], one["reason"]),
            }
            for one in described
        ]
    table = evidence.table
    if schema is None or table is None or issparse(table.matrix):
        return []  # words have no page of their own
    missing = np.isnan(table.matrix).sum(axis=0)
    return [
        {
            "name": str(one.name),
            "kind": used[str(one.name)],
            "use": True,
            "reason": "",
            "n_missing": int(missing[one.first]),
            "n_distinct": None,
        }
        for one in schema.inputs
    ]
