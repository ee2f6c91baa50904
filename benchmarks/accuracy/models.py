"""What is compared: method names of the results, how each is made and what it reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pandas import DataFrame
from scipy.sparse import issparse
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC

from benchmarks.accuracy import ablations, heavy, learning, mixed
from benchmarks.accuracy.splits import GIVEN, NUMBERS, UNLABELED, Cell, Split
from benchmarks.accuracy.textbook import TextbookEM
from semigen.ensemble.auto import AutoClassifier
from semigen.ensemble.safe import SafeClassifier
from semigen.estimators.classifiers import RidgeLogistic
from semigen.mixture import MixtureClassifier
from semigen.representation import HybridClassifier, PlainColumns

AUTO = "auto"
SHAPES = ("full", "tied", "diag", "low_rank")
WEIGHTS = (0.0, 0.1, 1.0)
TEXTBOOK = "shrinkage=0"
COARSE = "shrinkage=0, tol=1e-5"
TWIN = "textbook-numpy"
TWIN_FLOOR = "textbook-numpy-floor"
FEW_COLUMNS = 1000
"""Methods that hold matrices of columns × columns run up to here."""

ALL = ("tables", "sslbook", "newsgroups", "permuted")
NOTHING = "shuffled"
"""The suite of tables whose columns carry nothing."""
EVERYDAY = ("mixed", "packages", "unseen", NOTHING)
"""Suites of tables as people have them."""
FREQUENCIES, SHARES = "label frequencies", "class shares"
EVERYWHERE = (*ALL, *EVERYDAY)
NUMERIC = ("tables", "sslbook", "permuted")
DEVELOPMENT = ("tables", "sslbook", "newsgroups")


@dataclass(frozen=True)
class Method:
    """How a classifier is made and what it is given.

    Attributes
    ----------
    make : callable
    suites : tuple of str
        Where it runs.
    form : str
        Of the rows (:class:`benchmarks.accuracy.splits.Split`): as given, ``"numbers"`` (of documents
        sublinear tf-idf, of mixed tables one-hot columns), or ``"unit"`` for neighbors.
    labeled_only : bool
        Whether it is given the labeled rows alone.
    sparse : bool or None
        Whether it reads sparse rows as they are; None: it runs on sparse rows only.
    few_columns : bool
        Whether it holds matrices of columns × columns.
    needs : str
        A package that it needs; where that is not installed it is skipped and named.
    file : str
        An environment variable with a file that it needs; where there is none it is skipped and named.
    kept : callable or None
        Its fits are kept in files: from a suite and a cell its classes, probabilities and seconds.
    change : callable or None
        Done to the fitted classifier. Methods that have one, and the same ``make``, share their fits.
    """

    make: Callable[[], Any]
    suites: tuple[str, ...] = ALL
    form: str = GIVEN
    labeled_only: bool = False
    sparse: bool | None = True
    few_columns: bool = False
    needs: str = ""
    file: str = ""
    kept: Callable[[str, Cell], tuple[Any, Any, float]] | None = None
    change: Callable[[Any], None] | None = None

    @property
    def problem(self) -> str:
        """Why it cannot run here; empty if it can."""
        if self.needs and find_spec(self.needs) is None:
            return f"the package {self.needs} is not installed"
        if self.file and not Path(os.environ.get(self.file, "")).is_file():
            return f"the variable {self.file} names no file"
        return ""

    def rows(self, split: Split) -> tuple[Any, Any] | None:
        """What it is fitted on and judged on; None if it cannot run on these data."""
        X, X_test = split.rows(self.form)
        if (self.few_columns and X.shape[1] > FEW_COLUMNS) or (self.sparse is None and not issparse(X)):
            return None
        return (X.toarray(), X_test.toarray()) if issparse(X) and self.sparse is False else (X, X_test)

    def fit(self, X: Any, y: Any) -> Any:
        """A fitted classifier."""
        if self.labeled_only:
            labeled = y != UNLABELED
            X, y = _with_values(X[labeled]), y[labeled]
        return self.make().fit(X, y)


def _with_values(X: Any) -> Any:
    """Rows of which a column of numbers without any value is 0: histogram boosting refuses it."""
    if not isinstance(X, DataFrame):
        return X
    empty = [name for name in X.select_dtypes("number") if X[name].isna().all()]
    return X.assign(**dict.fromkeys(empty, 0.0)) if empty else X


_regression = partial(LogisticRegression, max_iter=1000)
_labeled = partial(Method, form=NUMBERS, labeled_only=True)
_mixed = partial(Method, suites=EVERYDAY, labeled_only=True)

OURS: dict[str, Method] = {
    AUTO: Method(AutoClassifier, EVERYWHERE, kept=learning.judged),
    "mixture": Method(MixtureClassifier, NUMERIC, sparse=False, few_columns=True),
    "hybrid": Method(HybridClassifier),
    "safe": Method(lambda: SafeClassifier(MixtureClassifier(covariance="tied")), form=NUMBERS),
}
MIXTURES: dict[str, Method] = {
    f"{shape} λ={weight:g}": Method(
        partial(MixtureClassifier, covariance=shape, unlabeled_weight=weight),
        NUMERIC if shape == "tied" else ("tables", "sslbook"),
        sparse=False,
        few_columns=shape != "diag",
    )
    for shape in SHAPES
    for weight in WEIGHTS
} | {
    f"multinomial λ={weight:g}": Method(
        partial(MixtureClassifier, family="multinomial", unlabeled_weight=weight),
        ("sslbook", "newsgroups"),
        form=NUMBERS,
        sparse=None,
    )
    for weight in WEIGHTS
}
ABLATIONS = {
    name: Method(AutoClassifier, DEVELOPMENT, change=change) for name, change in ablations.CHANGES.items()
} | {"auto λ=1": Method(ablations.FullWeight, DEVELOPMENT)}
BASELINES: dict[str, Method] = {
    "RF": _labeled(partial(RandomForestClassifier, 200, random_state=0), EVERYWHERE),
    "LogReg": _labeled(_regression, EVERYWHERE),
    "LDA-shrink": _labeled(
        partial(LinearDiscriminantAnalysis, solver="lsqr", shrinkage="auto"),
        (*NUMERIC, *EVERYDAY),
        few_columns=True,
    ),
    "1NN": Method(partial(KNeighborsClassifier, 1), form="unit", labeled_only=True),
    "LabelSpreading": Method(partial(LabelSpreading, kernel="knn"), EVERYWHERE, form="unit"),
    "SelfTrain-LR": Method(
        lambda: SelfTrainingClassifier(_regression(), threshold=0.9), EVERYWHERE, form=NUMBERS
    ),
    "SVM": _labeled(partial(SVC, probability=True, random_state=0)),
    "GaussNB": _labeled(GaussianNB, ("tables", "permuted")),
    "LogReg C=10": _labeled(partial(_regression, C=10), ("newsgroups",)),
    "MultinomialNB": Method(partial(MultinomialNB, alpha=0.1), ("newsgroups",), labeled_only=True),
    "ComplementNB": _labeled(ComplementNB, ("newsgroups",)),
}
"""Settings that give the published means, on mixed tables scikit-learn's. Of documents they read sublinear
tf-idf, MultinomialNB counts. The published logistic regression of documents has C = 10; C = 1 is better."""
HEAVY: dict[str, Method] = {
    "HistGB": _mixed(
        partial(
            HistGradientBoostingClassifier,
            min_samples_leaf=5,
            categorical_features="from_dtype",
            random_state=0,
        ),
        form=mixed.NATIVE,
    ),
    "CatBoost": _mixed(heavy.CatBoost, form=mixed.NATIVE, needs="catboost"),
    "RealMLP": _mixed(heavy.real_mlp, form=mixed.NATIVE, needs="pytabkit"),
    "TabM": _mixed(heavy.tab_m, form=mixed.NATIVE, needs="pytabkit"),
    "TabICL": _mixed(heavy.tab_icl, form=mixed.NATIVE, needs="tabicl", file=heavy.WEIGHTS),
}
"""Of mixed tables, with categories and gaps as they are."""
CONSTANT: dict[str, Method] = {
    FREQUENCIES: _labeled(partial(DummyClassifier, strategy="prior"), (NOTHING,)),
    SHARES: Method(DummyClassifier, (NOTHING,), kept=learning.shares),
}
"""The same probabilities for every row: labels as counted, and what AutoClassifier makes of the counts."""
SINGLE: dict[str, Method] = {
    "logistic regression alone": Method(
        lambda: HybridClassifier(PlainColumns(), RidgeLogistic(1.0)), ("permuted",)
    ),
    "extra trees alone": Method(
        lambda: HybridClassifier(PlainColumns(), ExtraTreesClassifier(random_state=0)), ("permuted",)
    ),
}
"""Supervised models like those of the ensemble, each alone."""
RECIPE: dict[str, Method] = {
    TEXTBOOK: Method(
        partial(MixtureClassifier, shrinkage=0, covariance="full", unlabeled_weight=1.0, calibrate=1.0),
        ("tables", "sslbook"),
        sparse=False,
        few_columns=True,
    ),
    COARSE: Method(
        partial(
            MixtureClassifier,
            shrinkage=0,
            covariance="full",
            unlabeled_weight=1.0,
            calibrate=1.0,
            tol=1e-5,
        ),
        ("tables",),
    ),
    TWIN: Method(TextbookEM, ("tables",)),
    TWIN_FLOOR: Method(partial(TextbookEM, floor=True), ("tables",)),
}

GROUPS: dict[str, Mapping[str, Method]] = {
    "semigen": OURS,
    "mixtures": MIXTURES,
    "ablations": ABLATIONS,
    "single": SINGLE,
    "baselines": BASELINES,
    "heavy": HEAVY,
    "constant": CONSTANT,
    "recipe": RECIPE,
}
METHODS: dict[str, Method] = {name: one for group in GROUPS.values() for name, one in group.items()}
RANKED = (*OURS, *MIXTURES, *SINGLE, *BASELINES, *HEAVY)
"""Methods that a user could pick: variants of one of them would crowd the ranks."""


def for_suite(suite: str) -> dict[str, Method]:
    """The methods that run on a suite."""
    return {name: one for name, one in METHODS.items() if suite in one.suites}


def of_auto(method: str) -> bool:
    """Whether it is AutoClassifier or a variant of it."""
    return method == AUTO or method in ABLATIONS
