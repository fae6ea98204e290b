"""What is read back from the chain, and what a person has to look at: the hub's events, the place reached, alerts.

Invariants that code alone must not carry: one row per log, none without the cursor having passed its block; one open
alert per code and place. Source: docs/settlement.md.
"""

from alembic import op

revision = "0013_watching"
down_revision = "0009_due"
branch_labels = None
depends_on = None

ROLE = "tongdui_settlement"

TABLES = f"""
CREATE TABLE settlement.chain_cursor (
    name text PRIMARY KEY,
    block_number bigint NOT NULL,
    block_hash bytea NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT chain_cursor_hash CHECK (length(block_hash) = 32)
);
COMMENT ON TABLE settlement.chain_cursor IS
    'The finalised block up to which the contracts'' events are rows; it only moves forward.';

CREATE TABLE settlement.chain_event (
    block_number bigint NOT NULL,
    log_index integer NOT NULL,
    block_hash bytea NOT NULL,
    tx_hash bytea NOT NULL,
    contract text NOT NULL,
    name text NOT NULL,
    batch_no bigint,
    merchant_id bigint,
    amount numeric,
    fields jsonb NOT NULL,
    PRIMARY KEY (block_number, log_index),
    CONSTRAINT chain_event_sizes CHECK (length(block_hash) = 32 AND length(tx_hash) = 32)
);
CREATE INDEX chain_event_named ON settlement.chain_event (name, batch_no);
CREATE INDEX chain_event_merchant ON settlement.chain_event (merchant_id, block_number) WHERE merchant_id IS NOT NULL;
COMMENT ON TABLE settlement.chain_event IS
    'Every event of our contracts in a finalised block; amounts are base units of the settlement asset.';

CREATE TABLE settlement.alert (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    code text NOT NULL,
    severity text NOT NULL,
    place text NOT NULL,
    expected text NOT NULL,
    actual text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    CONSTRAINT alert_severity CHECK (severity IN ('warning', 'urgent')),
    CONSTRAINT alert_times CHECK (first_seen <= last_seen AND (resolved_at IS NULL OR last_seen <= resolved_at))
);
CREATE UNIQUE INDEX alert_open ON settlement.alert (code, place) WHERE resolved_at IS NULL;
COMMENT ON TABLE settlement.alert IS
    'What is not as it should be and where, from first to last sight; resolved when it was looked for and not found.';

GRANT SELECT, INSERT, UPDATE ON settlement.chain_cursor, settlement.alert TO {ROLE};
GRANT SELECT, INSERT ON settlement.chain_event TO {ROLE};
GRANT SELECT ON settlement.chain_cursor, settlement.chain_event, settlement.alert TO tongdui_app;
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    """Drops what was read back; reading the chain again restores it. Alerts are lost."""
    op.execute("DROP TABLE settlement.alert, settlement.chain_event, settlement.chain_cursor")
