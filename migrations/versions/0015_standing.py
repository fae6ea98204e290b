"""The last look at the chain, for those who may not ask it themselves, and what transactions cost.

Source: docs/settlement.md.
"""

from alembic import op

revision = "0015_standing"
down_revision = "0013_watching"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE settlement.chain_look (
            sole boolean PRIMARY KEY DEFAULT true,
            taken_at timestamptz NOT NULL,
            body jsonb NOT NULL,
            CONSTRAINT chain_look_one CHECK (sole)
        );
        COMMENT ON TABLE settlement.chain_look IS
            'Chain and hub as reconciliation last saw them: heads, counters, gas money, collateral by merchant.';
        GRANT SELECT, INSERT, UPDATE ON settlement.chain_look TO tongdui_settlement;
        GRANT SELECT ON settlement.chain_look TO tongdui_app;
        ALTER TABLE settlement.chain_tx ADD COLUMN gas_price numeric;
        COMMENT ON COLUMN settlement.chain_tx.gas_price IS 'Wei per gas that was really paid, once it is in a block.';
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE settlement.chain_tx DROP COLUMN gas_price; DROP TABLE settlement.chain_look")
