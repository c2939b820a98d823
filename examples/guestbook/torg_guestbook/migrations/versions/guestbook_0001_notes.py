"""Notes."""

import sqlalchemy as sa
from alembic import op

revision = "guestbook_0001"
down_revision = None
# Revisions of other streams that must be there first.
needs: dict[str, str] = {"host": "host_0002"}


def upgrade() -> None:
    """Apply the step."""
    op.create_table(
        "guestbook_note",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("word_count", sa.BigInteger(), nullable=True),
        *(
            sa.Column(
                name,
                sa.DateTime(timezone=True),
                server_default=sa.func.clock_timestamp(),
                nullable=False,
            )
            for name in ("created_at", "updated_at")
        ),
        sa.CheckConstraint("word_count >= 0", name="word_count_not_negative"),
        sa.ForeignKeyConstraint(["author_id"], ["torg_identity.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_guestbook_note_author_id", "guestbook_note", ["author_id"])


def downgrade() -> None:
    """Undo the step; it also runs when the plugin is purged."""
    op.drop_table("guestbook_note")
