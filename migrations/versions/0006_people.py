"""People: who bought before bonds existed cannot be bound any more.

A first purchase decides a member's referral; members of orders from before get the row that `earn` writes since. See
docs/ledger.md.
"""

from alembic import op

revision = "0006_people"
down_revision = "0004_rule_book"
branch_labels = None
depends_on = None

UP = """
INSERT INTO ledger.membership (shard, member_no, bonded, frozen, closed, tier_since_ms, tier)
SELECT DISTINCT shard, member_no, true, false, false, 0, '' FROM ledger.orders;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    """The rows say what is true: they stay."""
