"""The measurements as one markdown page."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import table
from benchmarks.speed.contenders import OURS, PEER
from benchmarks.speed.measure import Ratio


def page(found: dict[str, Any]) -> str:
    """All tables of a result."""
    size = found["size"]
    shape = f"{size['rows']:,} × {size['features']} rows, {size['components']} components"
    parts = [
        "# Speed and memory",
        "",
        "Written by `python -m benchmarks.speed`; [how to read it](../README.md).",
        "",
        *(f"- {name}: {value}" for name, value in found["environment"].items()),
        "",
        f"## One EM iteration, {shape}, full covariance",
        "",
        "Seconds: median over rounds. Ratio: time over that of semigen (float64) in the same round,",
        "median and range over rounds, and of the quickest round of each; above 1 semigen is faster.",
        "Difference: largest of any parameter from scikit-learn's after as many iterations",
        f"({found['iterations']}) from the same start.",
        "",
    ]
    for kind, timings in found["contest"].items():
        parts += [
            f"### {kind}: {found['shares'][kind]:.1f} components have a share in a row",
            "",
            f"At the machine's peak the products take {_at_peak(found, timings[OURS]):.0%} of semigen's time "
            f"({found['peak'] / 1e9:.0f} GFLOP/s, float64, all threads).",
            "",
            table(
                ["contender", "seconds", "ratio", "range", "quickest", "difference"],
                [_row(name, timing, timings[OURS]) for name, timing in timings.items()],
            ),
            "",
        ]
    parts += [
        "## Peak memory beside the data, MB",
        "",
        f"Of {found['memory_iterations']} iterations in a fresh process; data: {size['data_mb']:.0f} MB.",
        "",
        table(["contender", "MB"], [[name, f"{mb:.0f}"] for name, mb in found["memory"].items()]),
        "",
        "## An iteration's time, doubled size over single size",
        "",
        table(
            ["data", "twice the rows", "twice the components"],
            [[k, f"{v['rows']:.2f}", f"{v['components']:.2f}"] for k, v in found["scaling"].items()],
        ),
        "",
        "## Covariance shapes, seconds an iteration (median over rounds)",
        "",
        *_shapes(found["shapes"]),
        "",
        "## predict_proba",
        "",
    ]
    predict = found["predict"]
    speed = predict["rows_per_second"] / 1e6
    parts += [
        f"{predict['rows']:,} × {size['features']} rows: {speed:.2f} million rows/s; "
        f"peak {predict['peak']:.0f} MB beside the data ({predict['data']:.0f} MB) and the result "
        f"({predict['result']:.0f} MB).",
        "",
    ]
    return "\n".join(parts)


def _at_peak(found: dict[str, Any], ours: dict[str, Any]) -> float:
    return float(found["products"] / found["peak"] / ours["median"])


def _row(name: str, timing: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    ratio = Ratio.of(timing["seconds"], ours["seconds"])
    quickest = min(timing["seconds"]) / min(ours["seconds"])
    cells = [f"{timing['median']:.3f}", f"{ratio.median:.2f}", f"{ratio.low:.2f}–{ratio.high:.2f}"]
    cells.append(f"{quickest:.2f}")
    return [name, *cells, "—" if name == PEER else f"{timing['difference']:.0e}"]


def _shapes(found: dict[str, dict[str, dict[str, list[float]]]]) -> list[str]:
    rows = []
    for kind, shapes in found.items():
        for shape, seconds in shapes.items():
            ours = sorted(seconds[OURS])[len(seconds[OURS]) // 2]
            row = [f"{kind}, {shape}", f"{ours:.3f}", "—", "—", "—"]
            if PEER in seconds:
                ratio = Ratio.of(seconds[PEER], seconds[OURS])
                row[2] = f"{sorted(seconds[PEER])[len(seconds[PEER]) // 2]:.3f}"
                row[3:] = f"{ratio.median:.2f}", f"{ratio.low:.2f}–{ratio.high:.2f}"
            rows.append(row)
    return [table(["data, shape", OURS, PEER, "ratio", "range"], rows)]
