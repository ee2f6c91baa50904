"""Image files as rows of numbers, through Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from semigen.exceptions import MissingExtraError, TableError
from semigen.io.files import first_line

if TYPE_CHECKING:
    from PIL.Image import Image

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_WHITE = (255, 255, 255, 255)

Pixels = NDArray[np.uint8]
"""Of one image: (height, width), or (height, width, 3) where a pixel has a color."""


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
        raise TableError(f"{folder} {what}: give the folder that contains the images.")
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)
    found = sorted(
        name.as_posix()
        for name in names
        if not any(part.startswith(".") for part in name.parts) and (folder / name).is_file()
    )
    if not found:
        raise TableError(
            f"{folder} contains no image: files ending in {', '.join(_ENDINGS)} are read, also in subfolders."
        )
    return found


def read_image(path: Path, size: tuple[int, int] | None = None) -> Pixels:
    """Pixels of a file, resized to (height, width) if that is given. What is transparent is white.

    Raises
    ------
    TableError
        If the file cannot be read as an image of 8 or 16 bits.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            image = _as_rgb(ImageOps.exif_transpose(opened))
            if size is not None:
                image = image.resize(size[::-1], Image.Resampling.BICUBIC)
    # Pillow raises whatever a damaged file leads it to.
    except Exception as error:
        raise TableError(
            f"{path} cannot be read as an image ({first_line(error)}): repair it or remove it."
        ) from error
    pixels: Pixels = np.asarray(image)
    is_gray = (pixels == pixels[..., :1]).all()
    return pixels[..., 0].copy() if is_gray else pixels


def as_gray(pixels: Pixels) -> Pixels:
    """The brightness of an image in color."""
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))


def pixel_rows(images: Sequence[Pixels], form: ImageForm) -> NDArray[np.float32]:
    """Pixels from 0 to 1, (n, channels · height · width)."""
    rows = np.empty((len(images), form.channels, form.height, form.width), dtype=np.float32)
    for row, image in zip(rows, images, strict=True):
        row[:] = np.moveaxis(image, -1, 0) if image.ndim == 3 else image
    rows /= 255
    return rows.reshape(len(images), -1)


def _as_rgb(image: Image) -> Image:
    """Three channels of 8 bits."""
    from PIL import Image

    if image.mode.startswith("I;16"):  # Pillow's own conversion cuts off at 255
        return Image.fromarray(np.rint(np.asarray(image) / 257.0).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("a 32-bit pixel has no largest value; save it with 8 or 16 bits")
    if image.has_transparency_data:
        behind = Image.new("RGBA", image.size, _WHITE)
        return Image.alpha_composite(behind, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")
