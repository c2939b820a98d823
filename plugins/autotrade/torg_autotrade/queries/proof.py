"""The proof of the market: what is stored follows from the facts. It reports and never repairs."""

from dataclasses import dataclass

from sqlalchemy import text

from torg.db import session

_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be."""

    rule: str
    subject: str
    detail: str


# Each selects `subject` and `detail` of what is wrong.
_CHECKS: dict[str, str] = {
    "AT1 stock is what its lots hold and what its moves leave": """
        SELECT 'stock line ' || s.id AS subject,
               format('quantity %s, lots hold %s, moves sum to %s', s.quantity,
                      coalesce(l.left_over, 0), coalesce(m.total, 0)) AS detail
          FROM autotrade_dealer_stock s
          LEFT JOIN (SELECT stock_id, sum(remaining) AS left_over FROM autotrade_stock_lot
                      GROUP BY stock_id) l ON l.stock_id = s.id
          LEFT JOIN (SELECT stock_id, sum(delta) AS total FROM autotrade_stock_move
                      GROUP BY stock_id) m ON m.stock_id = s.id
         WHERE s.quantity <> coalesce(l.left_over, 0) OR s.quantity <> coalesce(m.total, 0)""",
    "AT2 moves are gapless": """
        SELECT 'stock move ' || id AS subject,
               format('leaves %s, moves up to it sum to %s', quantity_after, running) AS detail
          FROM (SELECT id, quantity_after,
                       sum(delta) OVER (PARTITION BY stock_id ORDER BY id) AS running
                  FROM autotrade_stock_move) AS moves
         WHERE quantity_after <> running""",
    "AT3 an offer is filled by one sale, and no other has one": """
        SELECT 'offer ' || o.id AS subject,
               format('%s with %s sales', o.status, count(s.id)) AS detail
          FROM autotrade_offer o LEFT JOIN autotrade_sale s ON s.offer_id = o.id
         GROUP BY o.id HAVING count(s.id) <> (o.status = 'filled')::integer""",
    "AT4 a sale keeps to its offer": """
        SELECT 'sale ' || s.id AS subject,
               format('%s x %s for at most %s', s.quantity, s.unit_price_minor, o.max_price_minor)
                   AS detail
          FROM autotrade_sale s JOIN autotrade_offer o ON o.id = s.offer_id
         WHERE s.unit_price_minor > o.max_price_minor OR s.quantity <> o.quantity
            OR s.buyer_id <> o.buyer_id OR s.currency <> o.currency
            OR (o.car_model_id IS NOT NULL AND o.car_model_id <> s.car_model_id)""",
    "AT5 purchase counts are what was sold": """
        SELECT 'buyer ' || coalesce(c.buyer_id, s.buyer_id) AS subject,
               format('dealer %s: counted %s, bought %s', coalesce(c.dealer_id, s.dealer_id),
                      c.units, s.units) AS detail
          FROM autotrade_purchase_count c
          FULL JOIN (SELECT buyer_id, dealer_id, sum(quantity) AS units FROM autotrade_sale
                      GROUP BY buyer_id, dealer_id) s USING (buyer_id, dealer_id)
         WHERE c.units IS DISTINCT FROM s.units""",
    "AT6 supply counts are what was bought": """
        SELECT 'dealer ' || coalesce(c.dealer_id, s.dealer_id) AS subject,
               format('supplier %s: counted %s, bought %s',
                      coalesce(c.supplier_id, s.supplier_id), c.units, s.units) AS detail
          FROM autotrade_supply_count c
          FULL JOIN (SELECT dealer_id, supplier_id, sum(quantity) AS units
                       FROM autotrade_supply_deal GROUP BY dealer_id, supplier_id) s
               USING (dealer_id, supplier_id)
         WHERE c.units IS DISTINCT FROM s.units
        UNION ALL
        SELECT 'supplier ' || u.id, format('counted %s dealers, sold to %s', u.buyer_count,
                                           coalesce(n.number, 0))
          FROM autotrade_supplier u
          LEFT JOIN (SELECT supplier_id, count(*) AS number FROM autotrade_supply_count
                      GROUP BY supplier_id) n ON n.supplier_id = u.id
         WHERE u.buyer_count <> coalesce(n.number, 0)""",
    "AT7 the steps of a purchase and its lots make its total": """
        SELECT 'supply deal ' || d.id AS subject,
               format('total %s, steps %s, lots %s', d.total_minor, t.total, l.total) AS detail
          FROM autotrade_supply_deal d
          LEFT JOIN LATERAL (SELECT sum((x ->> 'quantity')::bigint
                                        * (x ->> 'unit_price_minor')::bigint) AS total
                               FROM jsonb_array_elements(d.steps) AS x) t ON true
          LEFT JOIN (SELECT supply_deal_id, sum(quantity * unit_cost_minor) AS total
                       FROM autotrade_stock_lot GROUP BY supply_deal_id) l
                 ON l.supply_deal_id = d.id
         WHERE d.total_minor IS DISTINCT FROM t.total OR d.total_minor IS DISTINCT FROM l.total""",
}
# What the accounts of dealers and suppliers must hold, by the deals.
_EXPECTED = text("""
SELECT 'dealer ' || d.id AS subject, d.account_id,
       coalesce((SELECT sum(total_minor) FROM autotrade_sale WHERE dealer_id = d.id), 0)
     - coalesce((SELECT sum(total_minor) FROM autotrade_supply_deal WHERE dealer_id = d.id), 0)
     + coalesce((SELECT sum(amount_minor) FROM autotrade_money_move WHERE dealer_id = d.id), 0)
           AS minor
  FROM autotrade_dealer d
UNION ALL
SELECT 'supplier ' || u.id, u.account_id,
       coalesce((SELECT sum(total_minor) FROM autotrade_supply_deal WHERE supplier_id = u.id), 0)
     + coalesce((SELECT sum(amount_minor) FROM autotrade_money_move WHERE supplier_id = u.id), 0)
  FROM autotrade_supplier u
""")


def findings() -> list[Finding]:
    """What breaks a rule, at most a hundred of each; empty when the market is sound."""
    found = []
    for rule, check in _CHECKS.items():
        rows = session.execute(text(f"{check} LIMIT {_MOST_FINDINGS}"))
        found += [Finding(rule, row.subject, row.detail) for row in rows]
    return found


def expected_balances() -> list[tuple[str, int | None, int]]:
    """Whose account has to hold how much, by the deals: (who, account, minor units)."""
    rows = session.execute(_EXPECTED)
    return [(row.subject, row.account_id, int(row.minor)) for row in rows]
