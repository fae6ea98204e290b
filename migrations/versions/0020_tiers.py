"""Tier epochs: members' commitments, the epochs with their snapshots, and what only the vault may hold.

Invariants that code alone must not carry: a commitment belongs to one member for ever and is never changed; a member is
in an epoch once, a place of its tree is taken once; an epoch's row is filled as far as its state says; what an erased
member leaves in a snapshot is the leaf alone. Source: `settlement.tiers`, docs/tier-epochs.md.
"""

from alembic import op

revision = "0020_tiers"
down_revision = "0019_voids"
branch_labels = None
depends_on = None

ROLE = "tongdui_settlement"

COMMITMENTS = """
CREATE TABLE settlement.tier_commitment (
    shard smallint NOT NULL DEFAULT 0,
    member_no bigint NOT NULL,
    key_no integer NOT NULL,
    commitment bytea NOT NULL,
    enrolled_at bigint NOT NULL,
    from_epoch bigint NOT NULL,
    PRIMARY KEY (shard, member_no, key_no),
    CONSTRAINT tier_commitment_taken UNIQUE (commitment),
    CONSTRAINT tier_commitment_size CHECK (length(commitment) = 32),
    CONSTRAINT tier_commitment_numbers CHECK (key_no > 0 AND from_epoch > 0 AND from_epoch < 4294967296)
);
COMMENT ON TABLE settlement.tier_commitment IS
    'Who a member is in tier proofs, from an epoch on; a higher key_no takes its place. Never changed.';

CREATE TABLE settlement.tier_ended (
    shard smallint NOT NULL DEFAULT 0,
    member_no bigint NOT NULL,
    key_no integer NOT NULL,
    ended_at bigint NOT NULL,
    why text NOT NULL,
    PRIMARY KEY (shard, member_no, key_no),
    CONSTRAINT tier_ended_key FOREIGN KEY (shard, member_no, key_no) REFERENCES settlement.tier_commitment,
    CONSTRAINT tier_ended_why CHECK (why IN ('withdrawn', 'erased'))
);
COMMENT ON TABLE settlement.tier_ended IS 'Commitments that are in no later epoch because their member wanted so.';
"""

EPOCHS = """
CREATE TABLE settlement.tier_registry (
    sole boolean PRIMARY KEY DEFAULT true,
    chain_id bigint NOT NULL,
    address bytea NOT NULL,
    code_hash bytea NOT NULL,
    deploy_block bigint NOT NULL,
    CONSTRAINT tier_registry_one CHECK (sole),
    CONSTRAINT tier_registry_sizes CHECK (length(address) = 20 AND length(code_hash) = 32)
);
COMMENT ON TABLE settlement.tier_registry IS 'The contract that holds the roots of epochs; part of every leaf.';

CREATE TABLE settlement.tier_epoch (
    epoch bigint PRIMARY KEY,
    state text NOT NULL,
    not_before bigint NOT NULL,
    not_after bigint NOT NULL,
    drawn_at bigint NOT NULL,
    alliance_id bigint NOT NULL,
    policy_grid jsonb NOT NULL,
    members integer,
    tiers jsonb,
    cohorts jsonb,
    leaves_done integer NOT NULL DEFAULT 0,
    root bytea,
    header jsonb,
    header_hash bytea,
    signature bytea,
    anchored_at bigint,
    revoked_at bigint,
    retired_at bigint,
    ended_as text,
    CONSTRAINT tier_epoch_number CHECK (epoch > 0 AND epoch < 4294967296),
    CONSTRAINT tier_epoch_times CHECK (not_before < not_after),
    CONSTRAINT tier_epoch_state CHECK (state IN ('DRAWN', 'SNAPSHOTTED', 'BUILT', 'SIGNED', 'ANCHORED', 'RETIRED')),
    CONSTRAINT tier_epoch_snapshotted CHECK (state IN ('DRAWN', 'RETIRED') OR num_nulls(members, tiers, cohorts) = 0),
    CONSTRAINT tier_epoch_built CHECK (state IN ('DRAWN', 'SNAPSHOTTED', 'RETIRED') OR root IS NOT NULL),
    CONSTRAINT tier_epoch_signed CHECK (num_nulls(header, header_hash, signature) IN (0, 3)
        AND (state NOT IN ('SIGNED', 'ANCHORED') OR header IS NOT NULL)),
    CONSTRAINT tier_epoch_anchored CHECK (state <> 'ANCHORED' OR anchored_at IS NOT NULL),
    CONSTRAINT tier_epoch_retired CHECK ((state = 'RETIRED') = (retired_at IS NOT NULL)
        AND (retired_at IS NULL) = (ended_as IS NULL)),
    CONSTRAINT tier_epoch_sizes CHECK (length(root) = 32 AND length(header_hash) = 32 AND length(signature) = 65)
);
COMMENT ON TABLE settlement.tier_epoch IS
    'An epoch of tiers on its way: drawn, snapshotted, built, signed, anchored, retired; one root for everybody.';

CREATE TABLE settlement.tier_leaf (
    epoch bigint NOT NULL,
    place integer NOT NULL,
    shard smallint NOT NULL DEFAULT 0,
    member_no bigint,
    key_member_no bigint,
    key_no integer,
    commitment bytea,
    attributes bytea,
    leaf bytea,
    PRIMARY KEY (epoch, place),
    CONSTRAINT tier_leaf_either CHECK (
        num_nulls(member_no, key_member_no, key_no, commitment, attributes) = CASE WHEN leaf IS NULL THEN 0 ELSE 5 END
    ),
    CONSTRAINT tier_leaf_sizes CHECK (length(commitment) = 32 AND length(attributes) = 30 AND length(leaf) = 32)
);
CREATE UNIQUE INDEX tier_leaf_member ON settlement.tier_leaf (epoch, shard, member_no);
COMMENT ON TABLE settlement.tier_leaf IS
    'What an epoch says of each member, until it is retired. Of an erased member only the leaf is left.';

CREATE TABLE settlement.tier_prover (
    public_key bytea PRIMARY KEY,
    made_at bigint NOT NULL,
    CONSTRAINT tier_prover_size CHECK (length(public_key) = 32)
);
COMMENT ON TABLE settlement.tier_prover IS 'Keys that requests for assisted proving are sealed to; short-lived.';

CREATE TABLE settlement.tier_proving (
    id uuid PRIMARY KEY,
    asked_at bigint NOT NULL,
    answer bytea,
    CONSTRAINT tier_proving_size CHECK (length(answer) <= 8192)
);
COMMENT ON TABLE settlement.tier_proving IS
    'Answers of assisted proving, sealed for whoever asked; gone when fetched or when they are old.';
"""

VAULT = """
CREATE TABLE vault.tier_secret (
    epoch bigint PRIMARY KEY,
    wrapped bytea NOT NULL
);
COMMENT ON TABLE vault.tier_secret IS
    'What salts and order of an epoch follow from, wrapped; deleting it makes its leaves unguessable.';

CREATE TABLE vault.tier_blind (
    shard smallint NOT NULL DEFAULT 0,
    member_no bigint NOT NULL,
    key_no integer NOT NULL,
    blind bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    PRIMARY KEY (shard, member_no, key_no)
);
COMMENT ON TABLE vault.tier_blind IS
    'A commitment''s own part of its salts; deleting it makes its leaves unguessable, with the epoch''s secret too.';

CREATE TABLE vault.tier_key (
    address bytea PRIMARY KEY,
    wrapped bytea NOT NULL,
    made_at bigint NOT NULL,
    CONSTRAINT tier_key_size CHECK (length(address) = 20)
);
COMMENT ON TABLE vault.tier_key IS 'Keys that sign headers of epochs, wrapped, by address.';

CREATE TABLE vault.tier_prover (
    public_key bytea PRIMARY KEY,
    wrapped bytea NOT NULL
);
COMMENT ON TABLE vault.tier_prover IS 'What opens requests for assisted proving, wrapped; destroyed within hours.';
"""

GUARDS = f"""
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement.tier_commitment
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement.tier_ended
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON settlement.tier_epoch
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {ROLE};
GRANT SELECT, INSERT ON settlement.tier_commitment, settlement.tier_ended, settlement.tier_registry TO {ROLE};
GRANT SELECT, INSERT, UPDATE ON settlement.tier_epoch TO {ROLE};
GRANT SELECT, INSERT, UPDATE, DELETE ON settlement.tier_leaf, settlement.tier_proving, settlement.tier_prover
    TO {ROLE};
GRANT SELECT, INSERT, DELETE ON vault.tier_secret, vault.tier_blind, vault.tier_key, vault.tier_prover TO {ROLE};
GRANT SELECT ON settlement.tier_commitment, settlement.tier_ended, settlement.tier_registry, settlement.tier_epoch
    TO tongdui_app;
GRANT INSERT ON settlement.tier_commitment TO tongdui_app;
GRANT SELECT ON settlement.tier_prover TO tongdui_app;
GRANT SELECT, DELETE ON settlement.tier_proving TO tongdui_app;
"""

DOWN = """
DROP TABLE vault.tier_prover, vault.tier_key, vault.tier_blind, vault.tier_secret;
DROP TABLE settlement.tier_proving, settlement.tier_prover, settlement.tier_leaf, settlement.tier_epoch,
    settlement.tier_registry, settlement.tier_ended, settlement.tier_commitment;
"""


def upgrade() -> None:
    op.execute(COMMITMENTS)
    op.execute(EPOCHS)
    op.execute(VAULT)
    op.execute(GUARDS)


def downgrade() -> None:
    """Roots that are on the chain stay there; what made them is gone, so no witness of theirs can be made any more."""
    op.execute(DOWN)
