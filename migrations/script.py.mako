"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${'"' + up_revision + '"'}
down_revision = ${'"' + down_revision + '"' if down_revision else None}
# Revisions of other streams that must be there first, such as {"host": "host_0002"}.
needs: dict[str, str] = ${"{}" if down_revision or up_revision.startswith("host_") else '{"host": "host_0001"}'}


def upgrade() -> None:
    """Apply the step."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo the step; it also runs when the plugin is purged."""
    ${downgrades if downgrades else "pass"}
