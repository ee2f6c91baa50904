"""The images of a folder, and a table that labels some of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.sources.journal import is_journal, journal_labels
from semigen.cli.sources.labels import labels_of, require_columns
from semigen.cli.sources.records import Labels, ReadOptions, Rows, Source
from semigen.cli.wording import Lines, counted
from semigen.columns import Kind
from semigen.columns.tables import hint, listing
from semigen.common.progress import Progress
from semigen.exceptions import ModelFileError, TableError
from semigen.io.images import ImageForm, Pixels, as_gray, image_files, pixel_rows, read_image
from semigen.io.tables import filled, open_table

FILE = "file"
"""Name of the column of file names in predictions."""

_MOST_CELLS = 2**30  # 4 GiB of pixels; fits take several times that
_MANY_NUMBERS = 3 * 64 * 64  # of an image
_RESIZE = "--image-size HEIGHTxWIDTH, such as --image-size 32x32"


@dataclass(frozen=True, eq=False)
class ImageSource(Source):
    """Pixels from 0 for black to 1.

    Attributes
    ----------
    labels_path : Path
        The table of labels.
    form : ImageForm
        How an image became a row.
    """

    labels_path: Path
    form: ImageForm

    unit: ClassVar[str] = "image"

    @classmethod
    def read(
        cls,
        folder: Path,
        target: str,
        *,
        labels: Path,
        progress: Progress,
        size: tuple[int, int] | None = None,
        id_name: str | None = None,
        options: ReadOptions | None = None,
    ) -> Self:
        """Read images to learn from.

        Parameters
        ----------
        folder : Path
        target : str
            The column of the classes in the table of labels.
        labels : Path
            That table; an image that is not in it has no label.
        progress : callable
            Called with the images read, the images in all and the name of the next.
        size : (height, width), optional
            What images are resized to.
        id_name : str, optional
            The column of the file names; the first one if it is not given.
        options : ReadOptions, optional

        Raises
        ------
        SemigenError
            If the table, the folder or an image cannot be used, with its name.
        """
        files = image_files(folder)
        labeled, notes = _labels(folder, files, labels, target, id_name, options or ReadOptions())
        if size is not None:
            _refuse_many(files, size)
        images: list[Pixels] = []
        for done, name in enumerate(files):
            progress(done, len(files), "")
            images.append(read_image(folder / name, size))
            _refuse_sizes(files, images)
        height, width = images[0].shape[:2]
        channels = 1 if all(image.ndim == 2 for image in images) else 3
        form = ImageForm(height, width, channels, resized=size is not None)
        features = pixel_rows(images, form)
        large = (
            f"each image has {features.shape[1]:,} numbers. {_RESIZE} makes the fit faster and often better.",
        )
        rows = Rows(features, pa.array(files), FILE, large if features.shape[1] > _MANY_NUMBERS else ())
        return cls(folder, rows, Labels(target, labeled, None, notes), (), labels, form)

    @staticmethod
    def read_new(folder: Path, form: ImageForm, progress: Progress) -> Rows:
        """Read the images of another folder as a model's were.

        Raises
        ------
        SemigenError
            If the folder or an image cannot be used, with its name.
        """
        files = image_files(folder)
        size = (form.height, form.width)
        images = []
        n_colored = 0
        for done, name in enumerate(files):
            progress(done, len(files), "")
            image = read_image(folder / name, size if form.resized else None)
            if image.shape[:2] != size:
                raise TableError(
                    f"{folder / name} has {_size(image.shape)} pixels, and the model was fitted on images of "
                    f"{form.height} x {form.width}: resize it, or fit the model with --image-size "
                    f"{form.height}x{form.width}, so that new images are resized, too."
                )
            if image.ndim == 3 and form.channels == 1:
                n_colored += 1
                image = as_gray(image)
            images.append(image)
        what = counted(n_colored, "color image")
        gray = (f"{what} converted to gray, since the model was fitted on gray images.",)
        return Rows(pixel_rows(images, form), pa.array(files), FILE, gray if n_colored else ())

    @property
    def kinds(self) -> Kind:
        """Pixels are numbers."""
        return "number"

    def family(self, of_kind: Mapping[Kind, str]) -> str:
        """One for all pixels."""
        return of_kind["number"]

    def about(self) -> dict[str, Any]:
        """The folder, the table of labels, and how images are read."""
        return {"folder": str(self.path), "labels": str(self.labels_path), "images": asdict(self.form)}

    def _describe_features(self) -> Lines:
        return [("size", str(self.form))]


def noted_form(notes: Mapping[str, Any], path: Path) -> ImageForm | None:
    """How the images of a model were read, by the notes in its file; None if it does not read images.

    Raises
    ------
    ModelFileError
        If the notes are damaged.
    """
    noted = notes.get("images")
    if noted is None:
        return None
    try:
        height, width, channels = (int(noted[name]) for name in ("height", "width", "channels"))
        return ImageForm(height, width, channels, bool(noted["resized"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path} does not say how images are read: the file is damaged or was changed."
        ) from error


def _labels(
    folder: Path, files: Sequence[str], path: Path, target: str, id_name: str | None, options: ReadOptions
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The label of each file, None where the table has none, (n,), and what is to be noted about them."""
    if is_journal(path):
        known, sets = journal_labels(folder, path, target, None, options)
        unused = f"{counted(len(sets), 'image')} with several possible classes taken as unlabeled."
        return known, (unused,) if sets else ()
    file = open_table(path, options.reading)
    first = id_name or file.names[0]
    require_columns(file.names, [first], path, "--id")
    require_columns(file.names, [target], path, "--target")
    if first == target:
        raise TableError(
            f"{path}: the first column {first!r} is the target: name the column of file names with --id."
        )
    table = filled(path, file.written([first, target]))
    given, notes = labels_of(table, target, path, options)
    cells = table[first].to_pylist()
    if None in cells:
        raise TableError(f"{path}: column {first!r} has no file name in row {cells.index(None) + 1}.")
    names = [Path(str(cell)).as_posix() for cell in cells]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise TableError(
            f"{path} names a file in more than one row: {listing(list(map(repr, twice)), 3)}. Keep one row "
            "per file."
        )
    of_name = dict(zip(names, given, strict=True))
    there = set(files)
    absent = [name for name in names if name not in there]
    labeled = [name for name in absent if of_name[name] is not None]
    if labeled:
        raise TableError(
            f"{path} labels {counted(len(labeled), 'file')} that {folder} does not contain: "
            f"{listing(list(map(repr, labeled)), 3)}. Column {first!r} (--id names another) must have names "
            f"relative to that folder, with their extensions; {hint(labeled[0], files)}"
        )
    labels = np.empty(len(files), dtype=object)
    labels[:] = [of_name.get(name) for name in files]
    notes = (*file.notes, *notes)
    if absent:
        what = counted(len(absent), "unlabeled file")
        notes += (f"{folder} does not contain {what} of {path.name}: {listing(absent, 3)}.",)
    return labels, notes


def _refuse_sizes(files: Sequence[str], images: Sequence[Pixels]) -> None:
    """Refuse the image read last if it has another size than the first, and the first if all are too much."""
    first, last = images[0].shape, images[-1].shape[:2]
    if len(images) == 1:
        _refuse_many(files, first)
    if last != first[:2]:
        raise TableError(
            f"images differ in size: {files[0]} has {_size(first)} pixels (height x width) and "
            f"{files[len(images) - 1]} has {_size(last)}. {_RESIZE} brings all to one size."
        )


def _refuse_many(files: Sequence[str], shape: Sequence[int]) -> None:
    """Refuse images of (height, width, …) whose numbers are too many."""
    if len(files) * math.prod(shape) > _MOST_CELLS:
        raise TableError(
            f"{counted(len(files), 'image')} of {_size(shape)} pixels are more than {_MOST_CELLS:,} "
            f"numbers: make them smaller with {_RESIZE}."
        )


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]} x {shape[1]}"
