"""What people have seen to: events of providers that made no sense; and rewards that are undone.

The events stay as they came: that somebody looked at one is a row of its own.
"""

from alembic import op

revision = "wallet_0007"
down_revision = "wallet_0006"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE wallet_event_acknowledgement (
    event_id bigint NOT NULL CONSTRAINT fk_wallet_event_acknowledgement_event_id
        REFERENCES wallet_provider_event (id) ON DELETE RESTRICT,
    identity_id bigint NOT NULL CONSTRAINT fk_wallet_event_acknowledgement_identity_id
        REFERENCES torg_identity (id) ON DELETE RESTRICT,
    note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_wallet_event_acknowledgement PRIMARY KEY (event_id),
    CONSTRAINT ck_wallet_event_acknowledgement_note CHECK (char_length(note) BETWEEN 1 AND 500)
);
CREATE TRIGGER wallet_event_acknowledgement_is_final
    BEFORE UPDATE OR DELETE ON wallet_event_acknowledgement
    FOR EACH ROW EXECUTE FUNCTION wallet_refuse_change();

ALTER TABLE wallet_referral ADD COLUMN lot_id bigint CONSTRAINT fk_wallet_referral_lot_id
        REFERENCES wallet_bonus_lot (id) ON DELETE RESTRICT,
    ADD COLUMN reversals integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT ck_wallet_referral_reversals CHECK (reversals >= 0);
CREATE INDEX ix_wallet_referral_lot_id ON wallet_referral (lot_id) WHERE lot_id IS NOT NULL;
"""
_DROPPED = """
DROP INDEX ix_wallet_referral_lot_id;
ALTER TABLE wallet_referral DROP COLUMN reversals, DROP COLUMN lot_id;
DROP TABLE wallet_event_acknowledgement;
"""


def upgrade() -> None:
    """Create the table, remember what a reward was for."""
    op.execute(_TABLE)


def downgrade() -> None:
    """As before."""
    op.execute(_DROPPED)
