"""Long texts beside other columns: posts of 20 Newsgroups put together with columns and with tables.

Nothing of the test split is used: ``BESIDE`` of :mod:`semigen.ensemble.defaults` was chosen on other draws of
rows, groups and labels than those that are judged here.
"""

from __future__ import annotations

import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks import environment
from benchmarks.accuracy import mixed
from benchmarks.columns.fits import Fits
from benchmarks.markdown import table
from benchmarks.text import newsgroups
from semigen import AutoClassifier

SEEDS = (2, 3)
LABELS = (5, 20, 100)
MOST_ROWS = 2000
LONGEST = 3000
TEXT = "text of the post"
USELESS, FACTS = "useless", "facts"
OURS, TEXT_ALONE, COLUMNS_ALONE = "AutoClassifier", "the text alone", "the columns alone"
LOGISTIC, FOREST = "logistic regression", "forest"
METHODS = (OURS, TEXT_ALONE, COLUMNS_ALONE, LOGISTIC, FOREST)
CASES = (
    ("2 groups", USELESS, 0.0),
    ("6 groups", USELESS, 0.0),
    ("4 groups", FACTS, 0.0),
    ("german", "", 0.0),
    ("german", "", 0.7),
    ("hpc", "", 0.5),
    ("attrition", "", 0.85),
    ("segment", "", 0.7),
    ("wachurn", "", 1.0),
)
"""A number of groups with useless columns or with facts about each post; or a table, whose classes have a
group each, and the share of its rows whose post is of any of these groups."""

ABOUT = """\
Training posts of 20 Newsgroups, at most 2,000 rows, 30 % of them to judge on, labels drawn at random. *Useless*: one
column of noise; *facts*: five numbers of each post (length, lines, quoted lines, capital letters, questions). A table:
its classes have a newsgroup each, and so many of its rows a post of any of these groups. “The text alone” and “the
columns alone” are the same classifier on a part of the columns; logistic regression reads tf-idf words, the forest
(300 trees) 30 components of them, both beside imputed one-hot columns. Cells are error in % / log-loss in nats.
"""  # noqa: E501

Labels = NDArray[np.intp]


def posts(path: Path | None) -> pd.DataFrame:
    """Training posts (``text``) without header lines, and their ``group``.

    Raises
    ------
    newsgroups.NoTextsError
        If they are not on this machine.
    """
    texts, groups, training = newsgroups.texts(path)
    bodies = [text.partition("\n\n")[2][:LONGEST] for text in texts[training]]
    frame = pd.DataFrame({"text": bodies, "group": groups[training]})
    return frame[frame.text.str.strip().str.len() > 20]


def rows_of(every: pd.DataFrame, case: tuple[str, str, float], seed: int) -> tuple[pd.DataFrame, Labels]:
    """Columns, the text among them, and classes."""
    name, columns, share = case
    rng = np.random.default_rng([zlib.crc32(repr(case).encode()), seed])
    names = np.array(sorted(every.group.unique()))
    if columns:
        kept = every[every.group.isin(rng.choice(names, int(name.split()[0]), replace=False))]
        kept = kept.sample(min(len(kept), MOST_ROWS), random_state=seed)
        texts = kept.text.to_numpy()
        X = _facts(texts) if columns == FACTS else pd.DataFrame({"useless": rng.normal(size=len(kept))})
        return X.assign(**{TEXT: texts}), np.unique(kept.group, return_inverse=True)[1].astype(np.intp)
    X, y = mixed.read(name)
    some = rng.permutation(len(y))[:MOST_ROWS]
    X, y = X.iloc[some].reset_index(drop=True), y[some]
    groups = rng.choice(names, y.max() + 1, replace=False)
    said = np.where(rng.random(len(y)) < share, rng.choice(groups, len(y)), groups[y])
    texts = np.empty(len(y), dtype=object)
    for group in groups:
        mine = np.flatnonzero(said == group)
        texts[mine] = rng.choice(every.text[every.group == group].to_numpy(), len(mine))
    return X.assign(**{TEXT: texts}), y


def fits(path: Path | None, seeds: tuple[int, ...], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """A row for each case, number of labels per class, draw and method."""
    every, stamp, rows = posts(path), environment.stamp(), []
    for seed in seeds:
        for case in CASES:
            X, y = rows_of(every, case, seed)
            for per_class in LABELS:
                found = _fits(X, y, per_class, seed)
                what = {"case": case[0], "columns": case[1], "mixed_up": case[2]}
                rows += [
                    {**what, "labels": per_class, "seed": seed, "method": method, **one, **stamp}
                    for method, one in found.items()
                ]
                errors = ", ".join(f"{method} {one['error']:.3f}" for method, one in found.items())
                say(f"  {case}, {per_class} labels, draw {seed}: {errors}")
    return rows


def _fits(X: pd.DataFrame, y: Labels, per_class: int, seed: int) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng([seed, per_class])
    order = rng.permutation(len(y))
    n_test = round(mixed.TEST_SHARE * len(y))
    test, train = order[:n_test], order[n_test:]
    labeled = train[mixed.draw(y[train], per_class, rng)]
    shown = np.full(len(y), mixed.UNLABELED)
    shown[labeled] = y[labeled]
    found = {}
    for method, part in ((OURS, X), (TEXT_ALONE, X[[TEXT]]), (COLUMNS_ALONE, X.drop(columns=TEXT))):
        begin = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = AutoClassifier(verbose=0).fit(part.iloc[train], shown[train])
        seconds = time.perf_counter() - begin
        found[method] = _scores(model.predict_proba(part.iloc[test]), model.classes_, y[test], seconds)
    for method, peer in peers(X).items():
        begin = time.perf_counter()
        peer.fit(X.iloc[labeled], y[labeled])
        seconds = time.perf_counter() - begin
        found[method] = _scores(peer.predict_proba(X.iloc[test]), peer.classes_, y[test], seconds)
    return found


def peers(X: pd.DataFrame) -> dict[str, Any]:
    """What a user would build of scikit-learn: words beside imputed one-hot columns."""
    words = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    few = make_pipeline(words, TruncatedSVD(30, random_state=0))
    names = [name for name in X.columns if name != TEXT]
    return {
        LOGISTIC: make_pipeline(
            make_column_transformer((words, TEXT), (mixed.one_hot(), names)),
            LogisticRegression(max_iter=1000),
        ),
        FOREST: make_pipeline(
            make_column_transformer((few, TEXT), (mixed.one_hot(), names)),
            RandomForestClassifier(300, random_state=0),
        ),
    }


def _scores(probs: Any, classes: Any, y: Labels, seconds: float) -> dict[str, float]:
    every = np.full((len(y), y.max() + 1), 1e-6)
    every[:, classes[classes <= y.max()]] = probs[:, classes <= y.max()]
    every = np.clip(every, 1e-6, None)
    every /= every.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    return {
        "error": round(float((every.argmax(axis=1) != y).mean()), 5),
        "log_loss": round(float(-np.log(every[rows, y]).mean()), 5),
        "seconds": round(seconds, 2),
    }


def _facts(texts: NDArray[Any]) -> pd.DataFrame:
    lines = [text.split("\n") for text in texts]
    return pd.DataFrame(
        {
            "characters": [len(text) for text in texts],
            "lines": [len(one) for one in lines],
            "quoted lines": [sum(line.startswith(">") for line in one) for one in lines],
            "capital letters": [sum(map(str.isupper, text)) / len(text) for text in texts],
            "questions": [text.count("?") for text in texts],
        }
    )


def page(found: Fits) -> str:
    """Means of each budget, and every case."""
    stamps = sorted({(row["date"], row["commit"]) for row in found.rows})
    seeds = ", ".join(found.distinct("seed"))
    parts = [
        "# Long texts beside other columns",
        "",
        "Written by `python -m benchmarks.text --beside`.",
        "Measured " + ", ".join(f"{date} at {commit}" for date, commit in stamps) + f", draws {seeds}.",
        "",
        ABOUT,
        "",
        "## Mean over the cases",
        "",
        table(
            ["labels per class", *METHODS],
            [[str(n), *(_cell(found.where(labels=n), method) for method in METHODS)] for n in LABELS],
        ),
    ]
    for case in CASES:
        what = f"{case[0]}, {case[1]}" if case[1] else f"{case[0]}, {case[2]:.0%} of the posts mixed up"
        mine = found.where(case=case[0], columns=case[1], mixed_up=case[2])
        rows = [[str(n), *(_cell(mine.where(labels=n), method) for method in METHODS)] for n in LABELS]
        parts += ["", f"## {what}", "", table(["labels per class", *METHODS], rows)]
    return "\n".join([*parts, ""])


def _cell(found: Fits, method: str) -> str:
    error, loss = (found.values(measure, method=method).mean() for measure in ("error", "log_loss"))
    return f"{100 * error:.1f} / {loss:.3f}"
