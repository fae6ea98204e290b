"""What a sealed batch takes for granted of the registry, so that it is seen before its commit when something of it has
come to an end; and whose own keys may sign little, so that nothing is taken in that would have to wait.

Source: docs/decisions/0183.
"""

from alembic import op

revision = "0024_uses"
down_revision = "0020_tiers"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE settlement.batch ADD COLUMN uses jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN settlement.batch.uses IS
    'What its leaves use of the registry, each once: merchant, key, kind, terms (0: none).';
ALTER TABLE settlement.self_lane ADD COLUMN restricted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN settlement.self_lane.restricted IS
    'The registry has its merchant as suspended, delinquent or gone for the next batch: it signs only what gives back.';
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    op.execute("ALTER TABLE settlement.batch DROP COLUMN uses")
    op.execute("ALTER TABLE settlement.self_lane DROP COLUMN restricted")
