"""The keys of merchants.

Invariants: a key row is never rewritten; only its end (once set, only earlier) and its last use change. The serving
role cannot do more. Run by Alembic only; never edited once released.
"""

from alembic import op

revision = "0003_api"
down_revision = "0002_settlement"
branch_labels = None
depends_on = None

ROLE = "tongdui_app"

TABLES = """
CREATE SCHEMA api;

CREATE TABLE api.key (
    name text PRIMARY KEY,
    environment text NOT NULL,
    merchant_id integer NOT NULL,
    scopes text[] NOT NULL,
    digest bytea NOT NULL UNIQUE,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT key_name CHECK (name ~ '^[a-z2-7]{12}$'),
    CONSTRAINT key_environment CHECK (environment IN ('test', 'live')),
    CONSTRAINT key_merchant CHECK (merchant_id > 0),
    CONSTRAINT key_scopes CHECK (cardinality(scopes) > 0),
    CONSTRAINT key_digest CHECK (octet_length(digest) = 32)
);
CREATE INDEX key_of_merchant ON api.key (merchant_id);
COMMENT ON TABLE api.key IS 'Bearer keys of merchants; digest is the SHA-256 of the 256-bit secret, which is nowhere.';
"""

FUNCTIONS = """
CREATE FUNCTION api.refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.name, OLD.environment, OLD.merchant_id, OLD.scopes, OLD.digest, OLD.issued_at)
       IS DISTINCT FROM (NEW.name, NEW.environment, NEW.merchant_id, NEW.scopes, NEW.digest, NEW.issued_at)
       OR (OLD.expires_at IS NOT NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > OLD.expires_at)) THEN
        RAISE EXCEPTION 'key %: only its end, no later than before, and its last use may be set', OLD.name
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER not_rewritten BEFORE UPDATE ON api.key FOR EACH ROW EXECUTE FUNCTION api.refuse_rewriting();
"""

GRANTS = f"""
GRANT USAGE ON SCHEMA api TO {ROLE};
GRANT SELECT, INSERT ON api.key TO {ROLE};
GRANT UPDATE (expires_at, last_used_at) ON api.key TO {ROLE};
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    op.execute(GRANTS)


def downgrade() -> None:
    """Drops every key: their holders need new ones afterwards."""
    op.execute("DROP SCHEMA api CASCADE")
