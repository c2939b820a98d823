"""The outbox of jobs, schedules with their ticks, and heartbeats of processes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "host_0002"
down_revision = "host_0001"
needs: dict[str, str] = {}

NOW = sa.text("clock_timestamp()")
# Spelled as PostgreSQL reports it, or every comparison with the models would see a difference.
PLUGIN_OF_JOB = sa.Computed("split_part(job, '.'::text, 1)", persisted=True)

# Public to plugins' own database functions, so that a change and its job are one round trip.
# Returns NULL when a job with this business key exists already.
ENQUEUE = """
CREATE FUNCTION torg_enqueue(
    job text,
    payload jsonb DEFAULT '{}',
    business_key text DEFAULT NULL,
    run_at timestamptz DEFAULT NULL,
    request_id text DEFAULT NULL,
    identity_id bigint DEFAULT NULL,
    priority integer DEFAULT 5,
    max_attempts integer DEFAULT 10
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $body$
#variable_conflict use_variable
DECLARE
    made bigint;
BEGIN
    INSERT INTO torg_outbox AS waiting (
        job, payload, business_key, run_at, request_id, identity_id, priority, max_attempts
    ) VALUES (
        job, payload, business_key, COALESCE(run_at, clock_timestamp()), request_id, identity_id,
        priority, max_attempts
    )
    ON CONFLICT DO NOTHING
    RETURNING waiting.id INTO made;
    RETURN made;
END
$body$
"""
ENQUEUE_ARGUMENTS = "text, jsonb, text, timestamptz, text, bigint, integer, integer"


def upgrade() -> None:
    """Make the tables and the function."""
    _outbox()
    _schedules()
    op.create_table(
        "torg_heartbeat",
        sa.Column("process", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    )
    op.execute(ENQUEUE)


def _outbox() -> None:
    op.create_table(
        "torg_outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("plugin", sa.Text, PLUGIN_OF_JOB),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("business_key", sa.Text),
        sa.Column("state", sa.Text, nullable=False, server_default="queued"),
        sa.Column("priority", sa.SmallInteger, nullable=False, server_default="5"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("max_attempts", sa.Integer, nullable=False, server_default="10"),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("result", JSONB),
        sa.Column("last_error", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column(
            "identity_id", sa.BigInteger, sa.ForeignKey("torg_identity.id", ondelete="SET NULL")
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'dead', 'parked')", name="state_known"
        ),
        sa.CheckConstraint("priority IN (0, 5, 9)", name="priority_known"),
        sa.CheckConstraint(r"job ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_.]*$'", name="job_named"),
        sa.CheckConstraint("char_length(business_key) <= 255", name="key_short"),
        sa.CheckConstraint("max_attempts > 0", name="attempts_allowed"),
    )
    op.create_index(
        "uq_torg_outbox_business_key",
        "torg_outbox",
        ["plugin", "job", "business_key"],
        unique=True,
        postgresql_where=sa.text("business_key IS NOT NULL"),
    )
    for name, columns, condition in (
        ("due", ["priority", "run_at", "id"], "state IN ('queued', 'running')"),
        ("parked", ["job"], "state = 'parked'"),
        ("dead", ["id"], "state = 'dead'"),
        ("done", ["finished_at"], "state = 'done'"),
        ("identity", ["identity_id"], "identity_id IS NOT NULL"),
    ):
        op.create_index(
            f"ix_torg_outbox_{name}", "torg_outbox", columns, postgresql_where=sa.text(condition)
        )
    # A queue turns over: vacuum it by work done, not by a share of all the rows that are kept.
    op.execute(
        "ALTER TABLE torg_outbox SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0,"
        " autovacuum_vacuum_threshold = 2000)"
    )
    op.create_table(
        "torg_outbox_progress",
        sa.Column(
            "job_id",
            sa.BigInteger,
            sa.ForeignKey("torg_outbox.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    )


def _schedules() -> None:
    op.create_table(
        "torg_schedule",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("cron", sa.Text),
        sa.Column("every_seconds", sa.Integer),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_due_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.CheckConstraint("num_nonnulls(cron, every_seconds) = 1", name="one_rhythm"),
        sa.CheckConstraint("every_seconds > 0", name="interval_positive"),
    )
    op.create_index(
        "ix_torg_schedule_due",
        "torg_schedule",
        ["next_due_at"],
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "torg_schedule_tick",
        sa.Column(
            "schedule",
            sa.Text,
            sa.ForeignKey("torg_schedule.name", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("job_id", sa.BigInteger),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    )


def downgrade() -> None:
    """Drop all of it; waiting jobs are lost."""
    op.execute(f"DROP FUNCTION torg_enqueue({ENQUEUE_ARGUMENTS})")
    for table in (
        "torg_heartbeat",
        "torg_schedule_tick",
        "torg_schedule",
        "torg_outbox_progress",
        "torg_outbox",
    ):
        op.drop_table(table)
