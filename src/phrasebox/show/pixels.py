"""The image of a grounding, as upright RGB in the size that its boxes refer to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.io.images import load_image
from phrasebox.types import Regions


def photograph(image: np.ndarray | Path, regions: Regions) -> Image.Image:
    """Open the image that the regions were found in.

    Parameters
    ----------
    image : (H, W, 3) uint8 array or Path
        RGB, or a picture file; the file's EXIF rotation is applied.
    regions : Regions
        Their width and height must be the picture's.

    Raises
    ------
    DataError
        If the file cannot be read, the array is not RGB bytes, or the size is another one.
    """
    if isinstance(image, Path):
        name = str(image)
        try:
            picture = Image.fromarray(load_image(image))
        except DataError as error:
            raise DataError(f"cannot read the image: {error}; restore the file, or import it again") from error
    else:
        name = "the image array"
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DataError(f"an image array must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
        picture = Image.fromarray(np.ascontiguousarray(image))
    if picture.size != (regions.width, regions.height):
        raise DataError(
            f"{name} has {picture.width}x{picture.height} pixels but its regions refer to "
            f"{regions.width}x{regions.height}; give the upright image that they were made from"
        )
    return picture
