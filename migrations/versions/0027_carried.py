"""A ledger settles at one hub after the other: each has an anchor, from the number of its first batch on.

What a merchant signed for one hub counts at no other, so signatures that no batch holds are let go when the ledger goes
on to the next. Source: docs/decisions/0228.
"""

from alembic import op

revision = "0027_carried"
down_revision = "0026_proving_jobs"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE settlement.chain_anchor DROP COLUMN sole;
ALTER TABLE settlement.chain_anchor ADD COLUMN first_batch bigint PRIMARY KEY DEFAULT 0,
    ADD CONSTRAINT chain_anchor_first CHECK (first_batch >= 0);
COMMENT ON TABLE settlement.chain_anchor IS
    'The chain and contracts this database settles on, from a batch on; another chain or code is an error.';
GRANT DELETE ON settlement.signed_event TO tongdui_settlement;
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    """Refused by the key where a ledger has gone on to a second hub."""
    op.execute("REVOKE DELETE ON settlement.signed_event FROM tongdui_settlement")
    op.execute("ALTER TABLE settlement.chain_anchor DROP COLUMN first_batch, ADD COLUMN sole boolean DEFAULT true")
    op.execute(
        "ALTER TABLE settlement.chain_anchor ADD PRIMARY KEY (sole), ADD CONSTRAINT chain_anchor_one CHECK (sole)"
    )
