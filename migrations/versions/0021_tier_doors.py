"""Passes of members and partners, partners and what they may ask, their requests for tier proofs, what was shown, what
was refused, and what members agreed to.

Invariants that code alone must not carry: a pass is never rewritten, its end only comes earlier; a nonce is used once
by a partner; a request is shown once, a nullifier once in its scope, and neither is ever forgotten; no column holds a
secret, a witness or a salt. Source: docs/tier-doors.md. Run by Alembic only; never edited once released.
"""

from alembic import op

revision = "0021_tier_doors"
down_revision = "0024_uses"
branch_labels = None
depends_on = None

ROLE = "tongdui_app"

PASSES = """
CREATE TABLE api.pass (
    name text PRIMARY KEY,
    holder text NOT NULL,
    holder_id bigint NOT NULL,
    environment text NOT NULL,
    digest bytea NOT NULL UNIQUE,
    issued_by integer NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pass_name CHECK (name ~ '^[a-z2-7]{12}$'),
    CONSTRAINT pass_holder CHECK (holder IN ('member', 'partner') AND holder_id > 0),
    CONSTRAINT pass_environment CHECK (environment IN ('test', 'live')),
    CONSTRAINT pass_digest CHECK (octet_length(digest) = 32)
);
CREATE INDEX pass_of_holder ON api.pass (holder, holder_id, expires_at);
COMMENT ON TABLE api.pass IS
    'Bearer passes of members (short) and partners; digest is the SHA-256 of the 256-bit secret, which is nowhere.';

CREATE FUNCTION api.refuse_rewriting_pass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) - 'expires_at' IS DISTINCT FROM to_jsonb(NEW) - 'expires_at' OR NEW.expires_at > OLD.expires_at
    THEN
        RAISE EXCEPTION 'pass %: only its end may be set, and only earlier', OLD.name
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER not_rewritten BEFORE UPDATE ON api.pass FOR EACH ROW EXECUTE FUNCTION api.refuse_rewriting_pass();
"""

PARTNERS = """
CREATE TABLE api.partner (
    partner_id bigint PRIMARY KEY,
    audience text NOT NULL UNIQUE,
    address bytea NOT NULL,
    grid jsonb NOT NULL,
    asks_per_day_max integer NOT NULL,
    narrowings_max integer NOT NULL,
    registered_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT partner_number CHECK (partner_id BETWEEN 1 AND 4294967295),
    CONSTRAINT partner_address CHECK (octet_length(address) = 20),
    CONSTRAINT partner_budgets CHECK (asks_per_day_max > 0 AND narrowings_max >= 0)
);
COMMENT ON TABLE api.partner IS
    'Who may ask for tier proofs: by which address it signs, as whom, along which grid, how often.';

CREATE TABLE api.proof_request (
    id bytea PRIMARY KEY,
    partner_id bigint NOT NULL REFERENCES api.partner,
    nonce bytea NOT NULL,
    scope bytea NOT NULL,
    policy bytea NOT NULL,
    epoch bigint NOT NULL,
    cohort integer NOT NULL,
    body jsonb NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT proof_request_words CHECK (
        octet_length(id) = 32 AND octet_length(nonce) = 32 AND octet_length(scope) = 32 AND octet_length(policy) = 32),
    CONSTRAINT proof_request_cohort CHECK (cohort >= 50),
    CONSTRAINT proof_request_nonce UNIQUE (partner_id, nonce)
);
CREATE INDEX proof_request_of_partner ON api.proof_request (partner_id, asked_at);
COMMENT ON TABLE api.proof_request IS
    'What partners asked: the signed request as it was taken in; id is its EIP-712 digest. Of no member.';

CREATE TABLE api.tier_use (
    request_id bytea PRIMARY KEY REFERENCES api.proof_request,
    scope bytea NOT NULL,
    nullifier bytea NOT NULL,
    used_at timestamptz NOT NULL,
    CONSTRAINT tier_use_words CHECK (octet_length(scope) = 32 AND octet_length(nullifier) = 32),
    CONSTRAINT tier_use_once UNIQUE (scope, nullifier)
);
COMMENT ON TABLE api.tier_use IS 'Proofs that were taken: the request that each used up, its nullifier in its scope.';

CREATE TABLE api.tier_refusal (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    partner_id bigint NOT NULL,
    request_id bytea,
    reason text NOT NULL
);
CREATE INDEX tier_refusal_of_reason ON api.tier_refusal (reason, no);
CREATE INDEX tier_refusal_age ON api.tier_refusal (at);
COMMENT ON TABLE api.tier_refusal IS
    'Why proofs were not taken, for the operator alone: partners are told one and the same.';

CREATE TABLE api.proof_consent (
    no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    member_no bigint NOT NULL,
    request_id bytea NOT NULL REFERENCES api.proof_request,
    scope bytea NOT NULL,
    given boolean NOT NULL,
    assisted boolean NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (member_no, request_id),
    CONSTRAINT proof_consent_help CHECK (given OR NOT assisted)
);
CREATE INDEX proof_consent_newest ON api.proof_consent (member_no, no);
CREATE INDEX proof_consent_scope ON api.proof_consent (member_no, scope);
COMMENT ON TABLE api.proof_consent IS
    'What members who keep their record here agreed to or declined; a wallet may keep it by itself instead.';
"""

GUARDS = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON api.proof_request
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON api.tier_use
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON api.proof_consent
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
"""

GRANTS = f"""
GRANT SELECT, INSERT ON api.pass, api.partner, api.proof_request, api.tier_use, api.tier_refusal, api.proof_consent
    TO {ROLE};
GRANT UPDATE (expires_at) ON api.pass TO {ROLE};
GRANT UPDATE (ended_at) ON api.partner TO {ROLE};
GRANT DELETE ON api.tier_refusal TO {ROLE};
GRANT UPDATE (revoked_at) ON settlement.tier_epoch TO {ROLE};
GRANT SELECT ON ledger.person, ledger.membership TO tongdui_settlement;
"""


def upgrade() -> None:
    op.execute(PASSES)
    op.execute(PARTNERS)
    op.execute(GUARDS)
    op.execute(GRANTS)


def downgrade() -> None:
    """Drops what was shown and which nonces are used up: what partners gave for it could be had again afterwards."""
    op.execute(
        "DROP TABLE api.proof_consent, api.tier_refusal, api.tier_use, api.proof_request, api.partner, api.pass CASCADE"
    )
    op.execute("DROP FUNCTION api.refuse_rewriting_pass")
    op.execute("REVOKE SELECT ON ledger.person, ledger.membership FROM tongdui_settlement")
    op.execute("REVOKE UPDATE (revoked_at) ON settlement.tier_epoch FROM tongdui_app")
