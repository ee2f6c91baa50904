"""Commands in the guides, with what they print."""

import os
import shlex
import subprocess

import warm


def transcript(command: str, status: int = 0) -> None:
    """Run a command, and print it and what it prints as a terminal would show it."""
    words = shlex.split(command)
    if words[0] == "semigen":
        words[:1] = warm.program("semigen")
    environment = {name: value for name, value in os.environ.items() if "FORCE" not in name}
    environment |= {"NO_COLOR": "1"}
    done = subprocess.run(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != status:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stdout}")
    text = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    print(f"$ {command}\n{text}" + (f"\n\n(exit code {status})" if status else ""))
