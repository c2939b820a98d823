"""What the market keeps about a person: shown to him on demand, forgotten as far as others allow.

Deals are records of two sides; they stay. What a buyer said of himself goes.
"""

from typing import Any

from sqlalchemy import text

from torg import clock
from torg.db import session
from torg.money import format_amount

_PROFILE = text("""
SELECT id, full_name, country, city, created_at FROM autotrade_buyer WHERE identity_id = :id
""")
_OFFERS = text("""
SELECT o.id, o.status, o.max_price_minor AS minor, o.currency, o.placed_at AS moment
  FROM autotrade_offer o JOIN autotrade_buyer b ON b.id = o.buyer_id
 WHERE b.identity_id = :id ORDER BY o.id
""")
_SALES = text("""
SELECT s.id, s.dealer_id, s.total_minor AS minor, s.currency, s.sold_at AS moment
  FROM autotrade_sale s JOIN autotrade_buyer b ON b.id = s.buyer_id
 WHERE b.identity_id = :id ORDER BY s.id
""")
_OWNED = text("""
SELECT 'dealer' AS kind, id, name FROM autotrade_dealer WHERE owner_id = :id
UNION ALL SELECT 'supplier', id, name FROM autotrade_supplier WHERE owner_id = :id ORDER BY 1, 2
""")
_FORGET = text("""
UPDATE autotrade_buyer SET full_name = '', country = NULL, city = '', updated_at = clock_timestamp()
 WHERE identity_id = :id
""")


def export(identity_id: int) -> dict[str, Any]:
    """All of it as JSON values."""
    asked = {"id": identity_id}
    profile = session.execute(_PROFILE, asked).one_or_none()
    return {
        "profile": None
        if profile is None
        else {
            "full_name": profile.full_name,
            "country": profile.country,
            "city": profile.city,
            "since": clock.format_moment(profile.created_at),
        },
        "offers": [_amount(row, status=row.status) for row in session.execute(_OFFERS, asked)],
        "bought": [_amount(row, dealer_id=row.dealer_id) for row in session.execute(_SALES, asked)],
        "owned": [dict(row._mapping) for row in session.execute(_OWNED, asked)],  # noqa: SLF001 - SQLAlchemy's name
    }


def erase(identity_id: int) -> None:
    """Forget what he said of himself."""
    session.execute(_FORGET, {"id": identity_id})


def _amount(row: Any, **more: Any) -> dict[str, Any]:
    amount = {"amount": format_amount(row.minor, row.currency), "currency": row.currency}
    return {"id": row.id, **more, "amount": amount, "at": clock.format_moment(row.moment)}
