"""Coupons: what comes off, for whom, and how often, also when many use one at once."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg_shop.domain import pricing, statuses

_numbers = itertools.count(1)


@pytest.fixture
def coupon(shop):
    """`coupon(**facts)` makes one and returns its code."""
    headers = shop.person(permissions=["shop.coupon.manage"]).headers

    def make(**facts):
        code = f"CODE-{next(_numbers)}"
        body = {"code": code, **facts}
        answer = shop.app.test_client().post(
            "/api/v1/shop/admin/coupons", json=body, headers=headers
        )
        assert answer.status_code == 201, answer.json
        return code

    return make


def buy(shop, product, code, quantity=1, headers=None):
    """The answer to an order with a coupon."""
    headers, client = headers or shop.person().headers, shop.app.test_client()
    body = {"product_id": product["id"], "quantity": quantity}
    client.post("/api/v1/shop/cart/lines", json=body, headers=headers)
    return client.post("/api/v1/shop/orders", json={"coupon": code}, headers=headers)


def euro(amount):
    return {"amount": amount, "currency": "EUR"}


def test_a_share_and_an_amount_come_off(shop, staff, coupon):
    product = staff.product(on_hand=99)
    tenth = buy(shop, product, coupon(percent=10), 2).json
    assert (tenth["discount"], tenth["total"]) == (euro("2.00"), euro("18.00"))
    assert buy(shop, product, coupon(amount=euro("3.50"))).json["total"] == euro("6.50")
    free = buy(shop, product, coupon(amount=euro("35.00"))).json
    assert (free["total"], free["payment_status"]) == (euro("0.00"), "paid")


def test_below_its_minimum_or_out_of_its_time_it_is_422(shop, staff, coupon):
    product = staff.product(on_hand=99)
    over, early = "2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"
    for code in (
        coupon(percent=10, minimum=euro("10.01")),
        coupon(percent=10, valid_until=over),
        coupon(percent=10, valid_from=early),
        "NO-SUCH",
    ):
        answer = buy(shop, product, code)
        assert (answer.status_code, answer.json["code"]) == (422, "coupon_invalid")


def test_its_total_limit_holds_in_parallel(shop, staff, coupon):
    product, code = staff.product(on_hand=99), coupon(percent=10, total_limit=3)
    people = [shop.person().headers for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda each: buy(shop, product, code, headers=each), people))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 9


def test_its_limit_for_a_person_holds_and_a_cancelled_order_gives_it_back(shop, staff, coupon):
    product, code = staff.product(on_hand=99), coupon(percent=10, per_user_limit=1)
    me = shop.person().headers
    first = buy(shop, product, code, headers=me)
    assert first.status_code == 201
    assert buy(shop, product, code, headers=me).json["code"] == "coupon_used_up"
    address = f"/api/v1/shop/orders/{first.json['number']}/cancel"
    assert shop.app.test_client().post(address, headers=me).status_code == 200
    assert buy(shop, product, code, headers=me).status_code == 201


@given(st.integers(0, 10**12), st.integers(1, 100))
def test_a_share_is_never_more_than_exact_nor_a_cent_less(cost, percent):
    off = pricing.discount(cost, pricing.Reduction(percent, None))
    assert off is not None
    assert 0 <= cost * percent - off * 100 < 100


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.integers(0, 10**12))
def test_an_amount_never_makes_a_price_negative(cost, amount, minimum):
    off = pricing.discount(cost, pricing.Reduction(None, amount, minimum))
    assert (off is None) == (cost < minimum)
    assert off is None or 0 <= off <= cost


@pytest.mark.parametrize("machine", statuses.MACHINES)
def test_statuses_end_and_never_come_back(machine):
    steps = statuses.MACHINES[machine]
    for present, following in steps.items():
        assert present not in following
        assert all(present not in steps[each] for each in following)
