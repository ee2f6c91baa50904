"""Figures of a record as SVG: text stays text, and colors are those of the page, light or dark.

A figure is a function from the record to a drawn :class:`Picture`, or None where its section is absent.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from semigen.common.text import shortened, visible
from semigen.reporting.svg import CLASS_COLORS, INK, LINE, MUTED, as_svg

Record = Mapping[str, Any]

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_NAME = 26
MOST_CLASSES = 24
"""That a legend has room for; further classes share the last color."""
MOST_BARS = 15
MOST_MODELS = 10
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "semigen",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Picture:
    """A figure as a page shows it: SVG text, what it shows in words, and its size on the page."""

    svg: str
    alt: str


def pictures(record: Record) -> dict[str, Picture]:
    """All figures that a record has data for, by name.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib import rc_context

    found: dict[str, Picture] = {}
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names may hold characters that the measuring font lacks
        for name, draw in FIGURES.items():
            drawn = draw(record)
            if drawn is not None:
                figure, alt = drawn
                found[name] = Picture(as_svg(figure, name, alt), alt)
    return found


def label_text(value: Any, most: int = MOST_NAME) -> str:
    """A name from the table as a figure shows it: short, and without characters that hide or reorder."""
    return shortened(visible(str(value)), most)


def _scores(record: Record) -> tuple[Any, str] | None:
    """Accuracy and log-loss of everything compared, with intervals."""
    compared = record.get("comparison")
    if not compared:
        return None
    names = _shown_names(record)
    scores = compared["scores"]
    figure = _figure(7.4, 1.1 + 0.34 * len(names))
    panels = figure.subplots(1, 2, sharey=True)
    for panel, measure, title, scale in (
        (panels[0], "accuracy", "accuracy, %\n(right is better)", 100),
        (panels[1], "log_loss", "log-loss, nats per row\n(left is better)", 1),
    ):
        for i, (name, text) in enumerate(names):
            one = scores[name][measure]
            color = CLASS_COLORS[0] if i < 2 and len(names) > 2 else MUTED
            panel.plot([scale * one["low"], scale * one["high"]], [i, i], color=color, linewidth=2)
            panel.plot(scale * one["value"], i, "o", color=color, markersize=6)
            del text
        panel.set_xlabel(title)
        panel.set_yticks(range(len(names)), [text for _, text in names])
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x")
        panel.set_ylim(len(names) - 0.4, -0.6)
        panel.spines["left"].set_visible(False)
    best = "; ".join(
        f"{text}: accuracy {100 * scores[name]['accuracy']['value']:.1f} %, log-loss "
        f"{scores[name]['log_loss']['value']:.3f}"
        for name, text in names
    )
    return figure, f"Accuracy and log-loss on held-out rows with 95 % intervals. {best}."


def _map(record: Record) -> tuple[Any, str] | None:
    """All rows on a map, colored by predicted class; beside it without the unlabeled rows."""
    found = record.get("map")
    if not found:
        return None
    with_first = record["model"]["trained_on"] == "all rows"
    panels = [("labels and predictions", found["class"])]
    if found["twin"] is not None:
        panels = [
            ("with the unlabeled rows", found["class"] if with_first else found["twin"]),
            ("labeled rows only", found["twin"] if with_first else found["class"]),
        ]
    figure = _figure(7.4, 4.0 if len(panels) == 2 else 5.0)
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    names = [str(one["class"]) for one in record["class_shares"]]
    for axis, (title, classes) in zip(axes, panels, strict=True):
        _scatter(axis, found, classes, len(names))
        axis.set_title(title, fontsize=10, color=INK)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    _class_legend(figure, names)
    return figure, (
        f"Map of {len(found['row']):,} of {found['n_rows']:,} rows where the classes lie furthest apart, "
        "colored by class; labeled rows are large, the least certain rows are ringed."
    )


def _scatter(axis: Any, found: Record, classes: Sequence[int], n_classes: int) -> None:
    for k in range(n_classes):
        for labeled in (False, True):
            mine = [i for i, one in enumerate(classes) if one == k and (found["given"][i] >= 0) == labeled]
            axis.scatter(
                [found["x"][i] for i in mine],
                [found["y"][i] for i in mine],
                s=46 if labeled else 11,
                marker=MARKERS[k // len(CLASS_COLORS) % len(MARKERS)] if n_classes > 8 else MARKERS[k],
                color=_color(k),
                edgecolors=INK if labeled else "none",
                linewidths=0.9 if labeled else 0,
                alpha=1.0 if labeled else 0.65,
                zorder=3 if labeled else 2,
                gid="points " + " ".join(str(i) for i in mine),
            )
    ringed = [i for i, one in enumerate(found["uncertain"]) if one]
    axis.scatter(
        [found["x"][i] for i in ringed],
        [found["y"][i] for i in ringed],
        s=80,
        facecolors="none",
        edgecolors=INK,
        linewidths=0.9,
        zorder=4,
    )


def _columns(record: Record) -> tuple[Any, str] | None:
    """What the most important columns look like in each class."""
    found = [one for one in record.get("columns_by_class") or () if "levels" not in one]
    classes = [one["class"] for one in record["class_shares"]]
    if not found or len(classes) > 8:
        return None
    n_across = min(3, len(found))
    n_down = -(-len(found) // n_across)
    figure = _figure(7.4, 0.5 + n_down * (0.75 + 0.3 * len(classes)))
    panels = figure.subplots(n_down, n_across, squeeze=False, sharey=True)
    for number, panel in enumerate(panels.flat):
        if number >= len(found):
            panel.set_visible(False)
            continue
        for k, one in enumerate(found[number]["classes"]):
            _box(panel, k - 0.14, one["predicted"], _color(k), filled=True)
            _box(panel, k + 0.16, one["labeled"], _color(k), filled=False)
        panel.set_title(label_text(found[number]["column"]), fontsize=10, color=INK)
        panel.set_yticks(range(len(classes)), [label_text(one, 16) for one in classes])
        panel.set_ylim(len(classes) - 0.4, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.locator_params(axis="x", nbins=4)
        panel.grid(axis="x")
        panel.spines["left"].set_visible(False)
    names = ", ".join(label_text(one["column"]) for one in found)
    return figure, f"The middle half and the middle 90 % of each class in the columns {names}."


def _box(panel: Any, at: float, quantiles: Sequence[float] | None, color: str, *, filled: bool) -> None:
    if quantiles is None:
        return
    low, lower, middle, upper, high = quantiles
    panel.plot([low, high], [at, at], color=color, linewidth=1, alpha=0.9)
    panel.plot(
        [lower, upper], [at, at], color=color, linewidth=7 if filled else 3, alpha=0.75, solid_capstyle="butt"
    )
    panel.plot(middle, at, "|", color=INK, markersize=8 if filled else 5, markeredgewidth=1.4)


def _reliability(record: Record) -> tuple[Any, str] | None:
    """Probability of the predicted class against the share of rows that are right."""
    found = record.get("reliability")
    if not found:
        return None
    bins = found["bins"]
    figure = _figure(4.2, 3.6)
    panel = figure.subplots()
    low = min(0.95, *(one["probability"] for one in bins), *(one["right"]["low"] for one in bins))
    panel.plot([100 * low, 100], [100 * low, 100], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for one in bins:
        x = 100 * one["probability"]
        panel.plot(
            [x, x],
            [100 * one["right"]["low"], 100 * one["right"]["high"]],
            color=CLASS_COLORS[0],
            linewidth=1.6,
        )
        panel.plot(x, 100 * one["right"]["value"], "o", color=CLASS_COLORS[0], markersize=6)
    panel.set_xlabel("stated probability of the predicted class, %")
    panel.set_ylabel("rows that are right, %")
    panel.tick_params(axis="y", labelcolor=MUTED)
    panel.grid()
    said = "; ".join(
        f"stated {100 * one['probability']:.0f} %, right {100 * one['right']['value']:.0f} %" for one in bins
    )
    return figure, f"Stated probability against the share of held-out rows that are right. {said}."


def _importance(record: Record) -> tuple[Any, str] | None:
    """The columns on which the predictions depend most."""
    found = record.get("importance")
    if not found:
        return None
    shown = found["columns"][:MOST_BARS]
    figure = _figure(7.4, 0.7 + 0.27 * len(shown))
    panel = figure.subplots()
    panel.barh(range(len(shown)), [100 * one["change"] for one in shown], color=CLASS_COLORS[0], height=0.62)
    panel.set_yticks(range(len(shown)), [label_text(one["column"], 34) for one in shown])
    panel.set_ylim(len(shown) - 0.4, -0.6)
    panel.set_xlabel("probability that moves to other classes when the column is shuffled, %")
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x")
    panel.spines["left"].set_visible(False)
    said = ", ".join(f"{label_text(one['column'])} {100 * one['change']:.1f} %" for one in shown[:5])
    return figure, f"Columns by how much shuffling them changes the predictions. The first: {said}."


def _learning_curve(record: Record) -> tuple[Any, str] | None:
    """Error by the number of labels, measured and extrapolated."""
    found = record.get("learning_curve")
    if not found:
        return None
    figure = _figure(6.4, 3.6)
    panel = figure.subplots()
    for k, one in enumerate(found["curves"]):
        color, ahead = _color(k), one["forecast"]
        panel.plot(
            one["n_labels"], [100 * error["value"] for error in one["error"]], linewidth=0.8,
            marker=MARKERS[k % len(MARKERS)], color=color, label=label_text(one["name"]), clip_on=False,
        )  # fmt: skip
        if one["name"] not in found.get("told", [found["best"]]):  # lines that cross would say too much
            continue
        n = [point["n_labels"] for point in ahead]
        panel.plot(n, [100 * point["value"] for point in ahead], color=color, linestyle=(0, (4, 2)))
        if one["name"] == found["best"]:
            low, high = ([100 * point[end] for point in ahead] for end in ("low", "high"))
            panel.fill_between(n, low, high, color=color, alpha=0.15, linewidth=0)
    panel.set_xscale("log")
    first = found["curves"][0]
    ticks = [*first["n_labels"][:-1], *(point["n_labels"] for point in first["forecast"])]
    panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    panel.minorticks_off()
    panel.set_xlabel("labels")
    panel.set_ylabel("error, %")
    panel.set_ylim(bottom=0)
    panel.tick_params(axis="y", labelcolor=MUTED)
    panel.grid()
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure, f"Learning curves. {visible(found['sentence'])}"


FIGURES: dict[str, Callable[[Record], tuple[Any, str] | None]] = {
    "scores": _scores,
    "map": _map,
    "columns": _columns,
    "reliability": _reliability,
    "learning_curve": _learning_curve,
    "importance": _importance,
}
"""By the names that the template uses."""


def _shown_names(record: Record) -> list[tuple[str, str]]:
    """Names in the comparison and how a reader knows them: what is reported, its twin, models, zero line."""
    scores = record["comparison"]["scores"]
    of_pair = {
        "all models": "ensemble, all rows",
        "supervised models": "ensemble, labeled rows only",
        "all rows": "with unlabeled rows",
    }
    pair = [name for name in (*of_pair, "labeled rows only") if name in scores]
    if record["verdict"]["outcome"] == "no unlabeled rows":
        pair = pair[:1]
    models = [one["name"] for one in record["model"].get("models", ()) if one["name"] in scores][:MOST_MODELS]
    rest = [name for name in ("class shares",) if name in scores]
    return [(name, of_pair.get(name, name)) for name in (*pair, *models, *rest)]


def _color(k: int) -> str:
    return CLASS_COLORS[k % len(CLASS_COLORS)]


def _class_legend(figure: Any, names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D(
            [], [], linestyle="", color=_color(k),
            marker=MARKERS[k // len(CLASS_COLORS) % len(MARKERS)] if len(names) > 8 else MARKERS[k],
            label=label_text(name),
        )
        for k, name in enumerate(names[:MOST_CLASSES])
    ]  # fmt: skip
    marks.append(
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            markersize=8,
            markerfacecolor="none",
            color=INK,
            label="least certain",
        )
    )
    longest = max(len(str(mark.get_label())) for mark in marks)
    figure.legend(
        handles=marks,
        loc="outside lower center",
        ncols=max(1, min(len(marks), 100 // (longest + 5))),
        fontsize=9,
    )


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
