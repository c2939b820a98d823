"""Moving an owner's money: the key makes a repeated request one transfer."""

import secrets
from typing import Any

from flask import request

from torg import identity
from torg_autotrade.services import participants


def move(kind: str, number: int, arguments: dict[str, Any]) -> dict[str, str]:
    """Move money of the caller to his dealer or supplier, or back."""
    person = identity.current()
    given = request.headers.get("Idempotency-Key") or secrets.token_hex(16)
    key = f"money:{person.id}:{given}"[:255]
    amount, direction = arguments["amount"], arguments["direction"]
    return {"transfer": participants.move_money(kind, person, number, amount, direction, key)}
