"""Refresh the pinned versions under requirements/ from pyproject.toml (needs uv on the PATH)."""

import subprocess
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
GPU_LIBRARIES = ("nvidia-", "cuda-", "triton")
"""What a GPU build of torch wants beside it: the benchmarks run on its CPU build, which does not."""
SETS = {
    "base": [],
    "test": ["--group", "test"],
    "docs": ["--group", "docs"],
    "benchmark": ["--group", "benchmark"],
}


def main() -> None:
    """Resolve each set for Python 3.11 and later; later sets keep the versions of the earlier ones."""
    for name, groups in SETS.items():
        target = HERE / f"{name}.txt"
        earlier = [] if name == "base" else ["--constraints", str(HERE / "base.txt")]
        command = ["uv", "pip", "compile", "pyproject.toml", *groups, *earlier, "--python-version", "3.11"]
        options = ["--universal", "--no-header", "--no-emit-index-url", "--upgrade", "--quiet"]
        subprocess.run([*command, *options, "--no-annotate", "-o", str(target)], check=True, cwd=ROOT)
        kept = [line for line in target.read_text().splitlines() if not line.startswith(GPU_LIBRARIES)]
        target.write_text("\n".join(kept) + "\n")
        print(f"{target.relative_to(ROOT)}: {len(kept)} packages")


if __name__ == "__main__":
    main()
