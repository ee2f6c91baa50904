"""Run the examples in README.md and write their output below them: ``python docs/figures/readme.py``.

A block of Python with a block of text after it is run, and the text becomes what it prints. In a console
block each line after a dollar sign is run, and the lines between become what it prints.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
EXAMPLE = re.compile(r"(```python\n(.*?)```\n\n```text\n).*?(```)", re.DOTALL)
CONSOLE = re.compile(r"(```console\n)(.*?)(```)", re.DOTALL)
SEMIGEN = [sys.executable, "-c", "from semigen.cli import main; main()"]


def run(words, folder):
    """Standard output, without the spaces that pad its lines."""
    environment = os.environ | {"COLUMNS": "92", "NO_COLOR": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, text=True, capture_output=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) + "\n"


def main():
    """Rewrite README.md in place."""
    with tempfile.TemporaryDirectory() as folder:

        def example(match):
            return match[1] + run([sys.executable, "-c", match[2]], folder) + match[3]

        def console(match):
            commands = [line for line in match[2].splitlines() if line.startswith("$ semigen ")]
            printed = [f"{line}\n{run([*SEMIGEN, *shlex.split(line)[2:]], folder)}" for line in commands]
            return match[1] + "\n".join(printed) + match[3]

        README.write_text(CONSOLE.sub(console, EXAMPLE.sub(example, README.read_text())))


if __name__ == "__main__":
    main()
