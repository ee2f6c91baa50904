"""``python -m benchmarks.judgement.ensembles``: do models that use unlabeled rows help the default ensemble?

Each fit of the bank of `benchmarks.accuracy` is a case: the test rows say whether the ensemble or its
supervised models predict better. The probability of harm of a case comes from coefficients that were learned
without its table and its relatives; so do its default weights.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from benchmarks import records
from benchmarks.accuracy import bank, mixed, packages
from benchmarks.accuracy import learning as default_weights
from benchmarks.judgement import learning
from benchmarks.judgement.bank import RESULTS
from benchmarks.judgement.learning import Lines, outcomes
from benchmarks.markdown import table
from semigen.comparison import decide, lean
from semigen.ensemble.auto import RIDGE
from semigen.ensemble.defaults import for_columns, supervised_weights
from semigen.ensemble.harm import SIGNS, harm_signs
from semigen.ensemble.held_out import pooled
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS, crossfitted_pair

Array = NDArray[np.float64]

CASES, PAGE = RESULTS / "ensembles.csv", RESULTS / "ensembles.md"
SUITES = ("mixed", "packages", "tables", "sslbook")
DIGITS = 5
BINS = (0.0, 0.1, 0.25, 0.4, 0.6, 0.75, 1.0)
DAMAGE = 0.05


def measured(suite: str, data: str, n_labeled: int, seed: int) -> dict[str, object] | None:
    """Signs of one fit and what its test rows say; None where nothing is unlabeled or held out."""
    one = bank.entry(suite, data, n_labeled, seed)
    held_out, names = one.held_out, one.names.tolist()
    if not held_out.n_unlabeled or one.agreed is None:
        return None
    weights = for_columns(default_weights.learned_without(data), one.n_features)
    start = {name: weights[name] for name in names}
    alone = supervised_weights(start)
    pair = crossfitted_pair(held_out, start, RIDGE)
    signs = harm_signs(held_out, pair[ALL_MODELS], pair[SUPERVISED_MODELS], one.agreed, one.n_features)
    validation = held_out.validation(pair)
    if signs is None or validation is None:
        return None
    kept = np.array([name in alone for name in names])
    log_with, log_without = (
        pooled(one.log_prior, one.evidence[models].astype(float), some.pool_weights(given, RIDGE))
        for models, some, given in (
            (np.full(len(names), True), held_out, np.array(list(start.values()))),
            (kept, held_out.only(kept), np.array(list(alone.values()))),
        )
    )
    change = (log_without - log_with)[np.arange(len(one.code)), one.code]
    error_with, error_without = (log.argmax(axis=1) != one.code for log in (log_with, log_without))
    difference = validation.difference(ALL_MODELS, SUPERVISED_MODELS)
    return {
        "suite": suite,
        "name": data,
        "labels": n_labeled,
        "seed": seed,
        "log_loss_change": round(float(change.mean()), DIGITS),
        "log_loss_error": round(float(change.std() / np.sqrt(len(change))), DIGITS),
        "error_change": round(float(error_with.mean() - error_without.mean()), DIGITS),
        "interval": decide(difference),
        "held_out_change": round(difference.log_loss.value, DIGITS),
        **{name: round(float(sign), DIGITS) for name, sign in zip(SIGNS, signs, strict=True)},
    }


def measure() -> list[dict[str, str]]:
    """All fits of the bank, as they are written to the file."""
    found = []
    for path in sorted(bank.folder().glob("*.npz")):
        suite, rest = path.stem.split("-", 1)
        data, n_labeled, seed = rest.rsplit("-", 2)
        dense = data not in default_weights.DOCUMENTS and not data.startswith(mixed.SHUFFLED)
        if suite in SUITES and dense:
            line = measured(suite, data, int(n_labeled), int(seed))
            if line is not None:
                found.append({name: str(value) for name, value in line.items()})
    return found


def read() -> list[dict[str, str]]:
    """The cases of the file."""
    return records.read(CASES)


def lines(rows: Sequence[dict[str, str]]) -> Lines:
    """As cases that a prior is learned from."""
    return Lines(
        rows,
        SIGNS,
        np.array([[float(row[name]) for name in SIGNS] for row in rows]),
        np.array([default_weights.RELATIVES.get(row["name"], row["name"]) for row in rows]),
        *outcomes(rows),
        np.full(len(rows), True),
    )


def learn(data: Lines) -> Array:
    """Intercept and weights of the signs, by logistic regression on signs of unit variance.

    A case whose test rows hardly decide it counts for both outcomes, by ``1 / (1 + exp(-z))``. Tables that no
    choice may see are left out.
    """
    data = data.take(~np.isin(data.group, list(packages.JUDGED_ONLY)))
    mean, scale = data.x.mean(axis=0), data.x.std(axis=0)
    x, harmful = (data.x - mean) / scale, expit(data.z)
    weight = learning.by_group(data) / learning.by_group(data).mean()
    model = LogisticRegression().fit(
        np.vstack([x, x]),
        np.repeat([True, False], len(x)),
        sample_weight=np.concatenate([weight * harmful, weight * (1 - harmful)]),
    )
    weights = model.coef_[0] / scale
    return np.concatenate([model.intercept_ - weights @ mean, weights])


def left_out(data: Lines) -> Array:
    """The probability of harm of each case, from coefficients learned without its table, (n,)."""
    found = np.empty(len(data.rows))
    for one in np.unique(data.group):
        out = data.group == one
        intercept, *weights = learn(data.take(~out))
        found[out] = expit(intercept + data.x[out] @ weights)
    return found


def page(rows: Sequence[dict[str, str]]) -> str:
    """Tables in Markdown."""
    data = lines(rows)
    harm = left_out(data)
    leaning = np.array([lean(one) for one in harm.tolist()])
    suite, labels = data.column("suite"), data.numbers("labels")
    groups = {"all": np.full(len(rows), True)}
    groups |= {"damage above 5 points": data.numbers("error_change") > DAMAGE}
    groups |= {
        f"mixed tables, {n} labels per class": (suite == "mixed") & (labels == n) for n in (5, 20, 100)
    }
    unseen = np.isin(data.group, list(packages.JUDGED_ONLY))
    groups |= {
        f"R packages, {n} labels per class": (suite == "packages") & (labels == n) for n in (5, 20, 100)
    }
    groups |= {"of these, not learned from": unseen}
    groups |= {"bundled tables": suite == "tables", "SSL book": suite == "sslbook"}
    interval, sign = data.column("interval"), np.where(data.numbers("held_out_change") > 0, "hurt", "helped")
    verdicts = [
        [
            name,
            str(int((mine & data.clear).sum())),
            f"{100 * data.harmful[mine & data.clear].mean():.0f} %",
            *(cell for one in (leaning, interval, sign) for cell in _judged(data, one, mine)),
        ]
        for name, mine in groups.items()
    ]
    reliability = [
        [
            f"{100 * low:.0f}–{100 * high:.0f} %",
            str(int(mine.sum())),
            f"{100 * harm[mine].mean():.0f} %",
            f"{100 * data.harmful[mine].mean():.0f} %",
        ]
        for low, high in pairwise(BINS)
        if (mine := (harm >= low) & (harm < high)).any()
    ]
    coefficients = ", ".join(
        f"{name} {value:.3g}" for name, value in zip(("intercept", *SIGNS), learn(data), strict=True)
    )
    head = [
        "cases",
        "n",
        "harmed",
        "decided",
        "right",
        "95 % interval: decided",
        "right",
        "sign: decided",
        "right",
    ]
    return "\n".join(
        [
            "# Does the default ensemble gain by unlabeled rows?",
            "",
            _INTRODUCTION.format(n=len(rows), tables=len(set(data.group))),
            "",
            table(head, verdicts),
            "",
            "## Is the stated probability of harm right?",
            "",
            table(["said", "n", "mean said", "harmed"], reliability),
            "",
            f"Over all tables: {coefficients}.",
            "",
        ]
    )


def _judged(data: Lines, said: NDArray[np.str_], mine: NDArray[np.bool_]) -> list[str]:
    """Share of the clear cases in which something is said, and how often that is right."""
    clear = mine & data.clear
    decided = clear & (said != "unclear")
    right = (said == "hurt") == data.harmful
    known = f"{100 * right[decided].mean():.0f} %" if decided.any() else "–"
    return [f"{100 * decided[clear].mean():.0f} %", known]


_INTRODUCTION = """\
Log-loss on test rows of `AutoClassifier` and of the same ensemble of supervised models: {n} fits of {tables}
tables (relatives count as one) from the bank of `benchmarks.accuracy`; n counts those whose test rows decide
beyond two standard errors. *Decided* is the share in which the probability of harm in `verdict_` has odds of
4 : 1 for help or 3 : 1 for harm or more, for coefficients and default weights that were learned without the
table; beside it the 95 % interval of the held-out difference and its sign alone."""


def main() -> None:
    """Read the bank, write the cases and the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judgement.ensembles", description=__doc__)
    parser.add_argument("--bank", type=Path, help="folder of finished fits; none: only write the page")
    options = parser.parse_args()
    if options.bank is not None:
        bank.point_to(options.bank)
        found = measure()
        with CASES.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found)
    data = lines(read())
    group = np.array([default_weights.group(name) for name in data.column("name")])
    without = [learn(data.take(group != one)).tolist() for one in range(default_weights.N_GROUPS)]
    default_weights.write(default_weights.HARM, learn(data).tolist(), without)
    text = page(read())
    print(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
