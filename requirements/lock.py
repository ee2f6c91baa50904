"""Refresh the pinned versions under requirements/ (or some) from pyproject.toml; needs uv on the PATH."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
GPU_LIBRARIES = ("nvidia-", "cuda-", "triton")
"""What a GPU build of torch wants beside it: the benchmarks run on its CPU build, which does not."""
PROJECT = "pyproject.toml"


def _as_in(name: str) -> list[str]:
    return ["--constraints", str(HERE / f"{name}.txt")]


PINNED = [*_as_in("base"), "--universal", "--upgrade"]
SETS = {
    "base": [PROJECT, "--universal", "--upgrade"],
    "test": [PROJECT, "--group", "test", *PINNED],
    "docs": [PROJECT, "--group", "docs", *PINNED, *_as_in("test")],
    "benchmark": [PROJECT, "--group", "benchmark", *PINNED],
    "release": ["--group", "release", *PINNED, *_as_in("test"), *_as_in("docs")],
    "lowest": [PROJECT, "--all-extras", "--group", "test", "--resolution", "lowest-direct", "--upgrade"],
}
"""What uv resolves for each file. Tests, docs and release share an environment, so they agree.

The lowest versions are those of what pyproject.toml names itself.
"""


def main() -> None:
    """Resolve the named sets, or all, for Python 3.11; all but the lowest keep the versions of the base."""
    for name in sys.argv[1:] or SETS:
        target = HERE / f"{name}.txt"
        options = [
            "--python-version",
            "3.11",
            "--no-header",
            "--no-emit-index-url",
            "--no-annotate",
            "--quiet",
        ]
        command = ["uv", "pip", "compile", *SETS[name], *options, "-o", str(target)]
        subprocess.run(command, check=True, cwd=ROOT)
        kept = [line for line in target.read_text().splitlines() if not line.startswith(GPU_LIBRARIES)]
        target.write_text("\n".join(kept) + "\n")
        print(f"{target.relative_to(ROOT)}: {len(kept)} packages")


if __name__ == "__main__":
    main()
