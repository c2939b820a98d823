"""How many SQL statements one request costs, counted inside this process."""

from typing import Any

from sqlalchemy import Engine, event

from bench.market import Market
from torg import prepared


def count(market: Market) -> dict[str, int]:
    """Statements by request, with the token already remembered and nothing cached."""
    client = market.app.test_client()
    signed_in = {"Authorization": f"Bearer {market.tokens[0]}"}
    bids = f"/api/v1/auctions/{market.hot}/bids"
    client.get("/api/v1/auctions/mine", headers=signed_in)
    low = {"amount": {"amount": "0.01", "currency": "EUR"}}
    enough = {"amount": {"amount": "50.00", "currency": "EUR"}}
    more = {"amount": {"amount": "60.00", "currency": "EUR"}}
    keyed = {**signed_in, "Idempotency-Key": "counted"}
    return {
        "list of 50": _during(lambda: client.get("/api/v1/auctions?limit=50&owner=person0")),
        "detail with 100 bids": _during(lambda: client.get(f"/api/v1/auctions/{market.detail}")),
        "bid": _during(lambda: client.post(bids, json=enough, headers=signed_in)),
        "bid with Idempotency-Key": _during(lambda: client.post(bids, json=more, headers=keyed)),
        "bid that is too low": _during(lambda: client.post(bids, json=low, headers=signed_in)),
    }


def _during(request: Any) -> int:
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        statements.append(sql)

    def note_prepared(sql: str) -> None:
        statements.append(sql)

    event.listen(Engine, "before_cursor_execute", note)
    prepared.observers.append(note_prepared)
    try:
        answer = request()
        if answer.status_code >= 500 or answer.status_code in {400, 401, 404}:
            raise RuntimeError(answer.get_data(as_text=True))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        prepared.observers.remove(note_prepared)
    return len(statements)
