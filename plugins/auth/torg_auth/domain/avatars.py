"""Cleaning a picture of a person: whatever comes in, a small plain picture goes out.

Everything is decoded and drawn anew, so that neither metadata nor foreign bytes survive.
"""

import io
import struct
import zlib
from typing import Final

from PIL import Image, ImageOps

SIDE: Final = 512
LARGEST_BYTES: Final = 5 * 1024 * 1024
# Decoding takes four bytes a pixel: 100 MB at most, whatever the file says of itself.
MOST_PIXELS: Final = 25_000_000
CONTENT_TYPE: Final = "image/webp"
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# A hostile file makes decoders raise nearly anything; none of it is a fault of ours.
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class NoPictureError(Exception):
    """The bytes are no picture of an accepted kind, or a broken or oversized one."""


def cleaned(content: bytes) -> bytes:
    """The picture as WebP of at most 512 x 512 pixels, the right way up, without metadata.

    The shape is kept; of a moving picture the first frame is taken.

    Raises:
        NoPictureError: not PNG, JPEG, WebP or GIF; truncated; too many bytes or pixels.
    """
    if not 0 < len(content) <= LARGEST_BYTES:
        raise NoPictureError
    try:
        return _drawn_anew(content)
    except _UNREADABLE as error:
        raise NoPictureError from error


def _drawn_anew(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        # The size stands in the header: nothing has been unpacked before this line.
        if image.width * image.height > MOST_PIXELS:
            raise NoPictureError
        # JPEG can be decoded at a fraction of its size; other formats ignore this.
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        image.load()
        upright = ImageOps.exif_transpose(image)
        mode = "RGBA" if upright.has_transparency_data else "RGB"
        picture = upright.convert(mode)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    # A new canvas has no metadata that saving could carry over.
    plain = Image.new(mode, picture.size)
    plain.paste(picture)
    written = io.BytesIO()
    plain.save(written, "WEBP", quality=85, method=4)
    return written.getvalue()
