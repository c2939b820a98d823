"""What must be true of all orders, stock and coupons together, each as one statement.

Every statement finds what breaks its promise; nothing is repaired here.
"""

from dataclasses import dataclass

from sqlalchemy import text

from torg.db import session

# So many findings of one promise are told; one is enough to look closer.
_MOST = 100
_COSTS = """
SELECT o.number AS subject, 'costs ' || o.subtotal_minor || ', its lines ' || coalesce(l.sum, 0)
  FROM shop_order o LEFT JOIN (
    SELECT order_id, sum(price_minor * quantity) FROM shop_order_line GROUP BY order_id
  ) l ON l.order_id = o.id
 WHERE o.subtotal_minor IS DISTINCT FROM l.sum"""
_STATUSES = """
SELECT number, status || ', ' || payment_status || ', ' || fulfilment_status FROM shop_order
 WHERE (status, fulfilment_status) NOT IN (
    ('placed', 'unfulfilled'), ('completed', 'shipped'), ('cancelled', 'cancelled'))
    OR (status = 'cancelled') IS DISTINCT FROM (payment_status = 'voided'
        OR payment_status = 'refunded' AND fulfilment_status = 'cancelled')
    OR status = 'completed' AND payment_status = 'awaiting_payment'"""
_HISTORY = """
SELECT o.number, e.kind || ' is ' || e.present || ', its history ends with '
       || coalesce(e.last, 'nothing')
  FROM shop_order o CROSS JOIN LATERAL (
    SELECT v.kind, v.present, (
        SELECT to_status FROM shop_order_event h
         WHERE h.order_id = o.id AND h.kind = v.kind ORDER BY h.id DESC LIMIT 1) AS last
      FROM (VALUES ('order', o.status), ('payment', o.payment_status),
                   ('fulfilment', o.fulfilment_status)) v (kind, present)
  ) e WHERE e.last IS DISTINCT FROM e.present"""
_RESERVED = """
SELECT 'product ' || s.product_id, s.reserved || ' are reserved, open reservations are for '
       || coalesce(r.sum, 0)
  FROM shop_stock_level s LEFT JOIN (
    SELECT product_id, sum(quantity) FROM shop_reservation WHERE status = 'open'
     GROUP BY product_id
  ) r USING (product_id)
 WHERE s.reserved <> coalesce(r.sum, 0)"""
_RESERVATIONS = """
SELECT o.number, 'product ' || coalesce(r.product_id, l.product_id) || ': ordered '
       || coalesce(l.quantity, 0) || ', set aside ' || coalesce(r.quantity, 0)
  FROM (SELECT * FROM shop_reservation WHERE status = 'open') r
  FULL JOIN (
    SELECT l.* FROM shop_order_line l JOIN shop_order o ON o.id = l.order_id
     WHERE o.payment_status = 'awaiting_payment'
  ) l ON l.order_id = r.order_id AND l.product_id = r.product_id
  JOIN shop_order o ON o.id = coalesce(r.order_id, l.order_id)
 WHERE r.quantity IS DISTINCT FROM l.quantity"""
_COUPONS = """
SELECT c.code, 'counted ' || c.used_count || ', used by ' || coalesce(u.number, 0) || ' orders'
  FROM shop_coupon c LEFT JOIN (
    SELECT coupon_id, count(*) AS number FROM shop_coupon_use GROUP BY coupon_id
  ) u ON u.coupon_id = c.id
 WHERE c.used_count <> coalesce(u.number, 0)"""
_USES = """
SELECT o.number, CASE WHEN u.order_id IS NULL THEN 'no use is written down of its coupon'
       ELSE 'a use is written down that is not its own' END
  FROM shop_order o FULL JOIN shop_coupon_use u ON u.order_id = o.id
 WHERE (o.coupon_id IS NOT NULL AND o.status <> 'cancelled') <> (u.order_id IS NOT NULL)
    OR u.coupon_id <> o.coupon_id OR u.identity_id <> o.buyer_id"""
_LIMITS = """
SELECT c.code, 'identity ' || u.identity_id || ' used it ' || count(*) || ' times of '
       || c.per_user_limit
  FROM shop_coupon c JOIN shop_coupon_use u ON u.coupon_id = c.id
 GROUP BY c.id, u.identity_id HAVING count(*) > c.per_user_limit"""
_PAYMENTS = """
SELECT o.number, 'its payment ' || p.reference || ' was applied, and it is ' || o.payment_status
  FROM shop_payment p JOIN shop_order o ON o.id = p.order_id
 WHERE p.status = 'applied'
   AND (o.transfer IS NULL OR o.payment_status NOT IN ('paid', 'refunded'))"""
_READY = """
SELECT 'product ' || p.id, 'lists show something else than its parts say'
  FROM shop_product p LEFT JOIN shop_product_ready r ON r.product_id = p.id
 WHERE r.json IS DISTINCT FROM shop_ready_json(p)"""
_PROMISES = {
    "an order costs what its lines cost": _COSTS,
    "the three statuses of an order fit": _STATUSES,
    "the history of an order ends where it is": _HISTORY,
    "reserved stock is what open reservations ask for": _RESERVED,
    "goods are set aside for orders that await payment": _RESERVATIONS,
    "a coupon counts its uses": _COUPONS,
    "uses of coupons are those of orders": _USES,
    "nobody uses a coupon too often": _LIMITS,
    "an order that a provider paid is paid": _PAYMENTS,
    "lists show what the parts of a product say": _READY,
}
INVARIANTS = tuple(_PROMISES)
_STATEMENTS = {
    # Put together of the constants above.
    name: text(f"SELECT * FROM ({sql}) f (subject, detail) ORDER BY 1, 2 LIMIT :most")  # noqa: S608
    for name, sql in _PROMISES.items()
}
_TAKEN = text(
    "SELECT currency, sum(CASE WHEN payment_status = 'paid' THEN total_minor ELSE 0 END) AS minor"
    " FROM shop_order WHERE transfer IS NOT NULL GROUP BY currency ORDER BY currency"
)
_COUNTS = text(
    "SELECT (SELECT count(*) FROM shop_order) AS orders,"
    " (SELECT count(*) FROM shop_stock_level) AS products,"
    " (SELECT count(*) FROM shop_coupon) AS coupons"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that breaks a promise."""

    invariant: str
    subject: str
    detail: str


def findings() -> list[Finding]:
    """Everything that breaks a promise of the shop's own tables, up to a hundred of each."""
    return [
        Finding(name, row.subject, row.detail)
        for name, statement in _STATEMENTS.items()
        for row in session.execute(statement, {"most": _MOST})
    ]


def taken() -> dict[str, int]:
    """Minor units that wallets paid for orders and that were not given back, by currency."""
    return {row.currency: int(row.minor) for row in session.execute(_TAKEN)}


def counts() -> dict[str, int]:
    """How much there is to be looked at."""
    return dict(session.execute(_COUNTS).mappings().one())
