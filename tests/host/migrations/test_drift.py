"""Models and tables are compared, each plugin by itself; models keep the rules of ownership."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from torg import heartbeats, idempotency, identity, migration_record, outbox, schedules
from torg.db import Base, Record
from torg.migration_rules import check_models, drift
from torg.migration_streams import host_stream

HOST_MODELS = (heartbeats, idempotency, identity, migration_record, outbox, schedules)


class Stall(Record, Base):
    """A model whose table the tests make by migrations."""

    __tablename__ = "driftstall_thing"
    __table_args__ = (
        sa.CheckConstraint("price > 0", name="price_positive"),
        sa.Index("ix_driftstall_thing_price", "price"),
    )

    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("torg_identity.id", ondelete="CASCADE"))
    price: Mapped[int]


AS_THE_MODEL = """
op.create_table(
    "driftstall_thing",
    sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
    sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
    sa.Column("owner_id", sa.BigInteger(), nullable=False),
    sa.Column("price", sa.BigInteger(), nullable=False),
    *(
        sa.Column(
            name,
            sa.DateTime(timezone=True),
            server_default=sa.func.clock_timestamp(),
            nullable=False,
        )
        for name in ("created_at", "updated_at")
    ),
    sa.CheckConstraint("price > 0", name="price_positive"),
    sa.ForeignKeyConstraint(["owner_id"], ["torg_identity.id"], ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id"),
)
op.create_index("ix_driftstall_thing_price", "driftstall_thing", ["price"])
"""


@pytest.fixture
def stall(stage: Any) -> Any:
    """The stall and its neighbour, migrated."""
    made, other = stage.plugin("driftstall"), stage.plugin("other")
    made.revision(1, AS_THE_MODEL)
    other.table(1, "other_thing")
    stage.upgrade(made, other)
    return made


def found(stage: Any, stall: Any) -> list[str]:
    """The drift of the stall."""
    stream = stage.streams(stall)[1]
    with stage.engine.connect() as connection:
        return drift(connection, stream, {"driftstall", "other"})


def test_host_tables_are_as_the_models_say(stage: Any) -> None:
    assert HOST_MODELS
    stage.upgrade()

    with stage.engine.connect() as connection:
        assert drift(connection, host_stream()) == []


def test_equal_models_and_tables_have_no_drift(stage: Any, stall: Any) -> None:
    assert found(stage, stall) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE driftstall_thing ADD COLUMN word text", "column driftstall_thing.word is in"),
        ("ALTER TABLE driftstall_thing DROP COLUMN price", "column driftstall_thing.price is in"),
        ("ALTER TABLE driftstall_thing ALTER price DROP NOT NULL", "price: nullable is True"),
        ("ALTER TABLE driftstall_thing ALTER price TYPE integer", "price: type is INTEGER"),
        ("ALTER TABLE driftstall_thing ALTER is_active SET DEFAULT false", "is_active: default"),
        ("DROP INDEX ix_driftstall_thing_price", "index ix_driftstall_thing_price of drift"),
        (
            "ALTER TABLE driftstall_thing DROP CONSTRAINT ck_driftstall_thing_price_positive",
            "constraint ck_driftstall_thing_price_positive",
        ),
        (
            "ALTER TABLE driftstall_thing DROP CONSTRAINT fk_driftstall_thing_owner_id",
            "foreign key fk_driftstall_thing_owner_id of driftstall_thing is in the model",
        ),
        ("CREATE TABLE driftstall_more (id int)", "table driftstall_more is in the database"),
        ("DROP TABLE driftstall_thing", "table driftstall_thing is in the model"),
    ],
)
def test_each_difference_is_one_sentence(stage: Any, stall: Any, change: str, words: str) -> None:
    with stage.engine.begin() as connection:
        connection.execute(text(change))

    assert any(words in line for line in found(stage, stall)), found(stage, stall)


def test_change_of_a_neighbour_is_not_mine(stage: Any, stall: Any) -> None:
    with stage.engine.begin() as connection:
        connection.execute(text("ALTER TABLE other_thing ADD COLUMN word text"))

    assert found(stage, stall) == []


def test_partitions_stand_for_nothing_by_themselves(stage: Any, stall: Any) -> None:
    with stage.engine.begin() as connection:
        connection.execute(text("CREATE TABLE report (at date) PARTITION BY RANGE (at)"))
        connection.execute(text("CREATE TABLE driftstall_2026 PARTITION OF report DEFAULT"))

    assert found(stage, stall) == []


class TestModels:
    @pytest.fixture
    def metadata(self) -> Iterator[None]:
        """Forget the models of a test."""
        before = set(Base.metadata.tables)
        yield
        for name in set(Base.metadata.tables) - before:
            Base.metadata.remove(Base.metadata.tables[name])

    def test_model_that_keeps_the_rules_is_fine(self) -> None:
        assert check_models("driftstall", [Stall]) == []

    @pytest.mark.usefixtures("metadata")
    def test_table_without_the_prefix_is_named(self) -> None:
        model = type("Loose", (Record, Base), {"__tablename__": "loose_thing"})

        (problem,) = check_models("driftstall", [model])

        assert "loose_thing must be called driftstall_…" in problem

    @pytest.mark.usefixtures("metadata")
    def test_reference_to_another_plugin_is_named(self) -> None:
        column = mapped_column(sa.ForeignKey("other_thing.id", ondelete="CASCADE"))
        model = type(
            "Nosy", (Record, Base), {"__tablename__": "driftstall_nosy", "other_id": column}
        )

        (problem,) = check_models("driftstall", [model])

        assert "driftstall_nosy.other_id refers to other_thing" in problem

    @pytest.mark.usefixtures("metadata")
    @pytest.mark.parametrize("rule", ["", "NO ACTION"])
    def test_reference_without_on_delete_is_named(self, rule: str) -> None:
        column = mapped_column(sa.ForeignKey("torg_identity.id", ondelete=rule or None))
        name = f"vague{len(rule)}"
        model = type(
            name, (Record, Base), {"__tablename__": f"driftstall_{name}", "who_id": column}
        )

        (problem,) = check_models("driftstall", [model])

        assert "without ON DELETE" in problem

    def test_thing_that_is_no_model_is_named(self) -> None:
        (problem,) = check_models("driftstall", [str])

        assert "no mapped class" in problem

    def test_host_models_keep_the_rules(self) -> None:
        models = [each for each in Base.__subclasses__() if each.__module__.startswith("torg.")]

        assert len(models) >= len(HOST_MODELS)
        assert check_models("host", models) == []
