"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_at_once(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and move it there when the block ends without an error.

    Raises
    ------
    FileExistsError
        If ``path`` exists and ``overwrite`` is false, before and after the block.
    FileNotFoundError
        If the folder of ``path`` does not exist.
    """
    refuse_existing(path, overwrite)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} for {path.name} does not exist: create it first.")
    place = path.resolve()  # a link stays, and what it leads to may be on another file system
    unfinished = place.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        yield unfinished
        refuse_existing(path, overwrite)
        os.replace(unfinished, place)
    finally:
        unfinished.unlink(missing_ok=True)


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise FileExistsError if ``path`` is a folder, or a file that may not be overwritten."""
    if path.is_dir():
        raise FileExistsError(f"{path} is a folder: give the name of a file.")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists and is not overwritten: choose another name, or pass overwrite=True."
        )


def first_line(error: BaseException) -> str:
    """What a library says about a file that it cannot read, short enough to be part of a sentence."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
