"""People: indexes for what a member bought and whom it stands for; who bought before bonds existed cannot be bound.

A first purchase decides a member's referral; members of orders from before get the row that `earn` writes since. See
docs/ledger.md.
"""

from alembic import op

revision = "0006_people"
down_revision = "0005_moving"
branch_labels = None
depends_on = None

UP = """
INSERT INTO ledger.membership (shard, member_no, bonded, frozen, closed, tier_since_ms, tier)
SELECT DISTINCT shard, member_no, true, false, false, 0, '' FROM ledger.orders;
CREATE INDEX lot_bought ON ledger.lot (shard, member_no, confirmed_at_ms) WHERE role = 0;
CREATE INDEX membership_merged ON ledger.membership (shard, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX journal_tiers ON ledger.journal (shard, ((command::json)->>'member'), seq) WHERE verb = 'evaluate_tier';
"""
DOWN = """
DROP INDEX ledger.journal_tiers;
DROP INDEX ledger.membership_merged;
DROP INDEX ledger.lot_bought;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    """The indexes go; the rows say what is true and stay."""
    op.execute(DOWN)
