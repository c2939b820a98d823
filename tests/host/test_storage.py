"""Stored files: generated keys, whole files, links that end, and nothing a browser could run."""

from __future__ import annotations

import os
import threading
from urllib.parse import parse_qs, urlsplit

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg import config, storage
from torg.config import HostSettings, Settings
from torg.errors import TorgError
from torg.storage import DiskStorage, FileMissingError

PNG = b"\x89PNG\r\n\x1a\n..."
SECRET = "n3Vw-8sTq0ZpLr7Yc2Xk5Bm9Hd4Jf6Ga"


def make_app(folder, **host):
    app = flask.Flask("test")
    settings = HostSettings(
        secret_key=host.pop("secret_key", SECRET),
        storage_url=(folder / "files").as_uri(),
        base_url="https://torg.example",
        **host,
    )
    config.init(app, Settings.build(settings))
    storage.init(app)
    app.register_error_handler(TorgError, lambda error: ({"code": error.code}, error.status))
    return app


@pytest.fixture
def app(tmp_path):
    """An application with storage alone."""
    return make_app(tmp_path)


@pytest.fixture
def context(app):
    with app.app_context():
        yield app


class TestFiles:
    """Putting, getting and deleting."""

    def test_file_comes_back_with_its_type(self, context):
        key = storage.put(PNG, "image/png", "auth.avatar")

        found = storage.get(key)

        assert (found.content, found.content_type, found.key) == (PNG, "image/png", key)

    def test_same_content_twice_gets_two_keys(self, context):
        keys = {storage.put(PNG, "image/png", "auth.avatar") for _ in range(50)}

        assert len(keys) == 50

    def test_deleted_file_is_gone_and_leaves_nothing(self, context, tmp_path):
        key = storage.put(PNG, "image/png", "auth.avatar")

        storage.delete(key)
        storage.delete(key)

        with pytest.raises(FileMissingError):
            storage.get(key)
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []

    def test_empty_and_large_files_are_kept(self, context):
        large = os.urandom(3 * 1024 * 1024)

        assert storage.get(storage.put(b"", "text/csv", "shop")).content == b""
        assert storage.get(storage.put(large, "application/zip", "shop")).content == large

    @pytest.mark.parametrize("area", ["", "../x", "a/b", "Auth", "a.b.c", "a\x00", ".a", "a."])
    def test_area_that_is_no_name_is_refused(self, context, area):
        with pytest.raises(ValueError, match="no area"):
            storage.put(PNG, "image/png", area)

    @pytest.mark.parametrize("kind", ["", "png", "image/", "image/png\r\nX: y", "image/png; a=b"])
    def test_type_that_is_none_is_refused(self, context, kind):
        with pytest.raises(ValueError, match="no media type"):
            storage.put(PNG, kind, "auth")

    def test_failed_write_leaves_no_draft_and_no_file(self, tmp_path, monkeypatch):
        disk = DiskStorage(tmp_path / "files")

        def full(_descriptor):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)

        with pytest.raises(OSError, match="No space"):
            disk.put(PNG, "image/png", "auth")

        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []

    def test_reader_never_sees_half_a_file(self, tmp_path):
        disk = DiskStorage(tmp_path)
        content = b"x" * 500_000
        keys, seen, stop = [], [], threading.Event()

        def read():
            while not stop.is_set():
                seen.extend(
                    path.stat().st_size
                    for path in tmp_path.rglob("*")
                    if path.is_file() and not path.name.startswith(".") and not path.suffix
                )

        reader = threading.Thread(target=read)
        reader.start()
        try:
            keys += [disk.put(content, "text/plain", "auth") for _ in range(40)]
        finally:
            stop.set()
            reader.join()

        assert set(seen) <= {len(content)}

    def test_check_makes_a_round_trip_and_cleans_up(self, context, tmp_path):
        assert "disk" in storage.current().check()
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []

    def test_unwritable_folder_fails_the_check(self, tmp_path):
        (tmp_path / "files").write_text("not a folder")

        with pytest.raises(OSError):
            DiskStorage(tmp_path / "files").check()

    def test_unknown_storage_is_named_with_those_there_are(self):
        with pytest.raises(ValueError, match="'ftp' is unknown; there are: file, s3"):
            storage.open_storage("ftp://bucket")


class TestKeys:
    """No key leads out of the folder."""

    @pytest.mark.parametrize(
        "key",
        [
            "../secret",
            "/etc/passwd",
            "auth/../../../etc/passwd",
            "auth/aa/../../../../../../etc/passwd",
            "..../aa/" + "a" * 32,
            "auth/aa/" + "a" * 32 + ".json",
            "auth/aa/" + "a" * 32 + "\n",
            "auth/aa/" + "A" * 32,
            "auth\x00/aa/" + "a" * 32,
            "",
        ],
    )
    def test_key_that_was_never_given_out_finds_nothing(self, context, key):
        with pytest.raises(FileMissingError):
            storage.get(key)
        with pytest.raises(FileMissingError):
            storage.delete(key)

    @given(st.text(max_size=80))
    def test_any_text_as_a_key_finds_nothing(self, key):
        with pytest.raises(FileMissingError):
            DiskStorage(config_free_folder()).get(key)


def config_free_folder():
    """A folder that holds a secret outside of any key's reach."""
    from pathlib import Path

    return Path("/etc")


class TestLinks:
    """Links work for a while, for this file alone."""

    def path_of(self, url):
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == "https://torg.example"
        return f"{parts.path}?{parts.query}"

    def test_link_serves_the_file_without_signing_in(self, context):
        url = storage.url(storage.put(PNG, "image/png", "auth.avatar"))

        answer = context.test_client().get(self.path_of(url))

        assert (answer.status_code, answer.data, answer.mimetype) == (200, PNG, "image/png")

    def test_link_stays_the_same_for_a_while(self, context):
        key = storage.put(PNG, "image/png", "auth.avatar")

        assert len({storage.url(key, seconds=86400) for _ in range(20)}) <= 2

    def test_link_ends(self, context):
        key = storage.put(PNG, "image/png", "auth.avatar")
        secret = config.settings().host.secret_key.get_secret_value()
        signature = storage._sign(secret, key, 1700000000)
        query = f"until=1700000000&signature={signature}"

        answer = context.test_client().get(f"/files/{key}?{query}")

        assert (answer.status_code, answer.get_json()) == (410, {"code": "link_expired"})

    @pytest.mark.parametrize(
        "change",
        [
            lambda key, until, signature: (key, until + 1, signature),
            lambda key, until, signature: (key, until, signature[:-1] + "x"),
            lambda key, until, signature: (key, until, ""),
            lambda key, until, signature: (key, until, "Ж" * 64),
            lambda key, until, signature: (key, -1, signature),
            lambda key, until, signature: (key, 10**40, signature),
            lambda key, until, signature: (key, "x", signature),
            lambda key, until, signature: ("auth/aa/" + "a" * 32, until, signature),
        ],
    )
    def test_forged_link_finds_nothing(self, context, change):
        key = storage.put(PNG, "image/png", "auth.avatar")
        query = parse_qs(urlsplit(storage.url(key)).query)
        forged, until, signature = change(key, int(query["until"][0]), query["signature"][0])

        answer = context.test_client().get(
            f"/files/{forged}", query_string={"until": until, "signature": signature}
        )

        assert answer.status_code == 404

    def test_link_survives_a_change_of_the_secret_key(self, tmp_path, context):
        url = storage.url(storage.put(PNG, "image/png", "auth.avatar"))
        later = make_app(tmp_path, secret_key=SECRET[::-1], secret_key_fallbacks=(SECRET,))

        assert later.test_client().get(self.path_of(url)).status_code == 200

    def test_picture_is_shown_and_everything_else_is_downloaded(self, context):
        for kind, disposition in [("image/png", "inline"), ("text/html", "attachment")]:
            url = storage.url(storage.put(b"<script>", kind, "shop"))

            answer = context.test_client().get(self.path_of(url))

            assert answer.headers["Content-Disposition"].startswith(disposition)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer.headers["Content-Security-Policy"]
