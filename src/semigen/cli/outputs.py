"""Output folders that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def refuse_existing(paths: Sequence[Path], *, force: bool) -> None:
    """Raise FileExistsError if one of the files exists and ``force`` is false, or one is a folder."""
    there = [path for path in paths if path.exists() or path.is_symlink()]
    folders = [path for path in there if path.is_dir()]
    if folders:
        raise FileExistsError(
            f"{folders[0]} is a folder, where a file would be written: choose another --out."
        )
    if there and not force:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise FileExistsError(
            f"{there[0]} exists{more} and is not overwritten: choose another --out, or add --force."
        )


@contextmanager
def complete_folder(folder: Path, names: Sequence[str], *, force: bool) -> Iterator[Path]:
    """Give an empty folder to write to, whose files move to ``folder`` when the block ends without an error.

    Parameters
    ----------
    folder : path
        It may exist; files in it that are not among ``names`` stay as they are.
    names : sequence of str
        The files, with their subfolders, that the block writes.
    force : bool
        Whether existing ones may be replaced.

    Raises
    ------
    FileExistsError
        Before the block, if a file exists that may not be replaced.
    """
    targets = [folder / name for name in names]
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, where a folder would be written: choose another --out.")
    refuse_existing(targets, force=force)
    absolute = folder.absolute()
    parent = absolute.parent
    while not parent.is_dir():
        parent = parent.parent
    unfinished = parent / f".{absolute.name}.{secrets.token_hex(4)}.unfinished"
    unfinished.mkdir()
    try:
        yield unfinished
        refuse_existing(targets, force=force)
        if folder.exists():
            for target, name in zip(targets, names, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(unfinished / name, target)
        else:
            folder.parent.mkdir(parents=True, exist_ok=True)
            os.rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
