"""``make mutants``: draw a sample of changes, run the tests that enter their code, write what survived."""

import argparse
import ast
import hashlib
import importlib
import json
import os
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.mutants.operators import Mutant, mutants, mutated
from benchmarks.mutants.running import Chosen, Tracer, forked, replace

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SOURCE = ROOT / "src"
CACHE = ROOT / ".mutants"
ROOMS = {
    "em": (90, ["em/*.py"]),
    "families": (120, ["families/**/*.py"]),
    "ensemble": (70, ["ensemble/*.py"]),
    "evaluation": (50, ["evaluation/*.py"]),
    "comparison": (30, ["comparison/*.py"]),
    "data": (40, ["data/*.py"]),
    "arrays": (20, ["arrays/*.py"]),
    "deep": (60, ["deep/**/bounds.py", "deep/**/*losses.py", "deep/**/likelihoods.py", "deep/**/density.py"]),
}
"""For each room how many changes are drawn and from which files."""
TESTS = [
    p
    for p in sorted((ROOT / "tests").glob("test_*.py"))
    if "cli" not in p.name and p.name != "test_package.py"
]
"""Tests of the command line start processes, which a mutated module in memory does not reach."""


def load(name: str):
    path = CACHE / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def keep(name: str, content) -> None:
    CACHE.mkdir(exist_ok=True)
    (CACHE / f"{name}.json").write_text(json.dumps(content, indent=1))


def preload() -> None:
    """Import the libraries that the package and its tests import, once for all forks."""
    ours = {"semigen", "benchmarks", *(p.stem for p in (ROOT / "tests").glob("*.py"))}
    for path in [*(SOURCE / "semigen").rglob("*.py"), *TESTS, ROOT / "tests" / "conftest.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                if name.split(".")[0] not in ours:
                    try:
                        importlib.import_module(name)
                    except ImportError:
                        print(f"not installed: {name}", file=sys.stderr)


def traces() -> dict[str, tuple[float, set[str]]]:
    """Of each test its seconds and the functions that it enters; a changed test file is run anew."""
    known = load("traces")
    for path in TESTS:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if known.get(path.name, {}).get("digest") != digest:
            start = time.perf_counter()
            _, tests = forked(Tracer(SOURCE), [str(path)], seconds=1200)
            seconds = time.perf_counter() - start
            print(f"{path.name}: {len(tests)} tests traced in {seconds:.0f} s", flush=True)
            known[path.name] = {"digest": digest, "tests": tests}
            keep("traces", known)
    return {
        test: (seconds, set(names))
        for path in TESTS
        for test, (seconds, names) in known[path.name]["tests"].items()
    }


def sample(room: str, seed: int) -> list[Mutant]:
    """The first changes of a room in an order that depends on nothing but the seed and the change itself."""
    number, patterns = ROOMS[room]
    paths = sorted({p for pattern in patterns for p in (SOURCE / "semigen").glob(pattern)})
    found = [m for path in paths for m in mutants(path, SOURCE)]
    return sorted(found, key=lambda m: hashlib.sha256(f"{seed} {m.key}".encode()).digest())[:number]


def tests_of(mutant: Mutant, traced, budget: float) -> list[str]:
    """The tests that enter the changed function, quick ones first, as many as the seconds allow.

    Code that runs at import is changed for every test of its module, or else of its room.
    """
    file = f"{mutant.path.relative_to(SOURCE)}::"
    starts = [file + mutant.function + "."] * bool(mutant.function) + [
        file,
        str(mutant.path.parent.relative_to(SOURCE)),
    ]
    covering = [test for test, (_, names) in traced.items() if file + mutant.function in names]
    for start in starts:
        covering = covering or [
            t for t, (_, names) in traced.items() if any(n.startswith(start) for n in names)
        ]
    order = sorted(covering, key=lambda t: (int(8 * traced[t][0]).bit_length(), t))
    chosen, spent = [], 0.0
    for test in order:
        spent += traced[test][0]
        if spent > budget and chosen:
            break
        chosen.append(test)
    return chosen


def outcome(mutant: Mutant, traced, budget: float) -> dict[str, object]:
    tests = tests_of(mutant, traced, budget)
    limit = 30 + 4 * sum(traced[t][0] for t in tests)
    files = [str(ROOT / file) for file in sorted({t.split("::")[0] for t in tests})]
    start = time.perf_counter()
    code, failed = forked(
        Chosen(tests), ["-x", *files], limit, lambda: replace(mutant.module, mutant.path, mutated(mutant))
    )
    verdict = "survived" if code in {0, 5} else "killed" if failed else "time" if code == -14 else "crash"
    return {
        "verdict": verdict,
        "by": failed,
        "tests": len(tests),
        "seconds": round(time.perf_counter() - start, 1),
    }


def report(results: dict[str, list[tuple[Mutant, dict]]], seed: int) -> str:
    """Counts of each room, and each survivor with the reason that ``survivors.toml`` gives."""
    reasons = tomllib.loads((HERE / "survivors.toml").read_text())
    rows, lines = [], []
    for room, pairs in results.items():
        verdicts = [r["verdict"] for _, r in pairs]
        lived = verdicts.count("survived")
        rows.append(
            [
                room,
                len(pairs),
                len(pairs) - lived,
                verdicts.count("time"),
                lived,
                f"{1 - lived / len(pairs):.0%}",
            ]
        )
        lines += [f"\n### {room}\n"] if lived else []
        lines += [
            f"- {m} ({m.key}). {reasons.get(m.key, 'No reason yet.')}"
            for m, r in pairs
            if r["verdict"] == "survived"
        ]
    total = [sum(row[i] for row in rows) for i in range(1, 5)]
    rows.append(["**all**", *total, f"{total[1] / total[0]:.0%}"])
    head = ["room", "mutants", "killed", "of these by time", "survived", "share killed"]
    text = (
        f"# Mutants\n\nWritten by `make mutants`, seed {seed}; [README.md](README.md) says what it does.\n\n"
    )
    rows = [[str(cell) for cell in row] for row in rows]
    return text + table(head, rows) + "\n\n## Survivors\n" + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument(
        "rooms", nargs="*", default=list(ROOMS), help=f"of {', '.join(ROOMS)}; all where none is given"
    )
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="mutants at a time")
    parser.add_argument("--seconds", type=float, default=30, help="of tests for each mutant")
    parser.add_argument("--again", action="store_true", help="run survivors again (for one after new tests)")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ["CI"] = "1"
    if options.fresh:
        keep("traces", {})
        keep("outcomes", {})
    preload()
    traced, known = traces(), load("outcomes")
    drawn = {room: sample(room, options.seed) for room in ROOMS}
    todo = [
        m for room in options.rooms for m in drawn[room]
        if m.key not in known or (options.again and known[m.key]["verdict"] == "survived")
    ]  # fmt: skip
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, result in zip(
            todo, pool.map(lambda m: outcome(m, traced, options.seconds), todo), strict=True
        ):
            known[mutant.key] = result
            keep("outcomes", known)
            print(
                f"{result['verdict']:>8} {result['seconds']:5} s  {mutant}  {result['by'] or ''}", flush=True
            )
    done = {room: [(m, known[m.key]) for m in found if m.key in known] for room, found in drawn.items()}
    (HERE / "results.md").write_text(
        report({room: pairs for room, pairs in done.items() if pairs}, options.seed)
    )


if __name__ == "__main__":
    main()
