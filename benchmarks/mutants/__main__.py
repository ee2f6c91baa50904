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
from pathlib import Path

import pytest

from benchmarks.markdown import table
from benchmarks.mutants.operators import Mutant, mutants
from benchmarks.mutants.running import OPTIONS, InPlace, at_import, forked, traced

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
STARTING = ("test_cli", "test_package")
"""Start processes, which a change in memory does not reach."""
TESTS = [path for path in sorted((ROOT / "tests").glob("test_*.py")) if not path.name.startswith(STARTING)]


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
            _, tests = forked(lambda path=path: traced(path, SOURCE), seconds=1200)
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
    """The tests that enter the changed function, as many as the seconds allow, those of least else first.

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
    chosen, spent = [], 0.0
    for test in sorted(covering, key=lambda t: (len(traced[t][1]), traced[t][0])):
        seconds = traced[test][0]
        if spent + seconds <= budget or not chosen:
            chosen.append(test)
            spent += seconds
    return chosen


class Runs:
    """The outcomes so far, and how a mutant gets one."""

    def __init__(self, traces, budget: float) -> None:
        self.traces, self.budget, self.known = traces, budget, load("outcomes")

    def tests(self, mutant: Mutant) -> list[str]:
        return tests_of(mutant, self.traces, self.budget)

    def run(self, mutant: Mutant, first_failure) -> None:
        """Killed if a test fails, or a signal ends the process: its time was over, or it broke."""
        start, seconds = time.perf_counter(), sum(self.traces[t][0] for t in self.tests(mutant))
        status, failed = forked(lambda: first_failure(mutant, self.tests(mutant)), 20 + 4 * seconds)
        if status > 0:
            raise RuntimeError(f"{mutant} could not be tried: run again with LOUD=1 to see why")
        verdict = "killed" if failed else "time" if status < 0 else "survived"
        self.known[mutant.key] = {"verdict": verdict, "by": failed}
        keep("outcomes", self.known)
        wall = time.perf_counter() - start
        os.write(1, f"{verdict:>8} {wall:6.1f} s  {mutant}  {failed or ''}\n".encode())

    def all(self, mutants: list[Mutant]) -> None:
        """Functions change after one collection, in a fork; code that runs at import is imported anew."""
        child = os.fork()
        if not child:
            plugin = InPlace([m for m in mutants if m.body], self.tests, self.run)
            os._exit(pytest.main([*OPTIONS, *map(str, TESTS)], plugins=[plugin]))
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("the tests cannot be run with the code as it is: see above")
        self.known = load("outcomes")
        for mutant in mutants:
            if not mutant.body:
                self.run(mutant, at_import)


def report(results: dict[str, list[tuple[Mutant, dict]]], seed: int) -> str:
    """Counts of each room, and each survivor with the reason that ``survivors.toml`` gives."""
    reasons = tomllib.loads((HERE / "survivors.toml").read_text())
    rows, lines = [], []
    for room, pairs in results.items():
        n, lived = len(pairs), [m for m, r in pairs if r["verdict"] == "survived"]
        n_late = sum(r["verdict"] == "time" for _, r in pairs)
        rows.append(
            [room, ROOMS[room][0], n, n - len(lived), n_late, len(lived), f"{1 - len(lived) / n:.0%}"]
        )
        lines += [f"\n### {room}\n"] if lived else []
        lines += [f"- {m} ({m.key}). {reasons.get(m.key, 'Not looked at yet.')}" for m in lived]
    total = [sum(row[i] for row in rows) for i in range(1, 6)]
    rows.append(["**all**", *total, f"{total[2] / total[1]:.0%}"])
    head = ["room", "drawn", "tried", "killed", "of these by time", "survived", "share killed"]
    text = f"# Mutants\n\nWritten by `make mutants`, seed {seed}; README.md says what it does.\n\n"
    rows = [[str(cell) for cell in row] for row in rows]
    return text + table(head, rows) + "\n\n## Survivors\n" + "\n".join(lines) + "\n"


def try_mutants(options: argparse.Namespace) -> None:
    """Run the drawn mutants that have no outcome yet, or those that survived, too."""
    preload()
    runs = Runs(traces(), options.seconds)
    untried = {None, "survived"} if options.again else {None}
    drawn = [mutant for room in options.rooms for mutant in sample(room, options.seed)]
    runs.all([m for m in drawn if runs.known.get(m.key, {}).get("verdict") in untried])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), help=", ".join(ROOMS))
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--seconds", type=float, default=20, help="of tests for each mutant")
    parser.add_argument("--again", action="store_true", help="run survivors again (for one after new tests)")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    parser.add_argument("--report", action="store_true", help="only write what is known")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ["CI"] = "1"
    if options.fresh:
        keep("traces", {})
        keep("outcomes", {})
    if not options.report:
        try_mutants(options)
    known = load("outcomes")
    done = {room: [(m, known[m.key]) for m in sample(room, options.seed) if m.key in known] for room in ROOMS}
    done = {room: pairs for room, pairs in done.items() if pairs}
    (HERE / "results.md").write_text(report(done, options.seed))


if __name__ == "__main__":
    main()
