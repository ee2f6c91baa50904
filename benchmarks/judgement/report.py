"""The page of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from benchmarks.accuracy import packages
from benchmarks.judgement import suspects
from benchmarks.judgement.cases import FRESH_SEEDS
from benchmarks.judgement.verdicts import Judged
from benchmarks.markdown import table

DAMAGE, HELP, COST = 0.05, 0.03, 0.005
ODDS = (
    (6, 6, 6),
    (4, 4, 4),
    (4, 4, 3.5),
    (4, 3, 4),
    (4, 3, 3.5),
    (4, 3, 3),
    (4, 2, 3.5),
    (3, 3, 3),
    (2, 2, 2),
    (1, 1, 1),
)
"""For "use", the average and "do not use"."""
BINS = (0.0, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 1.0)
HEAD = ["cases", "n", "decided", "right", "plain CV right", "plain CV, as many decided, right"]
Cases = Sequence[Judged]


def page(cases: Cases, known: Cases, book: Cases) -> str:
    """All tables in Markdown.

    Parameters
    ----------
    cases : sequence of Judged
    known : sequence of Judged
        Designs, judged by a prior that knows other draws of them.
    book : sequence of Judged
        Sets of the SSL book, by the prior of the package.
    """
    kinds = ("design", "table", "keel", "package")
    designs, real, more, from_packages = ([one for one in cases if one.kind == kind] for kind in kinds)
    unseen = [one for one in from_packages if one.name in packages.JUDGED_ONLY]
    chosen_last = [one for one in from_packages if one.name in packages.FRESH]
    others = [*unseen, *chosen_last]
    from_packages = [one for one in from_packages if one not in others]
    parts = ["# Judgement", "", _INTRODUCTION, "", "## Designs", "", _verdicts(designs), ""]
    for title, all_draws in (
        ("by a prior without the design", designs),
        ("by a prior that knows earlier draws of it", known),
    ):
        drawn = [one for one in all_draws if one.seed in FRESH_SEEDS]
        if drawn:
            parts += [
                f"## Designs, fresh draws, {title}",
                "",
                _verdicts(drawn),
                "",
                _reliability({"designs": drawn}),
                "",
            ]
    if real:
        parts += ["## Real tables", "", _verdicts(real), ""]
    for title, found in (
        ("More of KEEL's tables", more),
        ("Tables of R packages", from_packages),
        ("All of these", [*real, *more, *from_packages]),
        ("Tables of R packages that nothing was learned from", unseen),
        ("Tables of R packages that were chosen when the prior was finished", chosen_last),
    ):
        if found:
            parts += [f"## {title}", "", _verdicts(found), ""]
    if book:
        parts += [
            "## SSL book, by the prior of the package",
            "",
            _one_by_one(book),
            "",
        ]
    groups = {"designs": designs, "real tables": real, "KEEL": more, "R packages": [*from_packages, *others]}
    parts += ["## Is the stated probability of harm right?", "", _reliability(groups), ""]
    parts += ["## Other odds", "", _other_odds({"designs": designs, "real tables": real}), ""]
    parts += ["## What following the advice costs and gains", "", _following(groups), ""]
    if real:
        parts += ["## Real tables, one by one", "", _by_table(real), ""]
    if more:
        parts += ["## More of KEEL's tables, one by one", "", _by_table(more), ""]
    if from_packages:
        parts += ["## Tables of R packages, one by one", "", _by_table([*from_packages, *others]), ""]
    parts += ["## Designs, one by one", "", _by_design(designs), ""]
    parts += ["## The same, by a prior that knows other draws of the design", "", _verdicts(known), ""]
    parts += [_by_design(known), ""]
    flipped = suspects.read()
    if flipped:
        parts += ["## Labels that look wrong", "", suspects.page(flipped), ""]
    return "\n".join(parts)


def _verdicts(cases: Cases) -> str:
    budgets = sorted({one.labels_per_class for one in cases})
    groups: list[tuple[str, Callable[[Judged], bool]]] = [("all", lambda _: True)]
    groups.append((f"damage above {100 * DAMAGE:.0f} points", lambda one: one.error_change > DAMAGE))
    groups.append(("advised with weight ½", lambda one: one.unlabeled_weight == 0.5))
    groups += [(f"{n} labels per class", lambda one, n=n: one.labels_per_class == n) for n in budgets]
    return table(HEAD, [_line(name, [one for one in cases if chosen(one)]) for name, chosen in groups])


def _one_by_one(cases: Cases) -> str:
    """Each case: what λ = 1 changes on test rows, and what was said of it."""
    head = ["set, number of all labels", "log-loss by λ = 1 (standard error)", "by the average"]
    lines = [
        [
            f"{one.name}, {one.labels_per_class}",
            f"{one.change:+.2f} ({abs(one.change / one.z) if one.z else 0:.2f})",
            f"{one.average_change:+.2f}",
            f"{100 * one.error_change:+.1f}",
            f"{one.verdict} ({100 * one.harm:.0f} %)",
        ]
        for one in sorted(cases, key=lambda one: (one.labels_per_class, one.name))
    ]
    return table([*head, "error, points", "said"], lines)


def _line(name: str, cases: Cases) -> list[str]:
    clear = [one for one in cases if one.is_clear]
    decided = [one for one in clear if one.can_judge]
    plain = [(one.t > 0) == (one.change > 0) for one in clear]
    order = np.argsort([-abs(one.t) for one in clear], kind="stable")[: len(decided)]
    return [
        name,
        str(len(clear)),
        _percent([one.decided for one in clear]),
        _percent([one.right for one in decided]),
        _percent(plain),
        _percent([plain[i] for i in order]),
    ]


def _other_odds(groups: Mapping[str, Cases]) -> str:
    """How much is decided and right where less or more is said."""
    lines = []
    for safe, average, harmful in ODDS:
        line = [f"{safe} : 1", f"{average} : 1", f"{harmful} : 1"]
        for title, cases in groups.items():
            said = [one.by_odds(safe, average, harmful) for one in cases if one.is_clear]
            line += [_percent([not one.decided for one in said])]
            judged = [one for one in said if one.can_judge]
            line += [_percent([one.right for one in judged])]
            if title == "designs":
                line += [_percent([one.right for one in judged if one.error_change > DAMAGE])]
        lines.append(line)
    head = ["use", "average", "do not use", "designs: undecided", "right", "damage above 5 points: right"]
    return table([*head, "real tables: undecided", "right"], lines)


def _reliability(groups: Mapping[str, Cases]) -> str:
    lines = []
    for low, high in pairwise(BINS):
        line = [f"{100 * low:.0f}–{100 * high:.0f} %"]
        for cases in groups.values():
            mine = [one for one in cases if low <= one.harm < high or (high == 1.0 and one.harm == 1.0)]
            line += [
                str(len(mine)),
                _percent([one.harm for one in mine]),
                _percent([one.change > 0 for one in mine]),
            ]
        lines.append(line)
    return table(["said", *(cell for name in groups for cell in (name, "mean said", "harmed"))], lines)


def _following(groups: Mapping[str, Cases]) -> str:
    lines = []
    for title, cases in groups.items():
        for n in sorted({one.labels_per_class for one in cases}):
            mine = [one for one in cases if one.labels_per_class == n]
            helped = [one for one in mine if one.error_change < -HELP]
            lines.append(
                [
                    f"{title}, {n} labels per class",
                    str(len(mine)),
                    _points([one.error_change for one in mine]),
                    _points([one.followed for one in mine]),
                    str(len(helped)),
                    _points([one.error_change for one in helped]),
                    _points([one.followed for one in helped]),
                ]
            )
    head = [
        "change of the error, points",
        "n",
        "λ = 1 always",
        "following the advice",
        "helped by 3 points",
        "λ = 1 there",
        "the advice there",
    ]
    return table(head, lines)


def _by_table(cases: Cases) -> str:
    found = []
    for name in dict.fromkeys(one.name for one in cases):
        mine = [one for one in cases if one.name == name]
        changes = np.array([[one.error_change, one.followed] for one in mine])
        found.append((name, mine, *changes.mean(axis=0).tolist()))
    costs = [followed for _, _, _, followed in found]
    gains = [followed for _, _, change, followed in found if change < -HELP]
    helped = [one.followed < 0 for one in cases if one.error_change < -HELP]
    lines = [
        [
            name,
            str(len(mine)),
            f"{100 * change:+.1f}",
            f"{100 * followed:+.1f}",
            _percent([one.decided for one in mine]),
            _percent([one.harm for one in mine]),
            _percent([one.change > 0 for one in mine]),
        ]
        for name, mine, change, followed in sorted(found, key=lambda one: one[2])
    ]
    head = ["table", "draws", "λ = 1 always", "following the advice", "decided", "mean harm said", "harmed"]
    return "\n".join(
        [
            "Change of the error against the supervised model in points, mean over budgets and draws. "
            f"Following the advice changes it by {100 * np.mean(costs):+.2f} points over the {len(found)} "
            f"tables; it costs more than {100 * COST:.1f} points on {sum(one > COST for one in costs)} of "
            f"them (at most {100 * max(costs):+.1f}). Of the {len(gains)} tables on which λ = 1 lowers the "
            f"error by {100 * HELP:.0f} points or more it gains on {sum(one < 0 for one in gains)}, and in "
            f"{sum(helped)} of {len(helped)} single cases.",
            "",
            table(head, lines),
        ]
    )


def _by_design(cases: Cases) -> str:
    lines = []
    for name in dict.fromkeys(one.name for one in cases):
        for right in (False, True):
            mine = [one for one in cases if one.name == name and one.well_specified == right and one.is_clear]
            decided = [one for one in mine if one.can_judge]
            lines.append(
                [
                    f"{name}{', twin' if right else ''}",
                    str(len(mine)),
                    _percent([one.change > 0 for one in mine]),
                    _points([one.error_change for one in mine]),
                    _percent([one.decided for one in mine]),
                    _percent([one.right for one in decided]),
                    _percent([(one.t > 0) == (one.change > 0) for one in mine]),
                ]
            )
    return table(["design", "n", "harmed", "error, points", "decided", "right", "plain CV right"], lines)


def _percent(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.0f} %" if len(values) else "–"


def _points(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):+.1f}" if len(values) else "–"


_INTRODUCTION = """\
Does a mixture per class predict new rows better with the unlabeled rows (λ = 1) than without? Every case is
a table with few labels whose test rows know the answer; n counts those where they do beyond two standard
errors of the log-loss. *Decided* is the share in which `semigen.advise` does not say "not enough labels to
tell", *right* the share of these in which the log-loss of test rows falls with λ = 1 ("use") or with the
geometric mean of both models ("use with weight λ"), or, where it says "do not use", rises with λ = 1.
*Plain CV* decides by the sign of the paired cross-validated difference of the log-loss, in all cases and in
as many as advice decides, the clearest first. The probability of harm of a case comes from a prior that was
learned without its table and those of the same source (a design: without it and its twin)."""
