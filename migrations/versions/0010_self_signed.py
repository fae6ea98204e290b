"""Lanes that merchants sign themselves: their keys, the events that wait for a signature, the signatures that were
taken in with the operator's promise, and the legs that a batch left for a later one.

Invariants that code alone must not carry: one signature per leg and per nonce, a promise with each, a leg parked once.
Source: docs/sealing.md.
"""

from alembic import op

revision = "0010_self_signed"
down_revision = "0015_standing"
branch_labels = None
depends_on = None

ROLE = "tongdui_settlement"

TABLES = f"""
CREATE TABLE settlement.self_lane (
    merchant_id bigint NOT NULL,
    key_id bigint NOT NULL,
    address bytea NOT NULL,
    kind_mask integer NOT NULL,
    from_seq bigint NOT NULL,
    prepared_seq bigint NOT NULL,
    to_batch bigint,
    PRIMARY KEY (merchant_id, key_id),
    CONSTRAINT self_lane_address CHECK (length(address) = 20),
    CONSTRAINT self_lane_prepared CHECK (prepared_seq >= from_seq)
);
COMMENT ON TABLE settlement.self_lane IS
    'A key that a merchant holds itself, as the registry lists it; legs after from_seq wait for its signature.';

CREATE TABLE settlement.to_sign (
    journal_seq bigint NOT NULL,
    leg_no smallint NOT NULL,
    merchant_id bigint NOT NULL,
    key_id bigint NOT NULL,
    account bytea NOT NULL,
    event bytea,
    PRIMARY KEY (journal_seq, leg_no),
    CONSTRAINT to_sign_lane FOREIGN KEY (merchant_id, key_id) REFERENCES settlement.self_lane,
    CONSTRAINT to_sign_sizes CHECK (length(account) = 32 AND length(event) = 480)
);
CREATE INDEX to_sign_of_lane ON settlement.to_sign (merchant_id, key_id, journal_seq, leg_no);
CREATE INDEX to_sign_of_account ON settlement.to_sign (account, journal_seq, leg_no);
COMMENT ON TABLE settlement.to_sign IS
    'The event that a merchant must sign for a leg, nonce 0 in it; none while what it refers to has no id.';

CREATE TABLE settlement.signed_event (
    merchant_id bigint NOT NULL,
    key_id bigint NOT NULL,
    nonce bigint NOT NULL,
    event bytea NOT NULL,
    signature bytea NOT NULL,
    journal_seq bigint,
    leg_no smallint,
    accepted_at bigint NOT NULL,
    merge_by bigint NOT NULL,
    receipt_signature bytea NOT NULL,
    PRIMARY KEY (merchant_id, key_id, nonce),
    CONSTRAINT signed_event_leg UNIQUE (journal_seq, leg_no),
    CONSTRAINT signed_event_lane FOREIGN KEY (merchant_id, key_id) REFERENCES settlement.self_lane,
    CONSTRAINT signed_event_source FOREIGN KEY (journal_seq, leg_no) REFERENCES settlement.to_sign,
    CONSTRAINT signed_event_whole CHECK (num_nulls(journal_seq, leg_no) IN (0, 2)),
    CONSTRAINT signed_event_sizes CHECK (nonce > 0 AND length(event) = 480 AND length(signature) = 64
        AND length(receipt_signature) = 64),
    CONSTRAINT signed_event_times CHECK (accepted_at < merge_by)
);
COMMENT ON TABLE settlement.signed_event IS
    'An event that its merchant signed and the operator took in: r and vs, the leg or none, and the promise given.';

CREATE TABLE settlement.parked (
    journal_seq bigint NOT NULL,
    leg_no smallint NOT NULL,
    parked_in bigint NOT NULL,
    sealed_in bigint,
    PRIMARY KEY (journal_seq, leg_no),
    CONSTRAINT parked_later CHECK (sealed_in > parked_in)
);
CREATE INDEX parked_waiting ON settlement.parked (journal_seq, leg_no) WHERE sealed_in IS NULL;
COMMENT ON TABLE settlement.parked IS
    'A leg that the batch of its range left out, and the later one that holds it.';

GRANT SELECT, INSERT, UPDATE ON settlement.self_lane, settlement.to_sign TO {ROLE};
GRANT SELECT, INSERT ON settlement.signed_event TO {ROLE};
GRANT SELECT, INSERT, UPDATE, DELETE ON settlement.parked TO {ROLE};
GRANT SELECT ON settlement.self_lane, settlement.to_sign, settlement.signed_event, settlement.parked TO tongdui_app;
GRANT INSERT ON settlement.signed_event TO tongdui_app;
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    """Merchants' signatures are lost: what is sealed has them, what waits must be signed again."""
    op.execute("DROP TABLE settlement.parked, settlement.signed_event, settlement.to_sign, settlement.self_lane")
