"""Promise 6: a picture may go straight to the bucket; only what waits there is ever shown."""

import io

import pytest
import requests
from moto.server import ThreadedMotoServer
from PIL import Image
from sqlalchemy import text

from torg import jobs as torg_jobs
from torg import storage
from torg.db import session, unit_of_work
from torg.storage import FileMissingError


@pytest.fixture(scope="module")
def bucket():
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
        yield f"s3://files/shop?endpoint={endpoint}"
        server.stop()


@pytest.fixture(scope="module")
def cloud(make_shop, bucket):
    """A shop whose files lie in the bucket."""
    return make_shop(storage_url=bucket)


@pytest.fixture(scope="module")
def keeper(cloud, make_staff):
    return make_staff(cloud)


def png(colour="red"):
    written = io.BytesIO()
    Image.new("RGB", (40, 20), colour).save(written, "PNG")
    return written.getvalue()


def send(place, content):
    """Fill in the form as a browser would."""
    form = {each["name"]: each["value"] for each in place["form"]}
    file = {place["file_field"]: content}
    return requests.post(place["url"], data=form, files=file, timeout=10).status_code


def ask(keeper, product):
    path = f"products/{product['id']}/media/place"
    return keeper.make(path, content_type="image/png")


def use(keeper, product, key, **about):
    return keeper.call("POST", f"products/{product['id']}/media/sent", {"key": key, **about})


def is_there(shop, key):
    with shop.app.app_context():
        try:
            return bool(storage.get(key))
        except FileMissingError:
            return False


def test_a_picture_sent_to_the_bucket_is_drawn_anew_and_leaves_its_place(cloud, keeper):
    product = keeper.product()
    place = ask(keeper, product)
    assert send(place, png()) == 204
    answer = use(keeper, product, place["key"], alt="Front")
    assert answer.status_code == 201, answer.json
    (shown,) = answer.json["media"]
    assert shown["alt"] == "Front"
    found = requests.get(shown["url"], timeout=10).content
    assert Image.open(io.BytesIO(found)).format == "WEBP"
    torg_jobs.run_due(cloud.app)
    assert not is_there(cloud, place["key"])
    again = use(keeper, product, place["key"])
    assert (again.status_code, again.json["code"]) == (422, "upload_unknown")
    assert again.json["errors"][0]["pointer"] == "/key"


def test_one_file_is_used_once(cloud, keeper):
    product = keeper.product()
    place = ask(keeper, product)
    send(place, png())
    answers = [use(keeper, product, place["key"]).status_code for _ in range(2)]
    assert answers == [201, 422]
    assert len(keeper.call("GET", f"products/{product['id']}").json["media"]) == 1


def test_what_is_no_picture_is_refused_and_not_shown(keeper):
    product = keeper.product()
    place = ask(keeper, product)
    send(place, b"<svg/>")
    assert use(keeper, product, place["key"]).json["code"] == "picture_unreadable"
    assert keeper.call("GET", f"products/{product['id']}").json["media"] == []


def test_keys_of_other_areas_open_nothing(cloud, keeper):
    with cloud.app.app_context():
        foreign = storage.put(png(), "image/png", "auth.avatar")
    product = keeper.product()
    for key in (foreign, "shop.upload/../auth.avatar", "shop.upload/00/" + "0" * 32):
        assert use(keeper, product, key).json["code"] == "upload_unknown"


def test_a_place_that_was_never_used_is_cleared(cloud, keeper):
    place = ask(keeper, keeper.product())
    send(place, png())
    assert is_there(cloud, place["key"])
    with unit_of_work(app=cloud.app):
        moved = session.execute(
            text("UPDATE torg_outbox SET run_at = now() WHERE business_key = :key"),
            {"key": place["key"]},
        )
        assert moved.rowcount == 1
    torg_jobs.run_due(cloud.app)
    assert not is_there(cloud, place["key"])


def test_on_a_disk_the_place_is_the_route_of_this_server(staff):
    product = staff.product()
    place = ask(staff, product)
    assert (place["key"], place["file_field"]) == (None, "image")
    answer = staff.client.post(
        place["url"], data={"image": (io.BytesIO(png()), "p")}, headers=staff.headers
    )
    assert (answer.status_code, len(answer.json["media"])) == (201, 1)
