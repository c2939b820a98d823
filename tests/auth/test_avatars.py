"""Rule 8: a picture is drawn anew, whatever comes in; hostile files are refused or cleaned."""

import base64
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from torg import storage
from torg_auth.domain.avatars import LARGEST_BYTES, NoPictureError, cleaned

SCRIPT = b"<script>alert(1)</script>"


def picture(kind: str = "PNG", size: tuple[int, int] = (800, 400), **options: Any) -> bytes:
    """A picture with a red left half and a blue right one."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, size[0], size[1]))
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def opened(content: bytes) -> Image.Image:
    """The picture that came out."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(chunks) + _chunk(b"IEND", b"")


def _with_exif(orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Secret camera"
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    return picture("JPEG", exif=exif)


def _svg() -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


BOMB = _png(30_000, 30_000, _chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000)))
REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "text": b"this is no picture",
    "svg": _svg(),
    "svg with a declaration": b'<?xml version="1.0"?>' + _svg(),
    "html": b"<!doctype html>" + SCRIPT,
    "pdf": b"%PDF-1.7\n" + b"0" * 500,
    "bomb of pixels": BOMB,
    "just too many pixels": _png(5001, 5000, _chunk(b"IDAT", zlib.compress(b""))),
    "no pixels": _png(0, 0, _chunk(b"IDAT", zlib.compress(b""))),
    "the widest png": _png(2**31 - 1, 2**31 - 1, _chunk(b"IDAT", b"")),
    "bomb of text": _png(
        8, 8, _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"A" * 80_000_000, 9))
    ),
    "truncated png": picture("PNG", (300, 300))[:-40],
    "half of a jpeg": picture("JPEG")[: len(picture("JPEG")) // 2],
    "header alone": picture("PNG")[:33],
    "magic alone": b"\x89PNG\r\n\x1a\n",
    "broken data": _png(64, 64, _chunk(b"IDAT", b"\xff" * 200)),
    "tiff": picture("TIFF"),
    "bmp": picture("BMP"),
    "ico": picture("ICO", (64, 64)),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n" + b"%" * 200,
    "too many bytes": picture("PNG") + b"\0" * LARGEST_BYTES,
    "gif without a frame": b"GIF89a" + b"\x01\x00\x01\x00\x00\x00\x00;",
    "riff that is no webp": b"RIFF\x10\x00\x00\x00WAVEfmt " + b"\0" * 16,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused(name: str) -> None:
    with pytest.raises(NoPictureError):
        cleaned(REFUSED[name])


CLEANED: dict[str, Callable[[], bytes]] = {
    "exif with a place": _with_exif,
    "png with a comment": lambda: picture("PNG") + b"",
    "png and a page behind it": lambda: picture("PNG") + SCRIPT,
    "jpeg and an archive behind it": lambda: picture("JPEG") + b"PK\x03\x04" + SCRIPT,
    "gif that is also a script": lambda: picture("GIF") + b"/*" + SCRIPT + b"*/",
    "jpeg with a comment": lambda: picture("JPEG", comment=SCRIPT),
    "webp with xmp": lambda: picture("WEBP", xmp=SCRIPT),
    "png with a colour profile": lambda: picture("PNG", icc_profile=SCRIPT * 9),
}


@pytest.mark.parametrize("name", CLEANED)
def test_what_is_a_picture_comes_out_without_anything_else(name: str) -> None:
    content = CLEANED[name]()
    result = cleaned(content)
    assert SCRIPT not in result
    assert b"Secret camera" not in result
    assert b"PK\x03\x04" not in result
    image = opened(result)
    assert image.format == "WEBP"
    assert not image.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info)


def test_a_picture_is_at_most_512_pixels_and_keeps_its_shape() -> None:
    assert opened(cleaned(picture(size=(2000, 1000)))).size == (512, 256)
    assert opened(cleaned(picture(size=(1000, 2000)))).size == (256, 512)
    assert opened(cleaned(picture(size=(40, 20)))).size == (40, 20)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_each_accepted_kind_shows_the_same_picture(kind: str) -> None:
    image = opened(cleaned(picture(kind))).convert("RGB")
    left, right = image.getpixel((40, 100)), image.getpixel((470, 100))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > 200 > 60 > left[2]
    assert right[2] > 200 > 60 > right[0]


def test_a_picture_taken_sideways_comes_out_upright() -> None:
    image = opened(cleaned(_with_exif(6)))
    assert image.size == (256, 512)
    top = image.convert("RGB").getpixel((128, 20))
    assert isinstance(top, tuple)
    assert top[0] > 200


def test_transparency_stays() -> None:
    written = io.BytesIO()
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(written, "PNG")
    pixel = opened(cleaned(written.getvalue())).convert("RGBA").getpixel((5, 5))
    assert isinstance(pixel, tuple)
    assert pixel[3] == 0


def test_of_a_moving_picture_the_first_frame_stays() -> None:
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])
    image = opened(cleaned(written.getvalue()))
    assert not getattr(image, "is_animated", False)
    pixel = image.convert("RGB").getpixel((25, 25))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200


def test_damaged_pictures_never_break_the_reader() -> None:
    import random

    chance = random.Random(8)
    good = [picture(kind, (60, 40)) for kind in ("PNG", "JPEG", "WEBP", "GIF")]
    for _ in range(600):
        damaged = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            result = cleaned(bytes(damaged))
        except NoPictureError:
            continue
        assert opened(result).format == "WEBP"


# Over HTTP.


def _as_text(content: bytes) -> dict[str, str]:
    return {"image": base64.b64encode(content).decode()}


def _upload(api: Any, token: str, content: bytes, name: str = "image") -> Any:
    return api.app.test_client().put(
        "/api/v1/auth/me/avatar",
        data={name: (io.BytesIO(content), "../../evil.php")},
        headers={"Authorization": f"Bearer {token}"},
    )


def _files(app: Any) -> set[str]:
    with app.app_context():
        folder = storage.current()._folder
    return {
        str(path.relative_to(folder))
        for path in folder.glob("auth.avatar/*/*")
        if path.suffix == ""
    }


def test_a_picture_comes_as_base64_or_as_an_upload(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    answers = [
        api.call("PUT", "/me/avatar", _as_text(picture()), token=token),
        _upload(api, token, picture("JPEG")),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.get_json()
        address = answer.get_json()["avatar_url"]
        shown = api.app.test_client().get(address.partition("8000")[2])
        assert shown.status_code == 200
        assert shown.content_type == "image/webp"
        assert opened(shown.data).size == (512, 256)
    public = api.get("/users/anna").get_json()
    assert public["avatar_url"] == api.get("/me", token=token).get_json()["avatar_url"]


def test_a_replaced_or_removed_picture_leaves_the_storage(
    confirmed: Any, api: Any, app: Any, run_jobs: Any
) -> None:
    token = confirmed("anna")
    before = _files(app)
    api.call("PUT", "/me/avatar", _as_text(picture()), token=token)
    [first] = _files(app) - before
    api.call("PUT", "/me/avatar", _as_text(picture("JPEG")), token=token)
    run_jobs()
    [second] = _files(app) - before
    assert second != first
    assert api.delete("/me/avatar", token=token).status_code == 204
    run_jobs()
    assert _files(app) == before
    assert api.get("/me", token=token).get_json()["avatar_url"] is None
    assert api.delete("/me/avatar", token=token).status_code == 204


def test_a_refused_picture_changes_nothing(confirmed: Any, api: Any, app: Any, sql: Any) -> None:
    token = confirmed("anna")
    api.call("PUT", "/me/avatar", _as_text(picture()), token=token)
    files, rows = _files(app), sql("SELECT avatar_key FROM auth_user")
    for content in (_svg(), BOMB, picture()[:-60]):
        for answer in (
            api.call("PUT", "/me/avatar", _as_text(content), token=token),
            _upload(api, token, content),
        ):
            assert answer.status_code == 422
            assert answer.get_json()["code"] == "picture_refused"
    assert (_files(app), sql("SELECT avatar_key FROM auth_user")) == (files, rows)


def test_neither_nor_both_pictures_are_refused(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    for body in ({}, None):
        answer = api.call("PUT", "/me/avatar", body, token=token)
        assert answer.status_code == 400, answer.get_json()
        assert answer.get_json()["code"] == "picture_missing"
        assert answer.get_json()["errors"][0]["pointer"] == "/image"


@pytest.mark.parametrize(
    "body",
    [
        {"image": "not base64!"},
        {"image": "QUJD\nREVG"},
        {"image": "data:image/png;base64,QUJD"},
        {"image": "QUJ"},
        {"image": 7},
        {"image": None},
        {"image": ["QUJD"]},
        {"image": "QUJD", "avatar_key": "x"},
        {"avatar_url": "https://evil.example/x.png"},
    ],
)
def test_a_wrong_body_is_refused(body: Any, confirmed: Any, api: Any) -> None:
    answer = api.call("PUT", "/me/avatar", body, token=confirmed("anna"))
    assert answer.status_code == 422, answer.get_json()


def test_a_foreign_upload_or_kind_of_body_is_refused(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    assert _upload(api, token, picture(), name="file").status_code == 422
    raw = api.app.test_client().put(
        "/api/v1/auth/me/avatar",
        data=picture(),
        content_type="image/png",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert raw.status_code == 415
