"""An index for the nonces that a merchant burned: how many of them wait is asked whenever one more is offered."""

from alembic import op

revision = "0019_voids"
down_revision = "0017_readers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX signed_event_void ON settlement.signed_event (merchant_id) WHERE journal_seq IS NULL")


def downgrade() -> None:
    op.execute("DROP INDEX settlement.signed_event_void")
