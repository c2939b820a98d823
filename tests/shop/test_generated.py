"""A made-up year of orders is a sound one; popularity and old carts follow the clock."""

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from torg import jobs as torg_jobs
from torg.db import session
from torg_shop import commands
from torg_shop.services import carts, popularity, proving


@pytest.fixture(scope="module")
def filled(make_shop):
    """A shop with a made-up year."""
    shop = make_shop()
    with shop.app.app_context():
        words = ["generate", "--yes", "--products", "12", "--orders", "900", "--buyers", "30"]
        said = CliRunner().invoke(commands.group, words)
    assert said.exit_code == 0, said.output
    return shop


def ask(shop, words, **given):
    return shop.work(lambda: session.execute(text(words), given).all())


def test_orders_of_twelve_months_are_sound_and_told_step_by_step(filled):
    assert filled.work(proving.prove)["findings"] == []
    (row,) = ask(
        filled,
        "SELECT count(*) AS number, count(DISTINCT date_trunc('month', created_at)) AS months,"
        " count(DISTINCT buyer_id) AS buyers, max(created_at) < now() AS is_past,"
        " count(DISTINCT payment_status) AS ends FROM shop_order",
    )
    assert (row.number, row.is_past, row.ends) == (900, True, 3)
    assert row.months >= 12
    assert row.buyers == 30
    early = "SELECT 1 FROM shop_order_event e JOIN shop_order o ON o.id = e.order_id"
    assert ask(filled, f"{early} WHERE e.created_at < o.created_at OR e.created_at > now()") == []
    rising = "SELECT bool_and(created_at >= before) AS is_rising FROM (SELECT created_at,"
    (row,) = ask(
        filled, f"{rising} lag(created_at) OVER (ORDER BY id) AS before FROM shop_order) o"
    )
    assert row.is_rising


def naive_popularity(shop):
    """By the definition, order by order."""
    sold = dict.fromkeys((row.id for row in ask(shop, "SELECT id FROM shop_product")), 0)
    rows = ask(
        shop,
        "SELECT l.product_id, l.quantity FROM shop_order o JOIN shop_order_line l"
        " ON l.order_id = o.id WHERE o.status <> 'cancelled' AND o.payment_status <> 'refunded'"
        " AND o.created_at > now() - interval '365 days'",
    )
    for row in rows:
        sold[row.product_id] += row.quantity
    return sold


def test_popularity_is_what_was_ordered_and_not_given_up(filled):
    expected = naive_popularity(filled)
    assert max(expected.values()) > 0
    shown = {
        row.id: row.popularity for row in ask(filled, "SELECT id, popularity FROM shop_product")
    }
    assert shown == expected
    client = filled.app.test_client()
    page = client.get("/api/v1/shop/products?sort=-popularity&limit=20").json["items"]
    found = [expected[each["id"]] for each in page]
    assert found == sorted(found, reverse=True)
    assert filled.work(popularity.rebuild) == 0


def test_one_more_order_makes_a_product_more_popular(filled, make_staff):
    product = make_staff(filled).product(on_hand=9)
    buyer = filled.person().headers
    client = filled.app.test_client()
    body = {"product_id": product["id"], "quantity": 4}
    client.post("/api/v1/shop/cart/lines", json=body, headers=buyer)
    number = client.post("/api/v1/shop/orders", json={}, headers=buyer).json["number"]
    path = f"/api/v1/shop/products?sku={product['sku']}"
    count = "SELECT popularity FROM shop_product WHERE id = :id"
    for expected in (4, 0):
        filled.work(_enqueue)
        torg_jobs.run_due(filled.app)
        assert ask(filled, count, id=product["id"])[0].popularity == expected
        assert client.get(path).status_code == 200
        client.post(f"/api/v1/shop/orders/{number}/cancel", headers=buyer)


def _enqueue():
    from torg import outbox

    outbox.enqueue("shop.count_popularity")


def test_old_carts_of_guests_go_and_others_stay(filled, make_staff):
    product = make_staff(filled).product(on_hand=9)
    client, body = filled.app.test_client(), {"product_id": product["id"], "quantity": 1}
    tokens = [client.post("/api/v1/shop/cart/lines", json=body).json["token"] for _ in range(3)]
    person = filled.person().headers
    client.post("/api/v1/shop/cart/lines", json=body, headers=person)
    aged = "SET {} = now() - interval '31 days' WHERE"
    filled.work(
        lambda: [
            session.execute(text(f"UPDATE shop_cart {aged.format('created_at')} true")),
            # One guest has changed his cart since.
            session.execute(
                text(
                    f"UPDATE shop_cart_line {aged.format('updated_at')} cart_id <>"
                    " (SELECT max(id) FROM shop_cart WHERE token_hash IS NOT NULL)"
                )
            ),
        ]
    )
    assert [_lines(client, {"Cart-Token": token}) for token in tokens] == [1, 1, 1]
    assert filled.work(carts.forget_guests) == 2
    assert [_lines(client, {"Cart-Token": token}) for token in tokens] == [0, 0, 1]
    assert _lines(client, person) == 1


def _lines(client, headers):
    return len(client.get("/api/v1/shop/cart", headers=headers).json["lines"])
