"""The plan says which statements stop a busy shop."""

import pytest

from torg.migration_locks import notes


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("ALTER TABLE lot ALTER COLUMN price TYPE BIGINT;", "lot: rewrites"),
        ("ALTER TABLE lot ALTER COLUMN price SET NOT NULL;", "lot: reads all"),
        ("ALTER TABLE lot ADD CONSTRAINT fk FOREIGN KEY(a) REFERENCES b (id);", "lot: checks"),
        ("ALTER TABLE lot ADD CONSTRAINT uq UNIQUE (a);", "lot: builds an index"),
        ("ALTER TABLE lot ADD COLUMN at timestamptz DEFAULT clock_timestamp();", "lot: rewrites"),
        ("ALTER TABLE lot DROP COLUMN price;", "lot: code of the version before"),
        ("ALTER TABLE lot RENAME TO lots;", "lot: code of the version before"),
        ("ALTER TABLE lot ADD COLUMN word TEXT;", "lot: locked for a moment"),
        ("CREATE INDEX ix_lot ON lot (price);", "lot: nobody writes"),
        ("DROP TABLE lot;", "lot: goes"),
        ("UPDATE lot SET price = 1;", "lot: changes rows"),
    ],
)
def test_statement_is_explained(sql: str, words: str) -> None:
    (found,) = notes(sql)

    assert found.startswith(words)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE lot (id BIGINT);\n\nCREATE INDEX ix_lot ON lot (id);",
        "CREATE INDEX CONCURRENTLY ix_lot ON lot (price);",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "",
    ],
)
def test_harmless_statement_is_not_mentioned(sql: str) -> None:
    assert notes(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE lot ADD CONSTRAINT ck CHECK (price > 0) NOT VALID;",
        "ALTER TABLE lot ADD CONSTRAINT uq UNIQUE USING INDEX ix_lot;",
    ],
)
def test_careful_way_only_locks_for_a_moment(sql: str) -> None:
    assert notes(sql) == ["lot: locked for a moment; waits for running transactions on it"]
