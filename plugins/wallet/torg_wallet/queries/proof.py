"""The proof: every balance and every invariant derived again from entries and holds.

Each check is one statement, so it sees the books at one moment, and returns what breaks the rule;
nothing is ever repaired. Owns reading only.
"""

from dataclasses import dataclass

from sqlalchemy import text

from torg.db import session

_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be."""

    invariant: str
    subject: str
    detail: str


# Each selects `subject` and `detail` of what is wrong.
_CHECKS: dict[str, str] = {
    "LE1": """
        SELECT 'transfer ' || t.reference AS subject,
               format('%s of %s entries, sums %s', count(e.id), t.entry_count,
                      coalesce(string_agg(DISTINCT s.currency || ' ' || s.total, ', '), 'none'))
                   AS detail
          FROM wallet_transfer t
          LEFT JOIN wallet_entry e ON e.transfer_id = t.id
          LEFT JOIN LATERAL (SELECT currency, sum(amount_minor) AS total FROM wallet_entry
                              WHERE transfer_id = t.id GROUP BY currency) s ON true
         GROUP BY t.id
        HAVING count(DISTINCT e.id) <> t.entry_count OR coalesce(bool_or(s.total <> 0), false)""",
    "LE2": """
        SELECT 'table ' || wanted.relation AS subject, 'a guarding trigger is gone or off' AS detail
          FROM (VALUES ('wallet_transfer', 'wallet_transfer_is_final'),
                       ('wallet_entry', 'wallet_entry_is_final'),
                       ('wallet_transfer', 'wallet_transfer_stays'),
                       ('wallet_entry', 'wallet_entry_stays'),
                       ('wallet_transfer', 'wallet_transfer_balances'),
                       ('wallet_entry', 'wallet_entry_balances'),
                       ('wallet_account', 'wallet_account_follows_entries'),
                       ('wallet_hold', 'wallet_hold_closes_once'))
               AS wanted (relation, trigger)
         WHERE NOT EXISTS (SELECT FROM pg_trigger t
                            WHERE t.tgrelid = to_regclass(wanted.relation)
                              AND t.tgname = wanted.trigger AND t.tgenabled IN ('O', 'A'))""",
    "LE3": """
        SELECT 'account ' || a.id AS subject,
               format('posted %s, entries sum to %s; version %s, entries %s, newest %s',
                      a.posted_minor, coalesce(e.total, 0), a.version, coalesce(e.number, 0),
                      coalesce(e.newest, 0)) AS detail
          FROM wallet_account a
          LEFT JOIN (SELECT account_id, sum(amount_minor) AS total, count(*) AS number,
                            max(account_version) AS newest
                       FROM wallet_entry GROUP BY account_id) e ON e.account_id = a.id
         WHERE a.posted_minor <> coalesce(e.total, 0) OR a.version <> coalesce(e.number, 0)
            OR a.version <> coalesce(e.newest, 0)
        UNION ALL
        SELECT 'entry ' || id, format('balance after is %s, entries up to it sum to %s',
                                      balance_after_minor, running)
          FROM (SELECT id, balance_after_minor,
                       sum(amount_minor) OVER (PARTITION BY account_id ORDER BY account_version)
                           AS running
                  FROM wallet_entry) AS entries
         WHERE balance_after_minor <> running
        UNION ALL
        SELECT 'account ' || a.id, format('pending %s, open holds sum to %s', a.pending_minor,
                                          coalesce(h.total, 0))
          FROM wallet_account a
          LEFT JOIN (SELECT account_id,
                            sum(amount_minor - captured_minor - voided_minor) AS total
                       FROM wallet_hold WHERE status = 'open' GROUP BY account_id) h
                 ON h.account_id = a.id
         WHERE a.pending_minor <> coalesce(h.total, 0)""",
    "LE4": """
        SELECT 'account ' || id AS subject,
               format('posted %s, pending %s, limit %s', posted_minor, pending_minor,
                      overdraft_limit_minor) AS detail
          FROM wallet_account WHERE posted_minor - pending_minor < -overdraft_limit_minor""",
    "LE5": """
        SELECT 'hold ' || h.reference AS subject,
               format('%s: held %s, captured %s, voided %s; transfers took %s', h.status,
                      h.amount_minor, h.captured_minor, h.voided_minor, coalesce(t.taken, 0))
                   AS detail
          FROM wallet_hold h
          LEFT JOIN (SELECT t.hold_id, e.account_id, -sum(e.amount_minor) AS taken,
                            max(t.created_at) AS latest
                       FROM wallet_transfer t JOIN wallet_entry e ON e.transfer_id = t.id
                      WHERE t.hold_id IS NOT NULL GROUP BY t.hold_id, e.account_id) t
                 ON t.hold_id = h.id AND t.account_id = h.account_id
         WHERE h.captured_minor <> coalesce(t.taken, 0)
            OR h.captured_minor + h.voided_minor > h.amount_minor
            OR (h.status = 'open') <> (h.closed_at IS NULL)
            OR t.latest >= h.expires_at""",
    "LE6": """
        SELECT 'key ' || source || ' ' || idempotency_key AS subject,
               count(*) || ' transfers' AS detail
          FROM wallet_transfer GROUP BY source, idempotency_key HAVING count(*) > 1
        UNION ALL
        SELECT 'key ' || source || ' ' || idempotency_key, count(*) || ' holds'
          FROM wallet_hold GROUP BY source, idempotency_key HAVING count(*) > 1""",
    "LE7": """
        SELECT 'reference ' || source || ' ' || external_reference AS subject,
               count(*) || ' transfers' AS detail
          FROM wallet_transfer WHERE external_reference IS NOT NULL
         GROUP BY source, external_reference HAVING count(*) > 1""",
    "LE8": """
        SELECT 'entry ' || e.id AS subject, e.currency || ' on an account in ' || a.currency
                   AS detail
          FROM wallet_entry e JOIN wallet_account a ON a.id = e.account_id
         WHERE e.currency <> a.currency""",
    "LE9": """
        SELECT 'currency ' || currency AS subject, 'accounts sum to ' || sum(posted_minor)
                   AS detail
          FROM wallet_account GROUP BY currency HAVING sum(posted_minor) <> 0""",
    "LE10": """
        SELECT 'transfer ' || o.reference AS subject,
               format('account %s: moved %s, reversed %s, counted %s', e.account_id,
                      e.amount_minor, r.total, c.reversed_minor) AS detail
          FROM (SELECT t.reverses_id, e.account_id, sum(e.amount_minor) AS total
                  FROM wallet_transfer t JOIN wallet_entry e ON e.transfer_id = t.id
                 WHERE t.reverses_id IS NOT NULL GROUP BY t.reverses_id, e.account_id) r
          JOIN wallet_transfer o ON o.id = r.reverses_id
          LEFT JOIN wallet_entry e ON e.transfer_id = o.id AND e.account_id = r.account_id
          LEFT JOIN wallet_reversed c ON c.transfer_id = o.id AND c.account_id = r.account_id
         WHERE e.id IS NULL OR c.reversed_minor IS DISTINCT FROM r.total
            OR abs(r.total) > abs(e.amount_minor) OR sign(r.total) = sign(e.amount_minor)""",
    "BP1": """
        SELECT 'person ' || coalesce(l.identity_id, a.owner_id) AS subject,
               format('%s: lots hold %s, the account %s', coalesce(l.code, a.code),
                      coalesce(l.total, 0), coalesce(a.posted_minor, 0)) AS detail
          FROM (SELECT identity_id,
                       CASE status WHEN 'pending' THEN 'points_pending' ELSE 'points' END AS code,
                       sum(remaining_minor) AS total
                  FROM wallet_bonus_lot GROUP BY identity_id, status) l
          FULL JOIN (SELECT owner_id, code, posted_minor FROM wallet_account
                      WHERE currency = 'PTS' AND owner_id IS NOT NULL) a
                 ON a.owner_id = l.identity_id AND a.code = l.code
         WHERE coalesce(l.total, 0) <> coalesce(a.posted_minor, 0)""",
    "BP2": """
        SELECT 'lot ' || l.id AS subject,
               format('earned %s, moved %s, left %s', l.amount_minor,
                      coalesce(sum(m.amount_minor), 0), l.remaining_minor) AS detail
          FROM wallet_bonus_lot l LEFT JOIN wallet_bonus_move m ON m.lot_id = l.id
         GROUP BY l.id
        HAVING l.amount_minor + coalesce(sum(m.amount_minor), 0) <> l.remaining_minor""",
    "BP3": """
        SELECT 'code ' || c.code AS subject,
               format('counted %s, used %s times', c.used_count, coalesce(sum(u.number), 0))
                   AS detail
          FROM wallet_promo_code c
          LEFT JOIN (SELECT code_id, identity_id, count(*) AS number
                       FROM wallet_promo_use GROUP BY code_id, identity_id) u
                 ON u.code_id = c.id
         GROUP BY c.id
        HAVING c.used_count <> coalesce(sum(u.number), 0) OR c.used_count > c.most_uses
            OR coalesce(max(u.number), 0) > c.most_per_person""",
}

INVARIANTS = tuple(_CHECKS)


def findings() -> list[Finding]:
    """What breaks an invariant, at most a hundred of each; empty when the books are sound."""
    found = []
    for invariant, check in _CHECKS.items():
        rows = session.execute(text(f"{check} LIMIT {_MOST_FINDINGS}"))
        found += [Finding(invariant, row.subject, row.detail) for row in rows]
    return found


_COUNTS = text("""
SELECT (SELECT count(*) FROM wallet_account) AS accounts,
       (SELECT count(*) FROM wallet_transfer) AS transfers,
       (SELECT count(*) FROM wallet_entry) AS entries,
       (SELECT count(*) FROM wallet_hold) AS holds
""")


def counts() -> dict[str, int]:
    """How much was looked at."""
    return dict(session.execute(_COUNTS).one()._mapping)  # noqa: SLF001 - SQLAlchemy's name
