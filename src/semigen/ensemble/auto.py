"""The default classifier: generative and discriminative models, weighted by held-out labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from semigen import columns
from semigen.columns import ReadTable
from semigen.common.checks import flag_or_auto, integer
from semigen.common.notices import warn
from semigen.common.progress import Clock, Progress
from semigen.common.threads import one_blas_thread, thread_count
from semigen.comparison import Comparison, Verdict
from semigen.data.weights import class_rows, class_shares, read_labels
from semigen.em import Data, Engine
from semigen.ensemble.deep_models import DEEP, ToTry, deep_to_try, explain_deep, settle_deep
from semigen.ensemble.defaults import SUPERVISED, default_weights, models, models_of_words
from semigen.ensemble.explained import explanation
from semigen.ensemble.fit_rows import FitRows
from semigen.ensemble.fitted import FittedEnsemble
from semigen.ensemble.forms import FormedRows, Forms, learn_forms, seconds_to_predict
from semigen.ensemble.harm import agreement
from semigen.ensemble.pool import PoolClassifier
from semigen.ensemble.settle import settle
from semigen.ensemble.shifts import about_parting, dependence_shift
from semigen.ensemble.sources import learn_from_all, of_few, sampled
from semigen.ensemble.training import JUDGED_UNLABELED
from semigen.estimators.base import TableClassifier
from semigen.evaluation.dependence import DEPENDENCE_SHIFT
from semigen.exceptions import DatasetShiftWarning
from semigen.families import as_modeled, choose
from semigen.mixture.checkpoints import Kept, at_once
from semigen.mixture.parameters import class_prior
from semigen.representation import MixtureEnsembleFeatures
from semigen.representation.plain import one_scale

Array = NDArray[np.float64]
Run = Callable[[Callable[[], Any]], Any]
"""Calls what fits, or gives what it gave before an interruption."""

RIDGE = 20.0
SHARE_OF_MIXTURES = 0.4
"""Of a time budget."""


class AutoClassifier(FittedEnsemble, TableClassifier, BaseEstimator):
    """The default classifier of semigen: for tables of any kind, with few labels or many.

    An ensemble (:class:`semigen.PoolClassifier`) of classifiers that fail in different ways: ridge regression
    on mixture features, the responsibilities of many mixtures fitted without labels
    (:class:`semigen.MixtureEnsembleFeatures`), and on graph features
    (:class:`semigen.representation.NeighborGraph`); label spreading over the same graph
    (:class:`semigen.representation.GraphSpreading`); a mixture per class, fitted by EM with unlabeled rows at
    a tenth of the weight; logistic regression, extra trees, boosted trees and another mixture per class on
    the labeled rows alone. For documents (sparse rows) there are the mixture features, the mixture per class
    with unlabeled rows at three tenths of the weight, and logistic regression on the words and on their
    principal components; for long texts beside other columns, both these models of their words and those of
    the other columns. The ensemble adds what the models make of the columns to the class shares that are
    assumed (``class_prior``), so that these count once. The weights of the models, and how confident the
    ensemble is, are learned on held-out labels. Where these show that the unlabeled rows hurt
    (:class:`semigen.comparison.Verdict`), the models that use them are left out, and ``explanation_`` says
    so.

    Parameters
    ----------
    n_mixtures : int, default=48
        Mixtures of the mixture features.
    kinds : str, dict {column: kind} or None, default=None
        How columns are read, where the inferred kind is wrong: "number", "count", "flag", "category", "text",
        "date" or "id" (not used); see :func:`semigen.columns.learn`. Of text up to 30 features of its words
        are used, the words themselves where there are 20 or more in the mean, or a few of its letters (names,
        ZIP codes), and of dates their time and their place in the year, the week and the day; a warning says
        so where ``kinds`` does not. A sparse matrix, or a data frame of text only, has documents.
    class_prior : {"shared", "unlabeled", "uniform"}, array (K,) or dict {class: share}, default="shared"
        The class shares that predictions assume. "shared": labeled rows were drawn as all rows are, so their
        counts say how frequent the classes are; a few uneven ones only a little. "unlabeled": the labeled
        rows were chosen by their class, so that their counts say nothing, and the shares are learned from the
        unlabeled rows. "uniform": all classes are equally frequent. An array (in the order of ``classes_``),
        a dict or a series of pandas (by class): known shares. See :class:`semigen.PoolClassifier`.
    time_budget : float or None, default=None
        Seconds for a fit and for predicting its rows, roughly: mixtures, folds and models that cannot be
        finished in time are left out, and ``explanation_`` says so. Results then depend on the speed of the
        machine. None: no limit.
    shared_scale : bool or "auto", default="auto"
        Whether columns of numbers are coordinates of one space in which distances mean something, such as the
        latents of :class:`semigen.deep.VAEFeatures` or embeddings: they keep the ratios of their scales.
        "auto": where they look like pixels, of which some hardly vary (``shared_scale_``).
    deep : bool or "auto", default=False
        Whether M2 and the K+1 GAN (:class:`semigen.deep.VAEClassifier`, :class:`semigen.deep.GANClassifier`)
        are tried, too. They are kept only if held-out rows show that they make the ensemble better, which
        takes a minute or more; in a time budget they are tried if half of it is enough. "auto": where the
        extra ``deep`` is installed.
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabeled.
    n_jobs : int or None, default=None
        Number of threads of predictions; None or -1: one for each processor. A fit takes two at most, as more
        would not make it faster. Results do not depend on it.
    random_state : int, RandomState or None, default=0
    engine : Engine or None, default=None
        Where the rows of mixtures are computed. None: threads. A cluster gets the rows of a source, not those
        in memory. Results do not depend on it.
    checkpoint : str, path or None, default=None
        A folder for a file of what a fit has done, written every half minute or so: representations, models,
        folds, and each iteration over all rows of a source. The same fit, after an interruption, goes on
        from there; with other rows or parameters it is refused. Removed at the end.
    verbose : int or None, default=None
        1 prints the steps, 0 is silent; None: on a terminal one line, after two seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    models_ : tuple of PoolModel
        The models with their weights, held-out scores and seconds; by weight, the largest first.
    weights_ : dict {name: float}
    class_prior_ : ndarray of shape (K,)
        The class shares that predictions assume.
    validation_ : Comparison or None
        Accuracy and log-loss on held-out labeled rows of the ensemble (``"all models"``), of the same
        ensemble trained on the labeled rows alone (``"supervised models"``) and of each model. The weights of
        an ensemble for each fold are learned on the other folds. None where no row could be held out.
    verdict_ : Verdict
        Whether the unlabeled rows helped, from ``validation_``, and how likely they did harm.
    unlabeled_used_ : bool
        False where models that use unlabeled rows are left out: they probably make predictions worse, or with
        ``dependence_shift_`` could not be shown to make them better.
    agreement_ : float or None
        Correlation over unlabeled rows of what the mixture features and the mixture per class say of classes:
        where there are such clusters, both find them. None without unlabeled rows.
    supervised_share_ : float
        Share of the weights that the ensemble trained on the labeled rows alone has: from 0, where the
        probability of harm in ``verdict_`` is 30 % or less, to 1, where it is 70 % or more or held-out
        labels show harm.
    dependence_shift_ : bool
        Whether columns are correlated in the labeled rows but not in the unlabeled ones, as if each column
        had been shuffled on its own, by tests at the 5 % level; a warning says so, too. Not tested for sparse
        rows, nor with fewer than 5 labeled or 30 unlabeled rows, nor where the rows are all combinations of a
        few values, whose columns are uncorrelated by design.
    deep_standing_ : Standing or None
        The ensemble with deep models beside itself without them; None where none was tried.
    shared_scale_ : bool
        Whether columns keep the ratios of their scales.
    stopped_early_ : bool
        Whether the time budget ended the fit before all mixtures, folds and models were there.
    explanation_ : str
        Which models the predictions rest on and what the unlabeled rows changed, in words. Where many
        unlabeled rows lie outside of the labeled ones in a column, as in time or between places, it says so,
        as a warning does (``DatasetShiftWarning``).
    pool_ : PoolClassifier
        The ensemble.
    class_rows_ : ndarray of shape (K,)
        Weight of the labeled rows of each class.
    n_unlabeled_ : int
        Unlabeled rows of positive weight.
    log_densities_ : ndarray or None
        What :meth:`novelty` compares with: log p(x) of rows of the fit, at most 10,000, in increasing order.
    schema_ : Schema
        Names, kinds and levels of the columns, what text and dates became, and in ``schema_.notes`` what was
        assumed of the columns.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only for data frames with text names.

    Notes
    -----
    Of more than 64 columns the mixtures per class read the principal axes and the distance from them (of a
    table larger than memory: of more than 2,000). Of more than 10,000 rows the mixture features are fitted on
    as many drawn at random, of more than 16,000 the graph, of more than 100,000 the mixture per class; of
    more than 20,000 labeled rows the models learn from as many, drawn class by class.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(5, 300, distance=3, random_state=0)
    >>> auto = semigen.AutoClassifier(n_mixtures=12).fit(data.X, data.y)
    >>> print(auto.explanation_)  # doctest: +ELLIPSIS
    Weights of the models: ...
    On 5 held-out labeled rows: ...
    Unlabeled rows helped: ...
    """

    _left_out: tuple[str, ...] = ()  # models that a subclass does without

    def __init__(
        self,
        *,
        n_mixtures: int = 48,
        kinds: Any = None,
        class_prior: Any = "shared",
        time_budget: float | None = None,
        shared_scale: Any = "auto",
        deep: Any = False,
        unlabeled: Any = -1,
        n_jobs: int | None = None,
        random_state: Any = 0,
        engine: Engine | None = None,
        checkpoint: Any = None,
        verbose: int | None = None,
    ) -> None:
        self.n_mixtures = n_mixtures
        self.kinds = kinds
        self.class_prior = class_prior
        self.time_budget = time_budget
        self.shared_scale = shared_scale
        self.deep = deep
        self.unlabeled = unlabeled
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.engine = engine
        self.checkpoint = checkpoint
        self.verbose = verbose

    @one_blas_thread()  # waking another one takes longer than most products do
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from labeled and unlabeled rows.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D), or RowSource
            NaN, None and NA are missing values. Of a table larger than memory
            (:func:`semigen.data.from_files`) models learn from the labeled rows and 100,000 unlabeled ones
            drawn at random, the mixture per class from all rows.
        y : array-like of shape (n,) or (n, K), or Labels, or None
            Labels with markers, or label probabilities / candidate sets over K classes; None for a source.
        sample_weight : array-like of shape (n,) or None
            Row weights; a weight of 1 is one row. The models count a labeled row of weight 2 as two, but the
            representations of all rows (mixtures, graph, axes) do not know weights, so a row given twice is
            another random draw than one of weight 2. A row of weight 0 is left out altogether.
        progress : callable, optional
            Called as ``progress(steps done, all steps, what was done)`` after each step.

        Returns
        -------
        self
        """
        integer("n_mixtures", self.n_mixtures, minimum=1)
        flag_or_auto("deep", self.deep)
        thread_count(self.n_jobs)
        clock = Clock(self.time_budget, self.verbose, progress)
        seed = check_random_state(self.random_state).randint(2**31)
        rows = self._read(X, y, sample_weight, seed)
        labels, weight = rows.learned.labels, rows.learned.weight
        prior = class_prior(self.class_prior, labels.classes)
        kept = Kept.of(self, rows.source, rows.given, seed)
        run = at_once if kept is None else kept.run
        self.classes_ = labels.classes
        self.class_rows_ = class_rows(labels, weight)
        self.n_unlabeled_: int | None = rows.n_unlabeled
        self.forms_ = self._learn_forms(rows, clock, seed, run)
        formed = self.forms_.of(rows.table)
        deep = deep_to_try(self.deep, clock.left(), seed, formed, labels, weight)
        pool = self._pool(len(rows.table), clock, seed, deep.models, rows.source is not None)
        self.pool_ = pool.fit_in_runs(
            formed,
            labels,
            None if (weight == 1).all() else weight,
            progress=clock.after(len(rows.parts) * self.n_mixtures),
            run=run,
            most_unlabeled=JUDGED_UNLABELED,
        )
        about_source = self._learn_from_all(rows, run)
        self.log_densities_ = self._densities_of_some(rows.table)
        self.dependence_shift_ = dependence_shift(rows, self.forms_, seed)
        parted = about_parting(rows)
        for said in (DEPENDENCE_SHIFT if self.dependence_shift_ else None, parted):
            if said is not None:
                warn(said, DatasetShiftWarning)
        about_deep = self._settle_deep(deep)
        self._settle(formed, rows)
        pool.assume_prior(prior, formed, labels, weight)
        self.class_prior_ = pool.class_prior_
        self.weights_ = pool.weights_
        self.models_ = tuple(replace(one, uses_unlabeled=one.name not in SUPERVISED) for one in pool.models_)
        self.stopped_early_ = self.forms_.stopped_early or pool.stopped_early_
        self.explanation_ = explanation(self, about_source, parted, about_deep)
        if kept is not None:
            kept.forget()
        return self

    def _read(self, X: Any, y: Any, sample_weight: ArrayLike | None, seed: int) -> FitRows:
        """Rows, labels and weights; what the columns are."""
        X, y, sample_weight, source = sampled(
            X, y, sample_weight, self.kinds, self.unlabeled, seed, self.engine
        )
        read = columns.learn_table(X, self.kinds, sparse="words", documents=True)
        schema, matrix = read.schema, read.matrix
        self.schema_ = as_modeled(choose("auto", "diag", schema, sparse=issparse(matrix)), schema)
        self.shared_scale_ = one_scale(self.shared_scale, schema, matrix)
        validate_data(self, X if source is None else source.shown, skip_check_array=True)
        labels, weight = read_labels(y, self.unlabeled, sample_weight, X)
        return FitRows.of(self.schema_, Data(matrix, labels, weight), read.words, source, seed)

    def _learn_forms(self, rows: FitRows, clock: Clock, seed: int, run: Run) -> Forms:
        """Learn the representations of all rows, and those of the words of long texts among their columns."""
        steps = clock.first(len(rows.parts) * self.n_mixtures)

        def learned(number: int, table: ReadTable, counted: ReadTable) -> Forms:
            mixtures = MixtureEnsembleFeatures(
                self.n_mixtures,
                min_components=len(self.classes_),
                time_budget=clock.left(SHARE_OF_MIXTURES / len(rows.parts)),
                n_jobs=self.n_jobs,
                random_state=seed,
                engine=of_few(self.engine),
                shared_scale=self.shared_scale_,
            )

            def step(done: int, total: int) -> None:
                steps(number * self.n_mixtures + done, total)

            return learn_forms(table, counted, mixtures, seed, self.n_jobs, step, run)

        forms, *of_words = (learned(number, *part) for number, part in enumerate(rows.parts))
        if of_words:
            forms = replace(forms, documents=of_words[0])
        if clock.budget is not None:
            clock.reserve(seconds_to_predict(forms, rows.table, len(rows.given.weight)))
        return forms

    def _pool(self, n_rows: int, clock: Clock, seed: int, deep: list[Any], streamed: bool) -> PoolClassifier:
        """The ensemble before it is fitted."""
        forms, sparse = self.forms_, self.forms_.plain.sparse_
        n_features, n_classes = self.schema_.n_features, len(self.classes_)
        plain = models(
            forms,
            n_rows,
            n_features,
            seed,
            sparse=sparse,
            streamed=streamed,
            all_labeled=self.n_unlabeled_ == 0,
            engine=of_few(self.engine),
        )
        if documents := forms.documents:
            plain += models_of_words(documents, n_rows, seed, of_few(self.engine))
        default = default_weights(
            sparse=sparse, n_features=n_features, n_classes=n_classes, documents=documents is not None
        )
        kept = [name for name in default if name not in self._left_out]
        return PoolClassifier(
            [*(one for one in plain if one[0] in kept), *deep],
            weights={name: default[name] for name in kept} | {name: 0.0 for name, *_ in deep},
            ridge=RIDGE,
            time_budget=clock.left(),
            unlabeled=None,
            random_state=seed,
        )

    def _learn_from_all(self, rows: FitRows, run: Run) -> str | None:
        """Let the mixture per class go on to all rows of a source; what was done, in words."""
        if rows.source is None:
            return None
        return learn_from_all(
            self.pool_,
            rows.source.rows,
            self.schema_,
            class_shares(rows.learned.labels, rows.learned.weight),
            {"engine": self.engine, "checkpoint": self.checkpoint},
            run,
            in_time=self.time_budget is None,
        )

    def _settle_deep(self, deep: ToTry) -> list[str]:
        """Keep deep models if they make the ensemble better; what came of them, in words."""
        seconds = sum(one.seconds for one in self.pool_.models_ if one.name in DEEP)
        self.deep_standing_ = settle_deep(self.pool_)
        return explain_deep(self.deep_standing_, seconds, deep.left_out)

    def _settle(self, formed: FormedRows, rows: FitRows) -> None:
        """Weigh the models by what held-out labels, and two models' agreement, say of the unlabeled rows."""
        pool = self.pool_
        held_out = replace(
            pool.held_out_,
            rows=rows.place[pool.held_out_.rows],
            n_labeled=rows.n_labeled,
            n_unlabeled=rows.n_unlabeled,
        )
        self.agreement_ = agreement(pool, formed, rows.learned.labels, rows.learned.weight)
        settled = settle(
            held_out,
            {name: (pool.weights or {})[name] for name in pool.estimators_},
            pool.ridge,
            self.dependence_shift_,
            self.agreement_,
            self.schema_.n_features + rows.n_words,
        )
        self.validation_: Comparison | None = settled.validation
        self.verdict_: Verdict = settled.verdict
        self.unlabeled_used_ = settled.unlabeled_used
        self.supervised_share_ = pool.supervised_share_ = settled.supervised_share
        pool.reweight(settled.weights)
