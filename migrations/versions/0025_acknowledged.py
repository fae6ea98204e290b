"""Who looks after an alert, and since when; the door may write that and nothing else of it.

Source: docs/settlement.md.
"""

from alembic import op

revision = "0025_acknowledged"
down_revision = "0021_tier_doors"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE settlement.alert ADD COLUMN acknowledged_at timestamptz, ADD COLUMN acknowledged_by text,
    ADD CONSTRAINT alert_acknowledged CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL));
GRANT UPDATE (acknowledged_at, acknowledged_by) ON settlement.alert TO tongdui_app;
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    """Who looked after what is forgotten."""
    op.execute("REVOKE UPDATE (acknowledged_at, acknowledged_by) ON settlement.alert FROM tongdui_app")
    op.execute("ALTER TABLE settlement.alert DROP COLUMN acknowledged_at, DROP COLUMN acknowledged_by")
