"""Folders of images: which files are in one, what a table says about them, and their pixels as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.console import Output
from semigen.cli.report import say_images
from semigen.cli.rows import Rows, Task, warn_about_labels
from semigen.cli.tables import counted, labels_of, read_table, require_columns
from semigen.columns.tables import hint, listing
from semigen.exceptions import MissingExtraError, ModelFileError, TableError

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "file"
"""Name of the column of file names in predictions."""

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_MOST_CELLS = 2**30  # 4 GiB of pixels; fits take several times that
_MANY_NUMBERS = 3 * 64 * 64  # of an image
_WHITE = (255, 255, 255, 255)
_RESIZE = "--image-size HEIGHTxWIDTH, such as --image-size 32x32"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ImageForm:
    """How an image becomes a row: channel by channel, each line by line, from 0 for black to 1.

    Attributes
    ----------
    height, width : int
        Pixels.
    channels : int
        1 for gray, 3 for red, green and blue.
    resized : bool
        Whether images of another size are brought to this one.
    """

    height: int
    width: int
    channels: int
    resized: bool

    def __str__(self) -> str:
        shape = f"{self.height} x {self.width} pixels, {'gray' if self.channels == 1 else 'color'}"
        return f"{shape}, resized" if self.resized else shape

    @classmethod
    def of_notes(cls, notes: Mapping[str, Any], path: Path) -> ImageForm | None:
        """The form that is noted in a model file, None if the model does not read images."""
        noted = notes.get("images")
        if noted is None:
            return None
        try:
            height, width, channels = (int(noted[name]) for name in ("height", "width", "channels"))
            return cls(height, width, channels, bool(noted["resized"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{path} does not say how images are read: the file is damaged or was changed."
            ) from error


def read_image_rows(task: Task, output: Output) -> Rows:
    """Read the table of labels and the folder of images, and say what is there.

    Raises
    ------
    SemigenError
        If the table, the folder or an image cannot be used, with its name.
    """
    files = image_files(task.source)
    labels = _labels(task, files, output)
    images: list[Pixels] = []
    for image in _images(task.source, files, task.image_size, output):
        images.append(image)
        _refuse_unlike(files, images)
    channels = 1 if all(image.ndim == 2 for image in images) else 3
    height, width = images[0].shape[:2]
    form = ImageForm(height, width, channels, resized=task.image_size is not None)
    labeled = Counter(label for label in labels if label is not None)
    say_images(output, task.source.name, task.target, len(files), labeled, str(form))
    warn_about_labels(task, labels, output)
    features = _rows_of(images, form)
    if features.shape[1] > _MANY_NUMBERS:
        output.warn(
            f"an image has {features.shape[1]:,} numbers. {_RESIZE} makes fits faster, and often better."
        )
    family = "gaussian" if task.has_families else None
    return Rows(
        pa.array(files), FILE, (), features, "number", family, None, labels, labeled, None, images=form
    )


def read_new_images(folder: Path, form: ImageForm, output: Output) -> tuple[list[str], NDArray[np.float32]]:
    """Names of the images of a folder, and their pixels as a model was fitted on them, (n, features).

    Raises
    ------
    SemigenError
        If the folder or an image cannot be used, with its name.
    """
    files = image_files(folder)
    size = (form.height, form.width)
    read = _images(folder, files, size if form.resized else None, output)
    images = []
    n_colored = 0
    for name, image in zip(files, read, strict=True):
        if image.shape[:2] != size:
            raise TableError(
                f"{folder / name} has {_size(image)} pixels, and the model was fitted on images of "
                f"{form.height} x {form.width}: resize it, or fit the model with --image-size "
                f"{form.height}x{form.width}, which resizes new images, too."
            )
        if image.ndim == 3 and form.channels == 1:
            n_colored += 1
            image = _as_gray(image)
        images.append(image)
    if n_colored:
        what = counted(n_colored, "image")
        output.warn(f"{what} in color read as gray, since the model was fitted on gray ones.")
    return files, _rows_of(images, form)


def image_files(folder: Path) -> list[str]:
    """The images in a folder and its subfolders, relative to it, by name. Hidden files are left out.

    Raises
    ------
    TableError
        If there is no such folder, or no image in it.
    MissingExtraError
        If Pillow is not installed.
    """
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            'reading images needs Pillow, which the extra "images" installs: pip install "semigen[images]".'
        ) from error
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise TableError(f"{folder} {what}: give the folder of the images to --images.")
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)
    found = sorted(
        name.as_posix()
        for name in names
        if not any(part.startswith(".") for part in name.parts) and (folder / name).is_file()
    )
    if not found:
        raise TableError(
            f"{folder} has no image: files that end in {', '.join(_ENDINGS)} are read, in subfolders, too."
        )
    return found


def _labels(task: Task, files: Sequence[str], output: Output) -> NDArray[Any]:
    """The label of each file, None where the table has none, (n,)."""
    assert task.labels is not None
    table = read_table(task.labels, [task.id] if task.id else [])
    first = task.id or table.column_names[0]
    require_columns(table, [first], task.labels, "--id")
    require_columns(table, [task.target], task.labels, "--target")
    if first == task.target:
        raise TableError(
            f"{task.labels}: the first column {first!r} is the target: say with --id which column has the "
            "names of the files."
        )
    given = labels_of(table, task.target, task.unlabeled)
    cells = table[first].to_pylist()
    if None in cells:
        raise TableError(f"{task.labels}: column {first!r} has no file name in row {cells.index(None) + 1}.")
    names = [Path(str(cell)).as_posix() for cell in cells]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise TableError(
            f"{task.labels} names a file in more than one row: {listing(list(map(repr, twice)), 3)}. Keep "
            "one row a file."
        )
    of_name = dict(zip(names, given, strict=True))
    there = set(files)
    absent = [name for name in names if name not in there]
    labeled = [name for name in absent if of_name[name] is not None]
    if labeled:
        raise TableError(
            f"{task.labels} labels {counted(len(labeled), 'file')} that {task.source} does not have: "
            f"{listing(list(map(repr, labeled)), 3)}. Column {first!r} (--id names another) must have names "
            f"relative to that folder, with their endings; {hint(labeled[0], files)}"
        )
    if absent:
        output.warn(
            f"{task.source} does not have {counted(len(absent), 'unlabeled file')} of {task.labels.name}: "
            f"{listing(absent, 3)}."
        )
    labels = np.empty(len(files), dtype=object)
    labels[:] = [of_name.get(name) for name in files]
    return labels


def _images(
    folder: Path, files: Sequence[str], size: tuple[int, int] | None, output: Output
) -> Iterator[Pixels]:
    """The pixels of one file after the other, resized where a size is given."""
    with output.progress("reading images") as progress:
        for done, name in enumerate(files):
            progress(done, len(files))
            yield _read(folder / name, size)


def _read(path: Path, size: tuple[int, int] | None) -> Pixels:
    """Pixels of a file, (height, width), or (height, width, 3) where one of them has a color."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            image = _as_rgb(ImageOps.exif_transpose(opened))
            if size is not None:
                image = image.resize(size[::-1], Image.Resampling.BICUBIC)
    # Pillow raises whatever a damaged file leads it to.
    except Exception as error:
        raise TableError(
            f"{path} cannot be read as an image ({_first_line(error)}): mend it, or take it away."
        ) from error
    pixels: Pixels = np.asarray(image)
    is_gray = (pixels == pixels[..., :1]).all()
    return pixels[..., 0].copy() if is_gray else pixels


def _as_rgb(image: Image) -> Image:
    """Three channels of 8 bits; what is transparent is white."""
    from PIL import Image

    if image.mode.startswith("I;16"):  # Pillow's own conversion cuts off at 255
        return Image.fromarray(np.rint(np.asarray(image) / 257.0).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("a pixel of 32 bits has no largest value; save it with 8 or 16")
    if image.has_transparency_data:
        behind = Image.new("RGBA", image.size, _WHITE)
        return Image.alpha_composite(behind, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _as_gray(pixels: Pixels) -> Pixels:
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))


def _refuse_unlike(files: Sequence[str], images: Sequence[Pixels]) -> None:
    """Refuse the image read last if it has another size than the first, and the first if all are too much."""
    first, last = images[0].shape[:2], images[-1].shape[:2]
    if len(images) == 1 and len(files) * images[0].size > _MOST_CELLS:
        raise TableError(
            f"{counted(len(files), 'image')} of {_size(images[0])} pixels are more than {_MOST_CELLS:,} "
            f"numbers: make them smaller with {_RESIZE}."
        )
    if last != first:
        raise TableError(
            f"images have unlike sizes: {files[0]} has {_size(images[0])} pixels (height x width) and "
            f"{files[len(images) - 1]} has {_size(images[-1])}. {_RESIZE} brings all to one size."
        )


def _rows_of(images: Sequence[Pixels], form: ImageForm) -> NDArray[np.float32]:
    """Pixels from 0 to 1, (n, channels · height · width)."""
    shape = (form.channels, form.height, form.width)
    rows = np.empty((len(images), *shape), dtype=np.float32)
    for row, image in zip(rows, images, strict=True):
        row[:] = np.moveaxis(image, -1, 0) if image.ndim == 3 else image
    rows /= 255
    return rows.reshape(len(images), -1)


def _size(image: Pixels) -> str:
    return f"{image.shape[0]} x {image.shape[1]}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
