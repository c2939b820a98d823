"""Files in a bucket, on a real S3 server process."""

import urllib.request

import pytest
import requests
from moto.server import ThreadedMotoServer

from torg import storage
from torg.storage import FileMissingError, open_storage


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """The URL of a bucket of a server on this machine."""
    import boto3

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
        server = ThreadedMotoServer("127.0.0.1", 0)
        server.start()
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(
            Bucket="files"
        )
        yield f"s3://files/torg?endpoint={endpoint}"
        server.stop()


def test_a_file_comes_back_as_it_was_put_and_leaves(bucket):
    kept = open_storage(bucket)
    key = kept.put(b"\x00bytes", "image/webp", "test.area")
    found = kept.get(key)
    assert (found.content, found.content_type) == (b"\x00bytes", "image/webp")
    kept.delete(key)
    kept.delete(key)
    with pytest.raises(FileMissingError):
        kept.get(key)
    assert kept.check() == "bucket files"


def test_a_link_serves_the_file_and_stays_the_same_for_a_while(bucket):
    kept = open_storage(bucket)
    key = kept.put(b"seen", "text/plain", "test")
    link = kept.link(key, 3600)
    assert urllib.request.urlopen(link).read() == b"seen"
    assert kept.link(key, 3600) == link


@pytest.mark.parametrize("key", ["../etc/passwd", "a/b/c", "", "test/aa/" + "g" * 32])
def test_what_is_no_key_is_never_asked_for(bucket, key):
    with pytest.raises(FileMissingError):
        open_storage(bucket).get(key)


def test_a_client_sends_a_file_himself_by_a_signed_form(bucket, make_app):
    app = make_app([], storage_url=bucket)
    with app.app_context():
        made = storage.upload_link("test", "image/png", 100)
        assert made is not None
        sent = requests.post(made.url, data=made.fields, files={"file": b"sent"}, timeout=10)
        assert sent.status_code == 204
        assert storage.get(made.key).content == b"sent"


def test_a_disk_takes_no_uploads_past_the_host(make_app):
    with make_app([]).app_context():
        assert storage.upload_link("test", "image/png", 100) is None


def test_a_url_without_a_bucket_is_refused():
    with pytest.raises(ValueError, match="name a bucket"):
        open_storage("s3://")
