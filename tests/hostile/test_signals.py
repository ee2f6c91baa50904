"""Ctrl-C, SIGTERM and SIGHUP at any moment of a command: all or nothing is there, and it says which."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import command_line
from command_line import RESULTS, fit, make_table
from semigen.cli.outputs import complete_files
from semigen.common import interrupts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
# A shell that runs the tests in the background has their processes ignore Ctrl-C.
CODE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from semigen.__main__ import main; from semigen.common import interrupts; listen = interrupts.listen; "
    "interrupts.listen = lambda: (listen(), print('listening', flush=True)); main()"
)
COMMANDS = {
    "fit": ["fit", "data.csv", "--target", "y", "--model", "mixture", "--out", "out"],
    "predict": ["predict", "m.semigen", "data.csv", "--out", "out"],
    "demo": ["demo", "--table", "iris", "--out", "out"],
    "fit --force": ["fit", "data.csv", "--target", "y", "--model", "mixture", "--out", "old", "--force"],
}


def start(command, folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *command],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    make_table()[0].to_csv(folder / "data.csv", index=False)
    fit(folder / "data.csv", "--target", "y", "--out", folder / "old")
    for name in RESULTS - {"model.semigen"}:
        (folder / "old" / name).write_text("old")
    shutil.copy(folder / "old" / "model.semigen", folder / "m.semigen")
    return folder


def interrupt(command, prepared, folder, number, after):
    """Send a signal after some seconds; check what is there and what was said. Returns the exit code."""
    shutil.copytree(prepared, folder)
    command = [*command[:-1], "out.csv"] if command[0] == "predict" else command
    before = content(folder)
    process = start(command, folder)
    process.stdout.readline()  # Python itself has started, which takes long on a machine under load
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    where = f"{number.name} after {after:.2f} s of {command[0]}: {process.returncode}, {errors}"
    assert "Traceback" not in errors, where
    assert not [path for path in folder.rglob("*") if path.name.endswith(".unfinished")], where
    now = content(folder)
    if process.returncode == 0:
        assert now != before, where
        return 0
    assert process.returncode == CODES[number], where
    if "is complete" in errors:
        assert now != before, where
    else:
        assert now == before, where
        assert "interrupted; nothing was written" in errors, where
    return process.returncode


def seconds_of(command, prepared, folder):
    shutil.copytree(prepared, folder)
    command = [*command[:-1], "out.csv"] if command[0] == "predict" else command
    begin = time.monotonic()
    process = start(command, folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return time.monotonic() - begin


@pytest.mark.parametrize(
    ("name", "number", "share"),
    [
        ("fit", signal.SIGTERM, 0.6),
        ("fit --force", signal.SIGINT, 0.95),
        ("predict", signal.SIGHUP, 0.8),
        ("demo", signal.SIGTERM, 0.5),
    ],
)
def test_a_signal_ends_a_command_cleanly(prepared, tmp_path, name, number, share):
    seconds = 3.0 if name == "demo" else 2.0
    interrupt(COMMANDS[name], prepared, tmp_path / "here", number, share * seconds)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_moment_of_a_command_loses_anything(prepared, tmp_path, name):
    seconds = seconds_of(COMMANDS[name], prepared, tmp_path / "whole")
    codes = []
    for moment, after in enumerate(np.linspace(0.0, 1.02 * seconds, 30)):
        number = (signal.SIGINT, signal.SIGTERM)[moment % 2]
        codes.append(interrupt(COMMANDS[name], prepared, tmp_path / str(moment), number, float(after)))
        shutil.rmtree(tmp_path / str(moment))
    assert sum(code != 0 for code in codes) >= 10


# --- in this process


@pytest.fixture
def listening():
    """The process notices signals as the command line does."""
    before = {number: signal.getsignal(number) for number in CODES}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupts.listen()
    interrupts.begin()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    interrupts._STATE.number = None
    interrupts.begin()


def test_an_interrupt_that_a_library_swallows_is_not_lost(listening):
    with suppress(KeyboardInterrupt):  # as a callback of a library would
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(interrupts.Interrupted):
        interrupts.check()
    assert interrupts.exit_code() == 130


def test_a_whole_step_ends_before_the_signal_is_raised(listening):
    steps = []

    def step():
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("after the signal")

    with pytest.raises(interrupts.Interrupted):
        step()
    assert steps == ["after the signal"]
    assert interrupts.exit_code() == 143


def test_a_signal_between_two_renames_leaves_all_files_new(listening, tmp_path, monkeypatch):
    targets = [tmp_path / name for name in "abc"]
    for target in targets:
        target.write_text("old")
    replace = os.replace

    def replaced(source, place):
        if Path(place).name == "b":
            os.kill(os.getpid(), signal.SIGINT)
        replace(source, place)

    def write():
        with complete_files(targets, force=True) as staged:
            for path in staged:
                path.write_text("new")

    monkeypatch.setattr(os, "replace", replaced)
    with pytest.raises(interrupts.Interrupted):
        write()
    assert [target.read_text() for target in targets] == ["new"] * 3
    assert interrupts.message() == f"interrupted; {', '.join(map(str, targets))} is complete."
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]


def test_a_swallowed_signal_is_raised_before_anything_is_replaced(listening, tmp_path):
    target = tmp_path / "a"
    target.write_text("old")

    def write():
        with complete_files([target], force=True) as (staged,), suppress(KeyboardInterrupt):
            staged.write_text("new")
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(interrupts.Interrupted):
        write()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_whatever_an_interrupt_became_it_is_called_an_interrupt(listening, tmp_path, monkeypatch):
    """Such as scikit-learn's or skops' error about the object that they were busy with."""

    def swallow(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise ValueError("cannot be saved without pickle") from None

    make_table()[0].to_csv(tmp_path / "data.csv", index=False)
    monkeypatch.setattr("semigen.cli.training.save", swallow)
    arguments = (
        "fit",
        tmp_path / "data.csv",
        "--target",
        "y",
        "--model",
        "mixture",
        "--out",
        tmp_path / "out",
    )
    result = command_line.run(*arguments, code=130)
    assert result.stderr.strip().endswith("error: interrupted; nothing was written.")
    assert os.listdir(tmp_path) == ["data.csv"]


def test_signals_that_are_ignored_stay_ignored(listening):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts.listen()
    os.kill(os.getpid(), signal.SIGHUP)
    assert interrupts.received() is None


def test_after_the_end_no_signal_makes_a_noise(listening):
    interrupts.ignore()
    os.kill(os.getpid(), signal.SIGTERM)
    assert interrupts.received() is None
