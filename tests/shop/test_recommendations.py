"""Promise 9: what was bought together is recommended, strongest first, with a threshold."""

import math

from sqlalchemy import text

from torg import jobs as torg_jobs
from torg import outbox
from torg.db import session, unit_of_work

ORDERS = [("A", "B"), ("A", "B"), ("A", "B", "C"), ("A", "C"), ("D",), ("A", "D")]
NEW_ORDER = (
    "INSERT INTO shop_order (buyer_id, currency, subtotal_minor, total_minor)"
    " VALUES (:buyer, 'EUR', :sum, :sum) RETURNING id"
)
NEW_LINE = (
    "INSERT INTO shop_order_line (order_id, product_id, name, sku, price_minor, quantity)"
    " VALUES (:order, :product, 'n', 's', 1000, 1)"
)


def naive(support: int) -> dict[tuple[str, str], float]:
    """The cosine of each pair that meets often enough, by the definition."""
    names = sorted({name for order in ORDERS for name in order})
    often = {name: sum(name in order for order in ORDERS) for name in names}
    found = {}
    for one in names:
        for two in names:
            both = sum(one in order and two in order for order in ORDERS)
            if one != two and both >= support:
                found[one, two] = both / math.sqrt(often[one] * often[two])
    return found


def test_pairs_score_like_the_naive_cosine_and_lead_the_recommendations(shop, staff):
    ids = {name: staff.product(sku=name)["id"] for name in "ABCD"}
    buyer = shop.person().id
    with unit_of_work(app=shop.app):
        for order in ORDERS:
            made = session.scalar(text(NEW_ORDER), {"buyer": buyer, "sum": 1000 * len(order)})
            for name in order:
                session.execute(text(NEW_LINE), {"order": made, "product": ids[name]})
        outbox.enqueue("shop.find_bought_together")
    torg_jobs.run_due(shop.app)
    names = {number: name for name, number in ids.items()}
    with unit_of_work("read", shop.app):
        rows = session.execute(text("SELECT * FROM shop_bought_together")).all()
    found = {(names[row.product_id], names[row.other_id]): row.score for row in rows}
    expected = naive(support=2)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[pair], expected[pair]) for pair in found)
    path = f"/api/v1/shop/recommendations?product_id={ids['A']}&limit=3"
    answer = shop.app.test_client().get(path).json
    assert answer["basis"] == "bought_together"
    assert [each["sku"] for each in answer["items"][:2]] == ["B", "C"]
    assert len(answer["items"]) == 3
