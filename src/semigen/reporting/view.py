"""From a record to what the template shows: sentences, and rows of tables. No HTML is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semigen.common.text import shortened, visible
from semigen.comparison import CLASS_SHARES, lean
from semigen.evaluation.doubt import LOOK_WRONG
from semigen.evaluation.parting import parting_sentence
from semigen.judgement.giveaway import sentence
from semigen.reporting.held_out import BY_MODEL

Record = Mapping[str, Any]

_HEADLINES = {
    "helped": "The unlabeled rows helped.",
    "hurt": "The unlabeled rows hurt, so they are left out.",
    "not compared": "How good the predictions are is unknown: too few labels could be held out.",
    "no unlabeled rows": "Every row is labeled: this is an ordinary classifier.",
}
_NEGLIGIBLE = "The unlabeled rows make next to no difference."
_LEANINGS = {
    "helped": "The unlabeled rows probably helped.",
    "hurt": "The unlabeled rows probably hurt.",
    "unclear": "Too few labels to tell whether the unlabeled rows helped.",
}
_COLORS = {"helped": "good", "hurt": "bad"}
_WORSE_THAN_SHARES = "The predictions are worse than the class shares alone."
_NO_BETTER_THAN_SHARES = "These labels do not show that the columns tell the classes apart."
_MUCH = 0.6  # of all rows in one class
_FAR = 10.0
_MOST_NAME = 80
MOST_COLUMN_ROWS = 400
KINDS = {"number": "number", "flag": "true/false", "category": "category"}


def view(record: Record) -> dict[str, Any]:
    """What the template needs beside the record itself."""
    headline, tone = _headline(record)
    return {
        "record": record,
        "title": f"{source_name(record)}: {record['target']}",
        "source": source_name(record),
        "headline": headline,
        "ranking": about_ranking(record),
        "tone": tone,
        "tiles": tiles(record),
        "todo": todo(record),
        "counts": counts(record),
        "findings": findings(record),
        "marks": {"warning": "bad", "caution": "bad", "good": "good"},
        "columns": record["columns"][:MOST_COLUMN_ROWS],
        "n_columns_used": sum(bool(one["use"]) for one in record["columns"]),
        "models": models(record),
        "shown": shown(record),
        "data": script_data(record),
    }


def _headline(record: Record) -> tuple[str, str]:
    """The headline, and its color: whether unlabeled rows help is no news where nothing is learned."""
    beside_shares = (one for one in record["standing"] if one["beside"] == CLASS_SHARES)
    for one in beside_shares:
        if one["outcome"] == "worse":
            return _WORSE_THAN_SHARES, "bad"
        if one["outcome"] == "unclear" and one["change"]["log_loss"]["value"] > 0:
            return _NO_BETTER_THAN_SHARES, "plain"
    said = record["verdict"]
    outcome = said["outcome"]
    if said.get("negligible"):
        return _NEGLIGIBLE, "plain"
    if outcome == "unclear":
        return _LEANINGS[lean(said.get("harm_probability"))], "plain"
    return _HEADLINES[outcome], _COLORS.get(outcome, "plain")


def source_name(record: Record) -> str:
    """What the rows are from, as a reader knows it."""
    path = record.get("table") or record.get("folder") or ""
    return str(path).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or record["model"]["estimator"]


def _largest(scored: Record) -> str:
    """What a model would score that calls every row the same, where that is much."""
    most = max(scored["classes"], key=lambda one: one["n_rows"])
    share = most["n_rows"] / scored["n_rows"]
    return f"; {100 * share:.1f} % are {visible(str(most['class']))}" if share > _MUCH else ""


def tiles(record: Record) -> list[tuple[str, str, str]]:
    """The most important numbers: what, the number, and a note on it."""
    n_labeled = record["n_rows"] - record["n_unlabeled"]
    found = []
    scored = record.get("held_out")
    if scored is not None:
        one = scored["accuracy"]
        found.append(
            (
                "right on held-out rows",
                f"{100 * one['value']:.1f} %",
                f"95 % interval {100 * one['low']:.0f} to {100 * one['high']:.0f} %{_largest(scored)}",
            )
        )
        loss = scored["log_loss"]
        found.append(
            (
                "log-loss, nats per row",
                f"{loss['value']:.3f}",
                f"95 % interval {loss['low']:.3f} to {loss['high']:.3f}; lower is better",
            )
        )
    classes = len(record["class_shares"])
    found.append(("labeled rows", f"{n_labeled:,}", f"of {classes} class{'es' if classes > 1 else ''}"))
    found.append(("unlabeled rows", f"{record['n_unlabeled']:,}", f"{record['n_rows']:,} rows in all"))
    return found


def findings(record: Record) -> list[dict[str, Any]]:
    """What advice found, and how many labels the saved model doubts that the models of the advice do not."""
    alone = [one for one in record.get("suspicious_labels") or () if one.get("doubted_by") == [BY_MODEL]]
    found = [dict(one) for one in (record.get("advice") or {}).get("findings", ())]
    for one in found:
        if one["name"] == LOOK_WRONG and alone:
            none = " that the models of this advice do not" if one["evidence"]["rows"] else ""
            more = f"{len(alone)} label{'' if len(alone) == 1 else 's'}{none}"
            one["sentence"] += f" The saved model doubts {more}: see data and labels."
    return found


def about_telling(record: Record) -> str | None:
    """What to ask about columns that alone tell the class of every labeled row; None without them."""
    names = record.get("telling_columns")
    return sentence([visible(str(one)) for one in names]) if names else None


def about_parting(record: Record) -> str | None:
    """What columns mean in which unlabeled rows lie outside of the labeled ones; None without them."""
    found = record.get("parting_columns")
    if not found:
        return None
    return parting_sentence({visible(str(one["column"])): one["outside"] for one in found})


def about_ranking(record: Record) -> str | None:
    """How well the rarer of two classes is told apart; None with other numbers of classes."""
    found = (record.get("held_out") or {}).get("ranking")
    return ranking_sentence(found, "held-out rows") if found else None


def ranking_sentence(found: Record, rows: str) -> str:
    """How well rows of the rarer class are ranked, from the values of a ``Ranking``."""

    def estimate(one: Record) -> str:
        return f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})"

    of, share = shortened(visible(str(found["of"])), _MOST_NAME), found["share"]
    return (
        f"Ranking by the probability of {of} ({100 * share:.1f} % of the {rows}): ROC AUC "
        f"{estimate(found['auc'])}, average precision {estimate(found['average_precision'])}; by chance 0.5 "
        f"and {share:.3f}."
    )


def todo(record: Record) -> list[tuple[str, str, str]]:
    """What to do next: a sentence, and the part of the page that has more, with what to call it."""
    found = []
    if asked := about_telling(record):
        found.append((asked, "data", "data and labels"))
    if parted := about_parting(record):
        found.append((parted, "data", "data and labels"))
    if record["n_unlabeled"]:
        if record.get("label_next"):
            found.append(("Label the rows that teach the model most.", "label-next", "rows to label next"))
        elif record.get("least_certain"):
            found.append(
                ("Label the rows that the model is least sure of.", "uncertain", "least certain rows")
            )
    wrong = record.get("suspicious_labels")
    if wrong:
        what = "1 label that looks" if len(wrong) == 1 else f"{len(wrong)} labels that look"
        found.append((f"Check {what} wrong.", "suspicious", LOOK_WRONG))
    far = [one for one in record.get("novel_rows") or () if one["deviation"] >= _FAR]
    if far:
        n = f"{len(far)} row{'s' if len(far) > 1 else ''}"
        found.append((f"Look at {n} unlike all others: mistakes, or another kind?", "novel", "novel rows"))
    if record["comparison"] is None:
        found.append(("Label at least two rows of each class.", "labels", "labels so far"))
    return found


def counts(record: Record) -> dict[int, int]:
    """The labeled rows of each class, by its place among the classes."""
    of_class = {one["class"]: one["rows"] for one in record["labeled"]}
    return {k: of_class.get(one["class"], 0) for k, one in enumerate(record["class_shares"])}


def models(record: Record) -> list[dict[str, Any]]:
    """The models of an ensemble with their shares of the weights."""
    found = record["model"].get("models") or []
    total = sum(one["weight"] for one in found) or 1.0
    return [{**one, "share": one["weight"] / total} for one in found]


def shown(record: Record) -> dict[str, Any]:
    """Which columns of values the tables of rows have."""
    tables = {
        "least_certain": record.get("least_certain") or (),
        "novel_rows": record.get("novel_rows") or (),
        "label_next": (record.get("label_next") or {}).get("rows", ()),
    }
    return {
        key: list(dict.fromkeys(name for row in rows for name in row.get("values") or ()))
        for key, rows in tables.items()
    }


def script_data(record: Record) -> dict[str, Any]:
    """What the page's script reads: the thresholds, and the points of the map."""
    found = record.get("map")
    classes = [visible(str(one["class"])) for one in record["class_shares"]]
    limits = record.get("thresholds")
    points = None
    if found:
        points = {
            "id": [visible(str(one)) for one in found["id"]],
            "class": found["class"],
            "given": found["given"],
            "probability": found["probability"],
            "twin": found["twin"],
        }
    of_classes = (
        [] if not limits else [{**one, "class": visible(str(one["class"]))} for one in limits["classes"]]
    )
    return {
        "classes": classes,
        "map": points,
        "with_first": record["model"]["trained_on"] == "all rows",
        "thresholds": None if not limits else {**limits, "classes": of_classes},
    }
