"""Python programs that start at once: forked from a process that has loaded the libraries.

``python warm.py MODULE ARGUMENTS`` is ``python -m MODULE ARGUMENTS``. Kernels of the guides, and commands in
them, take longer to load their libraries than most of them compute.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path

LIBRARIES = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "pandas",
    "PIL.Image",
    "scipy.stats",
    "semigen.cli",
    "semigen.deep",
    "semigen.ensemble.auto",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.model_selection",
    "ipykernel.ipkernel",
)
ADDRESS = "SEMIGEN_WARM"
"""Variable with the place of the socket; without it programs start as they always do."""


def begin() -> subprocess.Popen:
    """Start the process that forks, and have Jupyter ask it.

    It says on its standard output that it is ready, and ends when its standard input does.
    """
    place = str(Path(tempfile.mkdtemp()) / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        number = listening.fileno()
        environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        environment["OMP_NUM_THREADS"] = "1"  # a pool of threads does not survive a fork
        command = [sys.executable, __file__, "--serve", str(number)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(command, **pipes, pass_fds=[number], env=environment)
    os.environ |= {ADDRESS: place, "JUPYTER_PATH": str(Path(__file__).parent)}  # has kernels/python3
    return process


def serve(listening: socket.socket) -> None:
    """Fork a program for each request, until standard input ends."""
    for name in LIBRARIES:
        import_module(name)
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
        asking, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(asking)
        asking.close()
    shutil.rmtree(Path(listening.getsockname()).parent)


def _become(asking: socket.socket) -> None:
    """Take over what the asking process has, run its program, and tell how it ended."""
    request, streams, *_ = socket.recv_fds(asking, 2**20, 3)
    (module, *arguments), folder, environment = json.loads(request)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    status = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):  # nobody waits any more
            asking.sendall(bytes([status]))
        os._exit(status)


def program(module: str) -> list[str]:
    """The command that runs a module, warm where there is a process that forks."""
    return [sys.executable, *(["-I", __file__] if ADDRESS in os.environ else ["-m"]), module]


def ask(arguments: list[str]) -> int:
    """Have a program run, and wait for its end; returns the exit status."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ[ADDRESS])
        request = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(server, [request], [0, 1, 2])
        return (server.recv(1) or b"\1")[0]


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(socket.socket(fileno=int(sys.argv[2])))
        os._exit(0)  # to take all libraries down is of no use
    else:
        sys.exit(ask(sys.argv[1:]))
