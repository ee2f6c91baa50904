"""Values removed at random from real tables: exact EM, and imputation before the fit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer

from benchmarks.accuracy.splits import tables
from benchmarks.columns.fits import HEADLINE, Fits, Study, mean_sd, paragraph, percent, targets
from benchmarks.markdown import table
from semigen.mixture import MixtureClassifier

Array = NDArray[np.float64]

DATA = {"wine": 30, "wdbc": 20, "digits": 5}
"""Seeds: more where test rows are few, fewer where a fit takes long."""
LABELS = 10
SHARE = 0.2
SHAPES = ("tied", "full", "diag")
WEIGHTS = (1.0, 0.1)
METHODS = {
    "complete": "no missing values",
    "exact": "exact",
    "iterative": "IterativeImputer",
    "mean": "SimpleImputer",
}


def fits(seeds: int) -> Iterator[dict[str, Any]]:
    for data, most in DATA.items():
        for seed in range(min(seeds, most)):
            yield from _fits(data, seed)


def _fits(data: str, seed: int) -> Iterator[dict[str, Any]]:
    split = tables(data, LABELS, seed)
    rng = np.random.default_rng([seed, 1])
    gone, gone_test = (rng.random(x.shape) < SHARE for x in (split.X, split.X_test))
    X, X_test = np.where(gone, np.nan, split.X), np.where(gone_test, np.nan, split.X_test)
    tried = [_Table("complete", split.X, X_test), _Table("exact", X, X_test)]
    for method, imputer in (("iterative", IterativeImputer(random_state=seed)), ("mean", SimpleImputer())):
        begin = time.perf_counter()
        filled = imputer.fit_transform(X), imputer.transform(X_test)
        took = time.perf_counter() - begin
        tried.append(_Table(method, *filled, took, _rmse(filled[0], split.X, gone)))
    for covariance in SHAPES:
        for weight in WEIGHTS:
            for one in tried:
                begin = time.perf_counter()
                model = MixtureClassifier(covariance=covariance, unlabeled_weight=weight).fit(one.X, split.y)
                error = np.mean(model.predict(one.X_test) != split.y_test)
                took = time.perf_counter() - begin + one.seconds
                rmse = _rmse(model.impute(X), split.X, gone) if one.method == "exact" else one.rmse
                yield {
                    "data": data,
                    "covariance": covariance,
                    "weight": f"{weight:g}",
                    "method": one.method,
                    "seed": seed,
                    "err": percent(error),
                    "err_complete": percent(np.mean(model.predict(split.X_test) != split.y_test)),
                    "rmse": round(rmse, 5),
                    "seconds": round(took, 3),
                    "n_iter": model.n_iter_,
                }


@dataclass(frozen=True)
class _Table:
    """What a method makes of a table: rows to fit, incomplete test rows, seconds and RMSE of imputation."""

    method: str
    X: Array
    X_test: Array
    seconds: float = 0.0
    rmse: float = float("nan")


def _rmse(filled: Array, truth: Array, gone: NDArray[np.bool_]) -> float:
    return float(np.sqrt(np.mean((filled - truth)[gone] ** 2)))


def page(found: Fits) -> list[str]:
    return [
        paragraph(
            f"""{LABELS} labels per class; {100 * SHARE:.0f} % of the values of training rows are removed
            at random, and of test rows unless these are called complete. “No missing values” is fitted to
            complete training rows and “exact” to those with missing values; the imputers, fitted on all
            training rows, fill them in first. Seeds: {_seeds(found)}."""
        ),
        "",
        *targets(_targets(found)),
        "### Error on test rows with missing values",
        "",
        _errors(found, "err"),
        "",
        "### Error on complete test rows",
        "",
        _errors(found, "err_complete"),
        "",
        "### RMSE of imputed training values, in standard deviations of the columns",
        "",
        _rmses(found),
        "",
        "### Seconds of imputation, fit and prediction",
        "",
        _seconds(found),
        "",
    ]


def _seeds(found: Fits) -> str:
    return ", ".join(
        f"{data} {len(found.where(data=data).distinct('seed'))}" for data in found.distinct("data")
    )


def _targets(found: Fits) -> list[tuple[str, str, bool]]:
    def less(data: str, ours: str, measure: str, other: str, theirs: str) -> Array:
        mine = found.where(data=data, covariance=HEADLINE, weight="1")
        return mine.values(measure, method=ours) - mine.values(theirs, method=other)

    lines = []
    for data in ("wine", "wdbc"):
        for rows, ours, theirs in (
            ("both on test rows with missing values", "err", "err"),
            ("both on complete test rows", "err_complete", "err_complete"),
            ("that one on complete test rows", "err", "err_complete"),
        ):
            loss = less(data, "exact", ours, "complete", theirs)
            what = f"{data}: at most 1 point above the fit to complete rows, {rows}"
            lines.append((what, mean_sd(loss, sign="+"), bool(loss.mean() <= 1)))
    gains = {data: less(data, "exact", "err", "iterative", "err") for data in found.distinct("data")}
    better = [data for data, gain in gains.items() if gain.mean() < 0]
    seen = "; ".join(f"{data} {mean_sd(gain, sign='+')}" for data, gain in gains.items())
    lines.append(("error below IterativeImputer's on 2 of 3", seen, len(better) >= 2))
    for data in gains:
        mine = found.where(data=data, covariance=HEADLINE, weight="1")
        ours, theirs = (mine.values("rmse", method=method).mean() for method in ("exact", "iterative"))
        what = f"{data}: RMSE at most IterativeImputer's"
        lines.append((what, f"{ours:.3f} against {theirs:.3f}", bool(ours <= theirs)))
    return [(f"{what} ({HEADLINE}, λ=1)", seen, reached) for what, seen, reached in lines]


def _errors(found: Fits, measure: str) -> str:
    lines = []
    for name, mine in _models(found):
        errors = {method: mine.values(measure, method=method) for method in METHODS}
        exact = errors["exact"]
        extra = [mean_sd(exact - errors[method], sign="+") for method in ("complete", "iterative")]
        lines.append([name, *map(mean_sd, errors.values()), *extra])
    head = ["data, model", *METHODS.values(), "exact minus complete", "exact minus IterativeImputer"]
    return table(head, lines)


def _rmses(found: Fits) -> str:
    models = list(dict.fromkeys(name.split(" ", 1)[1] for name, _ in _models(found)))
    named = dict(_models(found))
    lines = []
    for data in found.distinct("data"):
        of_data = found.where(data=data, covariance=HEADLINE, weight="1")
        cells = [mean_sd(of_data.values("rmse", method=method), 3) for method in ("mean", "iterative")]
        for model in models:
            mine = named.get(f"{data} {model}", Fits([]))
            cells.append(mean_sd(mine.values("rmse", method="exact"), 3))
        lines.append([data, *cells])
    return table(["data", METHODS["mean"], METHODS["iterative"], *models], lines)


def _seconds(found: Fits) -> str:
    lines = []
    for name, mine in _models(found):
        times = [mine.values("seconds", method=method).mean() for method in METHODS]
        iterations = mine.values("n_iter", method="exact").mean()
        lines.append([name, *(f"{seconds:.2f}" for seconds in times), f"{iterations:.0f}"])
    return table(["data, model", *METHODS.values(), "iterations, exact"], lines)


def _models(found: Fits) -> Iterator[tuple[str, Fits]]:
    for data in found.distinct("data"):
        of_data = found.where(data=data)
        for covariance in of_data.distinct("covariance"):
            for weight in of_data.distinct("weight"):
                yield (
                    f"{data} {covariance} λ={weight}",
                    of_data.where(covariance=covariance, weight=weight),
                )


STUDY = Study("holes", "Missing values in real tables", max(DATA.values()), fits, page)
