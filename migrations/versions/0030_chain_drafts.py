"""What is to be signed for the chain is written down before the signer is asked, which is then done with no transaction
open; and a nonce that the signer will not sign for can be given back.

Invariants: a nonce has at most one draft; a nonce for which a signed transaction is kept is never deleted (the key of
`chain_tx`). Source: docs/decisions/0243. Run by Alembic only; never edited once released.
"""

from alembic import op

revision = "0030_chain_drafts"
down_revision = "0029_own_logins"
branch_labels = None
depends_on = None

ROLE = "tongdui_settlement"

DRAFTS = f"""
CREATE TABLE settlement.chain_draft (
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    nonce bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    target bytea,
    data bytea NOT NULL,
    gas bigint NOT NULL,
    max_fee numeric NOT NULL,
    prio numeric NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (chain_id, sender, nonce),
    CONSTRAINT chain_draft_id UNIQUE (id),
    CONSTRAINT chain_draft_nonce FOREIGN KEY (chain_id, sender, nonce) REFERENCES settlement.chain_nonce,
    CONSTRAINT chain_draft_target CHECK (length(target) = 20)
);
COMMENT ON TABLE settlement.chain_draft IS
    'What the signer is being asked for a nonce, under the number of this asking; gone when its answer is stored.';
GRANT SELECT, INSERT, UPDATE, DELETE ON settlement.chain_draft TO {ROLE};
GRANT DELETE ON settlement.chain_nonce TO {ROLE};
GRANT SELECT ON settlement.chain_draft TO tongdui_app;
"""


def upgrade() -> None:
    op.execute(DRAFTS)


def downgrade() -> None:
    """Nonces that wait for a signature are free again: the older code would never sign for them."""
    op.execute(f"DROP TABLE settlement.chain_draft; REVOKE DELETE ON settlement.chain_nonce FROM {ROLE}")
    op.execute("""
        DELETE FROM settlement.chain_nonce AS given WHERE NOT EXISTS (
            SELECT FROM settlement.chain_tx AS tx
            WHERE (tx.chain_id, tx.sender, tx.nonce) = (given.chain_id, given.sender, given.nonce))
    """)
