"""Promise 6: pictures are drawn anew, shown small, and leave the storage when removed."""

import io
import struct
import zlib

import pytest
from PIL import Image
from sqlalchemy import text

from torg import jobs as torg_jobs
from torg import storage
from torg.db import session, unit_of_work
from torg.storage import FileMissingError
from torg_shop.domain import pictures

SCRIPT = b"<script>alert(1)</script>"


def picture(kind: str = "PNG", size: tuple[int, int] = (800, 400), **options) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, "red").save(written, kind, **options)
    return written.getvalue()


def bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    content = chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + content + chunk(b"IEND", b"")


HOSTILE = {
    "nothing": b"",
    "text": b"no picture",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "cut": picture()[:200],
    "bomb": bomb(),
    "tiff": picture("TIFF", (40, 20)),
}


def send(staff, product_id: int, content: bytes, **query):
    return staff.client.post(
        f"/api/v1/shop/admin/products/{product_id}/media",
        query_string=query,
        data={"image": (io.BytesIO(content), "picture")},
        headers=staff.headers,
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(staff, name):
    made = staff.product()
    answer = send(staff, made["id"], HOSTILE[name])
    assert (answer.status_code, answer.json["code"]) == (422, "picture_unreadable")
    assert staff.call("GET", f"products/{made['id']}").json["media"] == []


def test_nothing_foreign_survives():
    dirty = picture("JPEG", comment=SCRIPT) + SCRIPT
    clean = pictures.cleaned(dirty)
    assert SCRIPT not in clean
    assert Image.open(io.BytesIO(clean)).format == "WEBP"
    large = pictures.cleaned(picture(size=(3000, 100)))
    assert max(Image.open(io.BytesIO(large)).size) == pictures.SIDE


def keys(shop) -> list[tuple[str, str | None]]:
    with unit_of_work("read", shop.app):
        rows = session.execute(text("SELECT key, thumbnail_key FROM shop_media ORDER BY id"))
        return [tuple(row) for row in rows]


def test_a_picture_gets_a_small_form_and_both_leave_the_storage(shop, staff):
    made = staff.product()
    shown = send(staff, made["id"], picture(), alt="From the side").json["media"]
    assert (shown[0]["alt"], shown[0]["position"]) == ("From the side", 0)
    assert shown[0]["thumbnail_url"] == shown[0]["url"]
    torg_jobs.run_due(shop.app)
    (shown,) = shop.app.test_client().get(f"/api/v1/shop/products/{made['id']}").json["media"]
    small = shop.app.test_client().get(shown["thumbnail_url"].split("8000", 1)[1])
    content = small.data
    small.close()
    assert max(Image.open(io.BytesIO(content)).size) == pictures.THUMBNAIL_SIDE
    path = f"products/{made['id']}/media/{shown['id']}"
    assert staff.call("PATCH", path, {"alt": "Else"}).json["media"][0]["alt"] == "Else"
    key, thumbnail = keys(shop)[-1]
    other = staff.product()
    assert staff.call("DELETE", f"products/{other['id']}/media/{shown['id']}").status_code == 404
    assert staff.call("DELETE", path).status_code == 204
    torg_jobs.run_due(shop.app)
    with shop.app.app_context():
        for gone in (key, thumbnail):
            with pytest.raises(FileMissingError):
                storage.get(gone)
