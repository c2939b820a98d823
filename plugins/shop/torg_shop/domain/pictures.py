"""Cleaning a picture of a product: whatever comes in, plain WebP without metadata goes out. Pure.

Everything is decoded and drawn anew, so that no foreign byte reaches a visitor.
"""

import io
import struct
import zlib
from typing import Final

from PIL import Image, ImageOps

LARGEST_BYTES: Final = 10 * 1024 * 1024
MOST_PIXELS: Final = 25_000_000
CONTENT_TYPE: Final = "image/webp"
SIDE: Final = 1600
THUMBNAIL_SIDE: Final = 320
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# A hostile file makes decoders raise nearly anything; none of it is a fault of ours.
_UNREADABLE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, MemoryError, EOFError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


class UnreadableError(Exception):
    """The bytes are no picture of an accepted kind, or a broken or oversized one."""


def cleaned(content: bytes, side: int = SIDE) -> bytes:
    """The picture as WebP of at most `side` pixels each way, the right way up.

    Raises:
        UnreadableError: not PNG, JPEG, WebP or GIF; truncated; too many bytes or pixels.
    """
    if not 0 < len(content) <= LARGEST_BYTES:
        raise UnreadableError
    try:
        return _drawn_anew(content, side)
    except _UNREADABLE as error:
        raise UnreadableError from error


def _drawn_anew(content: bytes, side: int) -> bytes:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        # Known from the header: nothing has been unpacked before this line.
        if image.width * image.height > MOST_PIXELS:
            raise UnreadableError
        image.draft("RGB", (2 * side, 2 * side))
        image.load()
        upright = ImageOps.exif_transpose(image)
        mode = "RGBA" if upright.has_transparency_data else "RGB"
        picture = upright.convert(mode)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    plain = Image.new(mode, picture.size)
    plain.paste(picture)
    written = io.BytesIO()
    plain.save(written, "WEBP", quality=82, method=3)
    return written.getvalue()
