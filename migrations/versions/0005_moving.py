"""What is due is an index probe: orders whose hold is over and of which something is still to be confirmed.

Lots by expiry have their index since the revision before. Source: docs/ledger.md.
"""

from alembic import op

revision = "0005_moving"
down_revision = "0004_rule_book"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE INDEX orders_due ON ledger.orders (shard, confirm_from_ms)
        WHERE confirmed_at_ms IS NULL AND refunded_minor < amount_minor
        """
    )


def downgrade() -> None:
    op.execute("DROP INDEX ledger.orders_due")
