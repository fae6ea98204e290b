"""An index for authorisations that lapse. Orders whose hold is over and lots that expire have theirs.

Partial: a redemption is in it only while it is held. Source: `ledger.due`.
"""

from alembic import op

revision = "0009_due"
down_revision = "0007_reports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE INDEX record_held ON ledger.record (shard, (substring(body FROM '"hold_until_ms":([0-9]+)')::bigint))
        WHERE kind = 1 AND body LIKE '%"state":"held"%'
        """
    )


def downgrade() -> None:
    op.execute("DROP INDEX ledger.record_held")
