"""The rest of the rule book: what may change about members, records, campaigns on orders, everything that configures.

`membership` and `record` are derived like lots and orders: they change in place and follow from the journal. A lot is
open while it holds anything, pending ones included, so that everything a member has is one index probe away. Source:
docs/ledger.md.
"""

from alembic import op

revision = "0004_rule_book"
down_revision = "0003_api"
branch_labels = None
depends_on = None

ROLE = "tongdui_app"

UP = """
CREATE TABLE ledger.configuration (
    shard smallint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (shard, seq)
);
COMMENT ON TABLE ledger.configuration IS
    'Journal entries that the registry is made of: merchants, terms, rates, campaigns, tiers, rules.';
INSERT INTO ledger.configuration SELECT shard, seq FROM ledger.merchant UNION SELECT shard, seq FROM ledger.terms;

CREATE TABLE ledger.membership (
    shard smallint NOT NULL,
    member_no bigint NOT NULL,
    bonded boolean NOT NULL,
    frozen boolean NOT NULL,
    closed boolean NOT NULL,
    referrer_no bigint,
    merged_into bigint,
    tier_since_ms bigint NOT NULL,
    tier text NOT NULL,
    PRIMARY KEY (shard, member_no),
    CONSTRAINT membership_bond CHECK (referrer_no IS NULL OR (bonded AND referrer_no <> member_no)),
    CONSTRAINT membership_merged CHECK (merged_into <> member_no)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX membership_downline ON ledger.membership (shard, referrer_no) WHERE referrer_no IS NOT NULL;
COMMENT ON TABLE ledger.membership IS
    'What may change about a member: bond, merge, freeze, tier. A member of whom nothing is known has no row.';

CREATE VIEW ledger.person AS
SELECT m.shard, m.member_no, m.name, coalesce(s.bonded, false) AS bonded, s.referrer_no, s.merged_into,
       coalesce(s.frozen, false) AS frozen, coalesce(s.closed, false) AS closed, coalesce(s.tier, '') AS tier,
       coalesce(s.tier_since_ms, 0) AS tier_since_ms
FROM ledger.member m LEFT JOIN ledger.membership s ON s.shard = m.shard AND s.member_no = m.member_no;

CREATE TABLE ledger.record (
    shard smallint NOT NULL,
    kind smallint NOT NULL,
    party integer NOT NULL,
    name text NOT NULL,
    seq bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (shard, party, kind, name)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE ledger.record IS
    'State that is asked for by name alone (redemptions, pools, counters ...) as canonical JSON; seq changed it last.';

ALTER TABLE ledger.orders ADD COLUMN campaign_id integer NOT NULL DEFAULT 0;
ALTER TABLE ledger.lot DROP CONSTRAINT lot_open;
UPDATE ledger.lot SET open = true WHERE remaining > 0 AND NOT open;
ALTER TABLE ledger.lot ADD CONSTRAINT lot_open CHECK (open = (remaining > 0));
CREATE INDEX lot_by_expiry ON ledger.lot (shard, expires_at_ms) WHERE open;
"""

GUARDS = f"""
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.configuration
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ledger.membership
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ledger.record
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.configuration, ledger.membership, ledger.record, ledger.person TO {ROLE};
GRANT INSERT ON ledger.configuration, ledger.membership, ledger.record TO {ROLE};
GRANT UPDATE (bonded, referrer_no, merged_into, frozen, closed, tier, tier_since_ms) ON ledger.membership TO {ROLE};
GRANT UPDATE (seq, body) ON ledger.record TO {ROLE};
GRANT UPDATE (member_no) ON ledger.lot TO {ROLE};
"""

DOWN = f"""
DROP INDEX ledger.lot_by_expiry;
ALTER TABLE ledger.lot DROP CONSTRAINT lot_open;
UPDATE ledger.lot SET open = false WHERE open AND confirmed_at_ms IS NULL;
ALTER TABLE ledger.lot ADD CONSTRAINT lot_open CHECK (open = (confirmed_at_ms IS NOT NULL AND remaining > 0));
REVOKE UPDATE (member_no) ON ledger.lot FROM {ROLE};
ALTER TABLE ledger.orders DROP COLUMN campaign_id;
DROP VIEW ledger.person;
DROP TABLE ledger.record;
DROP TABLE ledger.membership;
DROP TABLE ledger.configuration;
"""


def upgrade() -> None:
    op.execute(UP)
    op.execute(GUARDS)


def downgrade() -> None:
    """Takes the tables away with what they hold: only the verbs of before can be rebuilt from the journal then."""
    op.execute(DOWN)
