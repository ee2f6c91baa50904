"""Where results go: every place that cannot take them is refused before any work, and no input is lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from command_line import RESULTS, error_of, fit, here, make_table, model, run, table
from semigen.cli.outputs import complete_files, complete_folder

__all__ = ["here", "model", "table"]  # fixtures


@pytest.fixture
def no_work(monkeypatch):
    for name in ("semigen.cli.training.learn", "semigen.cli.prediction.load"):
        monkeypatch.setattr(name, lambda *_: pytest.fail("worked"))


@pytest.fixture
def elsewhere():
    """A folder on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no other file system")
    folder = Path(tempfile.mkdtemp(dir=memory))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def as_nobody():
    """A folder of a user who may not write everywhere, as this process for a while."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


def test_a_link_to_another_file_system(table, elsewhere):
    (elsewhere / "mine.txt").write_text("mine")
    Path("out").symlink_to(elsewhere)
    fit("data.csv", "--target", "y", "--out", "out")
    assert set(os.listdir(elsewhere)) == RESULTS | {"mine.txt"}
    assert Path("out").is_symlink()


def test_a_file_that_is_a_link_to_another_file_system(here, model, elsewhere):
    make_table()[0].to_csv("new.csv", index=False)
    (elsewhere / "there.csv").write_text("old")
    Path("o.csv").symlink_to(elsewhere / "there.csv")
    run("predict", model, "new.csv", "--out", "o.csv", "--force")
    assert Path("o.csv").is_symlink()
    assert len((elsewhere / "there.csv").read_text().splitlines()) == 61
    assert os.listdir(elsewhere) == ["there.csv"]


def test_a_folder_inside_that_is_on_another_file_system_is_refused_at_once(here, elsewhere):
    Path("d").mkdir()
    Path("d/results").symlink_to(elsewhere)

    def write():
        with complete_folder(Path("d"), ["results/a"], force=False):
            pytest.fail("worked")

    with pytest.raises(PermissionError, match="another file system"):
        write()


def test_a_folder_in_a_folder_that_is_read_only(as_nobody):
    inner = as_nobody / "readonly" / "out"
    inner.mkdir(parents=True)
    (as_nobody / "readonly").chmod(0o555)
    with complete_folder(inner, ["a"], force=False) as unfinished:
        (unfinished / "a").write_text("new")
    assert (inner / "a").read_text() == "new"
    assert os.listdir(inner) == ["a"]


def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(as_nobody):
    locked = as_nobody / "locked"
    locked.mkdir()
    locked.chmod(0o555)

    def write(manager):
        with manager:
            pytest.fail("worked")

    for manager in (
        complete_folder(locked, ["a"], force=True),
        complete_folder(locked / "new" / "out", ["a"], force=True),
        complete_files([locked / "a.csv"], force=True),
    ):
        with pytest.raises(PermissionError, match=r"locked.* cannot be written \(Permission denied.*--out"):
            write(manager)
    assert os.listdir(locked) == []


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("data.csv/x", r"data\.csv is a file, where a folder would be written"),
        ("nowhere", "nowhere is a link to away, which does not exist"),
        ("nowhere/x", "nowhere is a link to away, which does not exist"),
        ("circle", "circle is a link to circle, which does not exist"),
    ],
)
def test_places_that_cannot_be_are_refused_before_any_work(table, model, no_work, out, words):
    Path("nowhere").symlink_to("away")
    Path("circle").symlink_to("circle")
    Path("nowhere.csv").symlink_to("away.csv")
    files = set(os.listdir())
    assert re.search(words, error_of(fit("data.csv", "--target", "y", "--out", out, code=1)))
    for name in (f"{out}/new.csv", "nowhere.csv"):
        for force in ((), ("--force",)):
            message = error_of(run("predict", model, "data.csv", "--out", name, *force, code=1))
            assert "does not exist" in message
    assert set(os.listdir()) == files


def test_an_empty_name_is_refused(table, no_work):
    for command in (("fit", "data.csv", "--target", "y"), ("demo",)):
        assert "--out is empty" in run(*command, "--out", "", code=2).output
    assert os.listdir() == ["data.csv"]


# --- inputs


@pytest.mark.parametrize("way", ["same", "other spelling", "symlink", "hard link"])
def test_predict_does_not_replace_its_input(here, model, no_work, way):
    make_table()[0].to_csv("t.csv", index=False)
    out = {"same": "t.csv", "other spelling": "./x/../t.csv", "symlink": "s.csv", "hard link": "h.csv"}[way]
    Path("x").mkdir()
    Path("s.csv").symlink_to("t.csv")
    os.link("t.csv", "h.csv")
    before = Path("t.csv").read_bytes()
    for force in ((), ("--force",)):
        message = error_of(run("predict", model, "t.csv", "--out", out, *force, code=1))
        assert "is an input of this command" in message
        assert "--force" not in message
    assert Path("t.csv").read_bytes() == before


def test_fit_does_not_replace_its_input(table, no_work):
    table.to_csv("predictions.csv", index=False)
    before = Path("predictions.csv").read_bytes()
    for force in ((), ("--force",)):
        message = error_of(fit("predictions.csv", "--target", "y", "--out", ".", *force, code=1))
        assert "predictions.csv is an input" in message
        assert "--force" not in message
    assert Path("predictions.csv").read_bytes() == before


# --- all or nothing


@pytest.mark.parametrize("fails_at", range(6))
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_all_files_are_replaced_or_none(tmp_path, monkeypatch, fails_at, error):
    """Three files, two renames each where there is an old one: wherever the disk fails, the old ones stay."""
    for name in "ac":
        (tmp_path / name).write_text("old")
    replace, calls = os.replace, iter(range(99))

    def failing(source, place):
        if next(calls) == fails_at:
            raise error
        replace(source, place)

    def write():
        with complete_files([tmp_path / name for name in "abc"], force=True) as staged:
            for path in staged:
                path.write_text("new")
            monkeypatch.setattr(os, "replace", failing)

    if fails_at < 5:
        with pytest.raises(type(error)):
            write()
    else:
        write()
    state = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert state == ({"a": "old", "c": "old"} if fails_at < 5 else {"a": "new", "b": "new", "c": "new"})


def test_two_results_do_not_go_to_one_place(tmp_path):
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a").write_text("old")

    def write():
        with complete_files([tmp_path / "a", tmp_path / "b"], force=True):
            pytest.fail("worked")

    with pytest.raises(FileExistsError, match="b is the name of two results"):
        write()


def test_a_full_disk_names_the_place_and_what_is_there(here, model):
    """The limit of a process on the size of its files stands for the disk."""
    make_table(n=600)[0].to_csv("new.csv", index=False)
    Path("o.csv").write_text("old")
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); "
        "from semigen.cli import main; import sys; main()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for command in (
        ["predict", str(model), "new.csv", "--out", "o.csv", "--force"],
        ["fit", "new.csv", "--target", "y", "--model", "mixture", "--out", "results"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        out = command[command.index("--out") + 1]
        said = done.stderr.strip().splitlines()[-1]
        assert said.startswith(
            f"error: {out} cannot be written: File too large. What is there is as it was"
        ), said
        assert "--out" in said
    assert Path("o.csv").read_text() == "old"
    assert set(os.listdir()) == {"new.csv", "o.csv"}
