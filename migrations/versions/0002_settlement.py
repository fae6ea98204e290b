"""Settlement's tables: batches with their leaves and attestations, what was signed for the chain, and members' secrets.

Invariants that code alone must not carry: one live batch per number, one leaf per event and per leg of the journal, no
two different headers under one hash, a nonce for one purpose, a signed transaction only for a reserved nonce, one chain
for one database. Secrets are stored wrapped. Source: docs/protocol §5.
"""

from alembic import op

revision = "0002_settlement"
down_revision = "0001_ledger"
branch_labels = None
depends_on = None

ROLE = "tongdui_settlement"

TABLES = """
CREATE SCHEMA settlement;
CREATE SCHEMA vault;

CREATE TABLE settlement.chain_anchor (
    sole boolean PRIMARY KEY DEFAULT true,
    chain_id bigint NOT NULL,
    genesis_hash bytea NOT NULL,
    token bytea NOT NULL,
    registry bytea NOT NULL,
    policy bytea NOT NULL,
    hub bytea NOT NULL,
    code_hash bytea NOT NULL,
    deploy_block bigint NOT NULL,
    deployer bytea NOT NULL,
    founded_at bigint NOT NULL,
    CONSTRAINT chain_anchor_one CHECK (sole),
    CONSTRAINT chain_anchor_sizes CHECK (length(genesis_hash) = 32 AND length(code_hash) = 32 AND length(deployer) = 20
        AND length(token) = 20 AND length(registry) = 20 AND length(policy) = 20 AND length(hub) = 20)
);
COMMENT ON TABLE settlement.chain_anchor IS
    'The chain and contracts this database settles on; another chain or code is an error.';

CREATE TABLE settlement.batch (
    batch_no bigint NOT NULL,
    incarnation integer NOT NULL,
    state text NOT NULL,
    first_leaf bigint,
    last_leaf bigint,
    first_seq bigint,
    last_seq bigint,
    settling boolean,
    batch_secret bytea NOT NULL,
    data_key bytea NOT NULL,
    opened_at bigint NOT NULL,
    sealed_at bigint,
    header jsonb,
    header_hash bytea,
    data_hash bytea,
    account_rows bytea,
    nets jsonb,
    recipients jsonb,
    superseded_by integer,
    PRIMARY KEY (batch_no, incarnation),
    CONSTRAINT batch_header_hash UNIQUE (header_hash),
    CONSTRAINT batch_state CHECK (state IN ('OPEN', 'SEALED', 'PUBLISHED', 'ATTESTED', 'SUBMITTED', 'CONFIRMED',
        'CHALLENGED', 'FINALISING', 'FINALISED', 'FAILED_FRAUD', 'FAILED_CASCADE', 'FAILED_CONFLICT')),
    CONSTRAINT batch_sealed_whole CHECK (num_nulls(first_leaf, last_leaf, first_seq, last_seq, settling, sealed_at,
        header, header_hash, data_hash, account_rows, nets, recipients) = CASE WHEN state = 'OPEN' THEN 12 ELSE 0 END),
    CONSTRAINT batch_times CHECK (opened_at <= sealed_at),
    CONSTRAINT batch_superseded CHECK (superseded_by > incarnation)
);
CREATE UNIQUE INDEX batch_live ON settlement.batch (batch_no) WHERE superseded_by IS NULL;
COMMENT ON TABLE settlement.batch IS
    'A sealed range of the journal on its way to the chain; a batch sealed anew is another incarnation.';

CREATE TABLE settlement.batch_leaf (
    leaf_no bigint PRIMARY KEY,
    event_id bytea NOT NULL,
    batch_no bigint NOT NULL,
    incarnation integer NOT NULL,
    journal_seq bigint NOT NULL,
    leg_no smallint NOT NULL,
    CONSTRAINT batch_leaf_event UNIQUE (event_id),
    CONSTRAINT batch_leaf_batch FOREIGN KEY (batch_no, incarnation) REFERENCES settlement.batch
);
CREATE UNIQUE INDEX batch_leaf_source ON settlement.batch_leaf (journal_seq, leg_no) WHERE leg_no > 0;
CREATE INDEX batch_leaf_of_batch ON settlement.batch_leaf (batch_no);
COMMENT ON TABLE settlement.batch_leaf IS
    'Which leaf shows which leg of the journal; leg 0 is a VOID that no entry stands behind.';

CREATE TABLE settlement.attestation (
    header_hash bytea NOT NULL,
    attester bytea NOT NULL,
    sig bytea NOT NULL,
    PRIMARY KEY (header_hash, attester),
    CONSTRAINT attestation_sizes CHECK (length(attester) = 20 AND length(sig) = 64),
    CONSTRAINT attestation_header FOREIGN KEY (header_hash) REFERENCES settlement.batch (header_hash)
);
COMMENT ON TABLE settlement.attestation IS 'A verified signature (r, vs) of an attester over a header.';

CREATE TABLE settlement.chain_nonce (
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    nonce bigint NOT NULL,
    purpose text NOT NULL,
    batch_no bigint,
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (chain_id, sender, nonce),
    CONSTRAINT chain_nonce_purpose UNIQUE (chain_id, sender, purpose)
);
COMMENT ON TABLE settlement.chain_nonce IS
    'A nonce and the one thing it is used for; done when a finalised block has consumed it.';

CREATE TABLE settlement.chain_tx (
    tx_hash bytea PRIMARY KEY,
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    nonce bigint NOT NULL,
    raw bytea NOT NULL,
    max_fee numeric NOT NULL,
    prio numeric NOT NULL,
    sent_at timestamptz,
    block_hash bytea,
    block_number bigint,
    gas_used bigint,
    status text NOT NULL,
    CONSTRAINT chain_tx_nonce FOREIGN KEY (chain_id, sender, nonce) REFERENCES settlement.chain_nonce,
    CONSTRAINT chain_tx_status CHECK (status IN ('SIGNED', 'SENT', 'MINED', 'REVERTED', 'DROPPED')),
    CONSTRAINT chain_tx_mined CHECK (num_nulls(block_hash, block_number, gas_used)
        = CASE WHEN status IN ('MINED', 'REVERTED') THEN 0 ELSE 3 END)
);
CREATE INDEX chain_tx_of_nonce ON settlement.chain_tx (chain_id, sender, nonce);
COMMENT ON TABLE settlement.chain_tx IS
    'Every transaction ever signed, stored before it is sent: SIGNED, SENT, then MINED, REVERTED or DROPPED.';

CREATE TABLE settlement.lease (
    name text PRIMARY KEY,
    holder text NOT NULL,
    fencing_token bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE settlement.lease IS 'Who leads, until when; the token grows with every change of holder.';

CREATE TABLE vault.member_secret (
    shard smallint NOT NULL,
    member_no bigint NOT NULL,
    wrapped bytea NOT NULL,
    PRIMARY KEY (shard, member_no)
);
COMMENT ON TABLE vault.member_secret IS
    'The secret that keys a member''s tags, wrapped; deleting it unlinks everything that was published.';
"""

GRANTS = f"""
DO $$ BEGIN
    CREATE ROLE {ROLE} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles belong to the server: another database of it made this one
END $$;
GRANT USAGE ON SCHEMA ledger, settlement, vault TO {ROLE};
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {ROLE};
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA settlement TO {ROLE};
GRANT DELETE ON settlement.batch_leaf TO {ROLE};
GRANT SELECT, INSERT, DELETE ON vault.member_secret TO {ROLE};
GRANT USAGE ON SCHEMA settlement TO tongdui_app;
GRANT SELECT ON ALL TABLES IN SCHEMA settlement TO tongdui_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS)


def downgrade() -> None:
    """Drops both schemas with everything in them; what is on the chain stays there, and so does the role."""
    op.execute("DROP SCHEMA settlement CASCADE; DROP SCHEMA vault CASCADE")
