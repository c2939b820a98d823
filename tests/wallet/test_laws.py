"""The laws hold against anybody who writes past the application; the proof sees what they cannot.

Each law is tried with plain SQL; the proof is tried on books whose laws were lifted.
"""

import psycopg2
import pytest


@pytest.fixture
def moved(books):
    anna, ben = books.account(1000), books.account()
    books.move(anna, ben, 300)
    hold = books.held(anna, 100)
    return anna, ben, hold


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallet_transfer SET purpose = 'other'",
        "DELETE FROM wallet_transfer",
        "TRUNCATE wallet_transfer CASCADE",
        "UPDATE wallet_entry SET amount_minor = amount_minor + 1",
        "DELETE FROM wallet_entry",
        "TRUNCATE wallet_entry CASCADE",
        "DELETE FROM wallet_account",
        "DELETE FROM wallet_hold",
        "UPDATE wallet_account SET posted_minor = posted_minor + 1",
        "UPDATE wallet_account SET version = version + 1",
        "UPDATE wallet_account SET pending_minor = 0 WHERE pending_minor > 0",
        "UPDATE wallet_account SET currency = 'USD'",
        "UPDATE wallet_account SET owner_id = NULL WHERE owner_id IS NOT NULL",
        "UPDATE wallet_hold SET amount_minor = amount_minor + 1",
        "UPDATE wallet_hold SET captured_minor = amount_minor + 1",
        (
            "INSERT INTO wallet_account (code, kind, currency, posted_minor)"
            " VALUES ('rich', 'asset', 'EUR', 5)"
        ),
        (
            "INSERT INTO wallet_account (owner_id, code, kind, currency)"
            " SELECT min(id), 'unlimited', 'liability', 'EUR' FROM torg_identity"
        ),
        (
            "INSERT INTO wallet_entry (transfer_id, account_id, currency, amount_minor,"
            " balance_after_minor, account_version)"
            " SELECT max(transfer_id), min(account_id), 'EUR', 5, 5, 1 FROM wallet_entry"
        ),
        (
            "INSERT INTO wallet_transfer (reference, purpose, source, idempotency_key, fingerprint,"
            " entry_count, description) VALUES ('TR1', 'empty', 'test', 'empty', '', 2, '')"
        ),
    ],
)
def test_what_is_in_the_books_cannot_be_changed_past_them(books, moved, statement):
    with pytest.raises(psycopg2.Error):
        books.sql(statement)
    assert books.prove() == []


def add_entries(books, transfer_facts, *entries):
    """Write a transfer by hand, in one transaction; (account, amount, currency)."""
    connection = books.connect()
    connection.autocommit = False
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO wallet_transfer (reference, purpose, source, idempotency_key,"
                " fingerprint, entry_count, description, reverses_id)"
                " VALUES (wallet_reference('TR'), 'hand', 'test', gen_random_uuid()::text,"
                " '', %s, '', %s) RETURNING id",
                (transfer_facts.get("count", len(entries)), transfer_facts.get("reverses")),
            )
            transfer = cursor.fetchone().id
            for account, amount, currency in entries:
                cursor.execute(
                    "INSERT INTO wallet_entry (transfer_id, account_id, currency, amount_minor,"
                    " balance_after_minor, account_version) SELECT %s, id, %s, %s,"
                    " posted_minor + %s, version + 1 FROM wallet_account WHERE id = %s",
                    (transfer, currency, amount, amount, account),
                )
    finally:
        connection.close()


def test_by_hand_a_sound_transfer_is_taken(books, moved):
    anna, ben, _ = moved
    add_entries(books, {}, (anna, -10, "EUR"), (ben, 10, "EUR"))
    assert books.prove() == []


@pytest.mark.parametrize(
    ("facts", "amounts"),
    [({}, (-10, 11)), ({"count": 3}, (-10, 10)), ({}, (-901, 901)), ({}, (-601, 601))],
    ids=["unbalanced", "one too few", "more than there is", "more than is available"],
)
def test_by_hand_an_unsound_one_is_refused(books, moved, facts, amounts):
    anna, ben, _ = moved
    with pytest.raises(psycopg2.Error):
        add_entries(books, facts, (anna, amounts[0], "EUR"), (ben, amounts[1], "EUR"))
    assert books.prove() == []


def test_an_entry_is_in_the_currency_of_its_account(books, moved):
    anna, ben, _ = moved
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        add_entries(books, {}, (anna, -10, "USD"), (ben, 10, "USD"))


def test_by_hand_no_more_is_reversed_than_was_moved(books, moved):
    anna, ben, _ = moved
    original = books.sql("SELECT max(id) AS id FROM wallet_transfer")[0].id
    add_entries(books, {"reverses": original}, (anna, 200, "EUR"), (ben, -200, "EUR"))
    with pytest.raises(psycopg2.errors.CheckViolation):
        add_entries(books, {"reverses": original}, (anna, 101, "EUR"), (ben, -101, "EUR"))
    with pytest.raises(psycopg2.errors.CheckViolation):
        add_entries(books, {"reverses": original}, (anna, -50, "EUR"), (ben, 50, "EUR"))
    assert books.prove() == []


def test_by_hand_a_closed_hold_does_not_reopen(books, moved):
    hold = moved[2]
    books.run(lambda ledger: ledger.void(hold.reference))
    with pytest.raises(psycopg2.errors.CheckViolation):
        books.sql(
            "UPDATE wallet_hold SET status = 'open', voided_minor = 0, closed_at = NULL"
            " WHERE reference = %s",
            hold.reference,
        )


@pytest.mark.parametrize(
    ("statement", "invariants"),
    [
        ("UPDATE wallet_entry SET amount_minor = amount_minor + 1 WHERE id = 1", {"LE1", "LE3"}),
        ("UPDATE wallet_account SET posted_minor = posted_minor + 1", {"LE3", "LE9"}),
        ("UPDATE wallet_account SET pending_minor = 1", {"LE3"}),
        ("UPDATE wallet_account SET version = 9 WHERE id = 1", {"LE3"}),
        ("UPDATE wallet_hold SET captured_minor = 5", {"LE3", "LE5"}),
        ("UPDATE wallet_reversed SET reversed_minor = reversed_minor + 1", {"LE10"}),
        ("DELETE FROM wallet_entry WHERE id = 1", {"LE1", "LE3"}),
        ("SELECT 1", set()),
    ],
)
def test_the_proof_names_what_somebody_broke_with_the_laws_lifted(
    make_broken, statement, invariants
):
    broken = make_broken()
    broken.sql(
        "ALTER TABLE wallet_account DISABLE TRIGGER ALL,"
        " DROP CONSTRAINT ck_wallet_account_available"
    )
    for table in ("transfer", "entry", "hold", "reversed"):
        broken.sql(f"ALTER TABLE wallet_{table} DISABLE TRIGGER ALL")
    broken.sql(statement)
    found = {each["invariant"] for each in broken.prove()}
    assert "LE2" in found  # the laws themselves are off
    assert invariants <= found
    assert found <= invariants | {"LE2", "LE4"}


@pytest.fixture
def make_broken(make_books):
    def make():
        books = make_books()
        anna, ben = books.account(1000), books.account(1000)
        moved = books.move(anna, ben, 300)
        books.held(anna, 100)
        books.run(
            lambda ledger: ledger.reverse(
                moved.reference, source="test", key="part", amount=moved_part()
            )
        )
        return books

    return make


def moved_part():
    from torg.money import Money

    return Money(100, "EUR")
