"""What is kept: sums by day, the members of what is told apart, how far they reach, and reports."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Record


class Source(Base):
    """How far the kept sums of some facts reach: all rows recorded up to `watermark`."""

    __tablename__ = "stats_source"

    facts: Mapped[str] = mapped_column(Text, primary_key=True)
    #: What the sums were made of; when plugins count something else, all is made anew.
    shape: Mapped[str] = mapped_column(Text)
    watermark: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class PendingDay(Base):
    """A day that was touched and whose sums are still to be made; it is counted live meanwhile."""

    __tablename__ = "stats_pending_day"

    facts: Mapped[str] = mapped_column(
        ForeignKey("stats_source.facts", ondelete="CASCADE"), primary_key=True
    )
    zone: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)


class DaySum(Base):
    """What one measure adds up to on one day, for one combination of dimension values.

    `grouping` names the dimensions, joined by commas; `key` has their values in that order.
    """

    __tablename__ = "stats_day_sum"

    facts: Mapped[str] = mapped_column(
        ForeignKey("stats_source.facts", ondelete="CASCADE"), primary_key=True
    )
    zone: Mapped[str] = mapped_column(Text, primary_key=True)
    grouping: Mapped[str] = mapped_column(Text, primary_key=True)
    measure: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    key: Mapped[list[str | None]] = mapped_column(ARRAY(Text), primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[Decimal] = mapped_column(Numeric)


class DayMember(Base):
    """One of the different values that a measure met on one day."""

    __tablename__ = "stats_day_member"

    facts: Mapped[str] = mapped_column(
        ForeignKey("stats_source.facts", ondelete="CASCADE"), primary_key=True
    )
    zone: Mapped[str] = mapped_column(Text, primary_key=True)
    grouping: Mapped[str] = mapped_column(Text, primary_key=True)
    measure: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    key: Mapped[list[str | None]] = mapped_column(ARRAY(Text), primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    member: Mapped[str] = mapped_column(Text, primary_key=True)


class Report(Record, Base):
    """A question that somebody keeps, and when its answer is sent to him."""

    __tablename__ = "stats_report"
    __table_args__ = (
        CheckConstraint("schedule IN ('none', 'daily', 'weekly', 'monthly')", name="schedule"),
        Index("ix_stats_report_owner_id", "owner_id", "id"),
        Index(
            "ix_stats_report_due_at", "due_at", postgresql_where=text("schedule <> 'none'::text")
        ),
    )

    owner_id: Mapped[int] = mapped_column(ForeignKey("torg_identity.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    question: Mapped[dict[str, Any]] = mapped_column(JSONB)
    schedule: Mapped[str] = mapped_column(Text, server_default="none")
    due_at: Mapped[datetime | None]


MODELS = (Source, PendingDay, DaySum, DayMember, Report)
