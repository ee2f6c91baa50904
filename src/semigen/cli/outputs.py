"""Files that appear together and complete, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from semigen.common import interrupts

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LEAST_ROOM = 2**20  # bytes, for which there must be room before anything is learned


def out_folder(name: str | Path) -> Path:
    """The folder that ``--out`` names.

    Raises
    ------
    typer.BadParameter
        If it is empty, which a shell makes of a variable that is not set.
    """
    if not str(name).strip():
        raise typer.BadParameter("--out is empty: give the name of a folder.")
    return Path(name)


@contextmanager
def complete_files(
    targets: Sequence[Path], *, force: bool, inputs: Sequence[Path] = ()
) -> Iterator[list[Path]]:
    """Give a path to write to for each file; all move to their places when the block ends without an error.

    Parameters
    ----------
    targets : sequence of path
    force : bool
        Whether existing files may be replaced.
    inputs : sequence of path
        What the block reads, which no file may replace.

    Raises
    ------
    OSError
        Before the block, if a file cannot be written, or exists and may not be replaced.
    """
    places = [_resolved(target) for target in targets]
    if len(set(places)) < len(places):
        raise FileExistsError(f"{targets[-1]} is the name of two results: give each its own.")
    for target, place in zip(targets, places, strict=True):
        if not place.parent.is_dir():
            raise FileNotFoundError(
                f"the folder {target.parent} for {target.name} does not exist: create it first."
            )
    _refuse(targets, places, inputs, force)
    folders = {place.parent: place.parent / _unfinished(place.name) for place in places}
    with _staged(list(folders.values()), str(targets[0])):
        staged = [folders[place.parent] / place.name for place in places]
        yield staged
        _refuse(targets, places, inputs, force)
        _move(list(zip(staged, places, strict=True)), targets)


@contextmanager
def complete_folder(
    folder: Path,
    names: Sequence[str],
    *,
    force: bool,
    inputs: Sequence[Path] = (),
) -> Iterator[Path]:
    """Give an empty folder to write to, whose files move to ``folder`` when the block ends without an error.

    Parameters
    ----------
    folder : path
        It may exist; files in it that are not among ``names`` stay as they are.
    names : sequence of str
        The files, with their subfolders, that the block writes.
    force, inputs
        As :func:`complete_files` has them.

    Raises
    ------
    OSError
        Before the block, if the folder cannot be written to, or a file exists that may not be replaced.
    """
    place = _resolved(folder)
    targets, places = [folder / name for name in names], [place / name for name in names]
    _refuse(targets, places, inputs, force)
    home = place
    while not home.exists():
        home = home.parent
    if not home.is_dir():
        raise FileExistsError(f"{home} is a file, where a folder would be written: choose another --out.")
    for inner in {one.parent for one in places if one.parent.exists()}:
        if inner.stat().st_dev != home.stat().st_dev or not os.access(inner, os.W_OK):
            raise PermissionError(
                f"{inner} is on another file system than {home}, or not yours to write to: choose another "
                "--out."
            )
    unfinished = home / _unfinished(place.name)
    with _staged([unfinished], str(folder)):
        yield unfinished
        _refuse(targets, places, inputs, force)
        if place.exists():
            _move([(unfinished / name, place / name) for name in names], targets)
        else:
            with interrupts.held():
                interrupts.check()
                place.parent.mkdir(parents=True, exist_ok=True)
                os.rename(unfinished, place)
                interrupts.note([folder])


def _resolved(target: Path) -> Path:
    """Where a path leads to.

    Raises
    ------
    FileNotFoundError
        If it is a link to nothing.
    """
    for one in (target, *target.parents):
        if one.is_symlink() and not one.exists():
            raise FileNotFoundError(
                f"{one} is a link to {os.readlink(one)}, which does not exist: choose another --out."
            )
    return target.resolve()


def _refuse(targets: Sequence[Path], places: Sequence[Path], inputs: Sequence[Path], force: bool) -> None:
    """Raise FileExistsError if a file is an input or a folder, or exists and ``force`` is false."""
    there = [(target, place) for target, place in zip(targets, places, strict=True) if os.path.lexists(place)]
    for target, place in there:
        if place.is_dir():
            raise FileExistsError(
                f"{target} is a folder, where a file would be written: choose another --out."
            )
        if any(one.exists() and place.exists() and place.samefile(one) for one in inputs):
            raise FileExistsError(
                f"{target} is an input of this command, which it would replace: choose another --out."
            )
    if there and not force:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise FileExistsError(
            f"{there[0][0]} exists{more} and is not overwritten: choose another --out, or add --force."
        )


@contextmanager
def _staged(folders: Sequence[Path], out: str) -> Iterator[None]:
    """Folders to write to, which are gone after the block."""
    try:
        try:
            for folder in folders:
                with interrupts.held():
                    folder.mkdir()
        except OSError as error:
            raise type(error)(
                f"{out} cannot be written ({error.strerror}, in {folder.parent}); what is there is as it "
                "was: choose another --out."
            ) from error
        try:
            for folder in folders:
                probe = folder / "probe"
                probe.write_bytes(bytes(_LEAST_ROOM))
                probe.unlink()
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise OSError(
                f"{out} cannot be written: {os.strerror(error.errno)}. What is there is as it was: free "
                "some space, or choose another --out."
            ) from error
    finally:
        with interrupts.held():
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)


def _move(moves: Sequence[tuple[Path, Path]], targets: Sequence[Path]) -> None:
    """Move files to their places, all or none: what was there comes back if one cannot be moved."""
    with interrupts.held():
        interrupts.check()
        done: list[tuple[Path, Path | None]] = []
        try:
            for source, place in moves:
                place.parent.mkdir(parents=True, exist_ok=True)
                old = source.with_name(f"{source.name}.old") if place.exists() else None
                if old is not None:
                    os.replace(place, old)
                done.append((place, old))
                os.replace(source, place)
        except BaseException:
            for place, old in reversed(done):
                if old is None:
                    place.unlink(missing_ok=True)
                else:
                    os.replace(old, place)
            raise
        interrupts.note(targets)


def _unfinished(name: str) -> str:
    return f".{name}.{secrets.token_hex(4)}.unfinished"
