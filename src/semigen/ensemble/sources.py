"""An ensemble on a table larger than memory: a sample for all models, all rows for the mixture per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.columns import Schema
from semigen.columns.streams import ReadSource, StreamedRows
from semigen.columns.survey import learn_source, source_of
from semigen.em import as_engine
from semigen.ensemble.defaults import MIXTURE_PER_CLASS
from semigen.ensemble.pool import PoolClassifier
from semigen.estimators.adapters import prior_of


def sampled(
    X: Any, y: Any, sample_weight: Any, kinds: Any, unlabeled: Any, seed: int, engine: Any
) -> tuple[Any, Any, Any, ReadSource | None]:
    """Rows, labels and weights in memory: what was passed, or the sample of a source and the source.

    Raises
    ------
    LabelError
        If labels or weights are given beside a source.
    """
    source = source_of(X, y, sample_weight, as_engine(engine))
    if source is None:
        return X, y, sample_weight, None
    read = learn_source(source, kinds, unlabeled, sparse="words", seed=seed)
    sample = read.rows.sample
    weight = None if (sample.weight == 1).all() else sample.weight
    return read.table, sample.labels, weight, read


def of_few(engine: Any) -> Any:
    """The engine for rows in memory: threads, as by default, where it would send them to a cluster."""
    here = as_engine(engine)
    return engine if here.for_few is here else None


def learn_from_all(
    pool: PoolClassifier,
    rows: StreamedRows,
    schema: Schema,
    shares: NDArray[np.float64],
    where: Mapping[str, Any],
    run: Callable[[Callable[[], Any]], Any],
    *,
    in_time: bool,
) -> str:
    """Let the mixture per class go on from the sample to all rows of a source; what was done, in words.

    All unlabeled rows together weigh what those of the sample did, so that the model stays the one whose
    weight in the ensemble was learned. ``run`` calls what fits, and ``where`` has its engine and the folder
    where each iteration is noted.
    """
    about = (
        f"Learned from a source of {rows.n_rows:,} rows: models and weights from "
        f"{rows.sample.n_rows:,} of them ("
        f"{'all' if rows.holds_all_labeled else 'some'} labeled ones among them)"
    )
    mixture = pool.estimators_.get(MIXTURE_PER_CLASS)
    as_given = pool.forms_.get(MIXTURE_PER_CLASS) == "table"
    if mixture is None or not as_given or not in_time:
        why = "the time budget" if not in_time else "documents" if rows.is_sparse else "many columns"
        return f"{about}, the mixture per class, too ({why})."
    is_label = rows.labels.pattern_labeled
    of_sample, of_all = (one.where(~is_label).total_weight for one in (rows.sample, rows))
    given = mixture.unlabeled_weight
    whole = copy(mixture).set_params(
        unlabeled_weight=given * min(1.0, of_sample / of_all) if of_all else given,
        warm_start=True,
        **where,
    )
    before = {name: getattr(mixture, name) for name in ("warm_start", *where)}
    of_all_rows = ReadSource(schema, rows, rows.sample.x)
    whole = run(lambda: whole.fit(of_all_rows).set_params(**before))
    pool.estimators_[MIXTURE_PER_CLASS] = whole
    pool.priors_[MIXTURE_PER_CLASS] = prior_of(whole, pool.classes_, shares)
    return f"{about}, the mixture per class from all rows."
