"""The ledger's tables: append-only log, derived rows, the head that every writer locks, and the role it writes as.

Invariants are paired with the book's: what Python asserts, a key, a check or a trigger here refuses as well. The log
(journal, posting, answer, claim, member, merchant, terms) takes inserts alone; orders and lots change in the columns
granted below and in nothing else. `shard` leads every key, so that the head can be split one day. Source:
docs/ledger.md.
"""

from alembic import op

revision = "0001_ledger"
down_revision = None
branch_labels = None
depends_on = None

ROLE = "tongdui_app"

LOG = ("journal", "posting", "answer", "claim", "member", "merchant", "terms")
DERIVED = ("orders", "lot", "head")

TABLES = """
CREATE SCHEMA ledger;

CREATE TABLE ledger.head (
    shard smallint PRIMARY KEY,
    seq bigint NOT NULL,
    registry_seq bigint NOT NULL,
    CONSTRAINT head_registry CHECK (0 <= registry_seq AND registry_seq <= seq)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
COMMENT ON TABLE ledger.head IS
    'One row per shard: every writer''s lock, the last journal position, the last that changed merchants or terms.';

CREATE TABLE ledger.journal (
    shard smallint NOT NULL,
    seq bigint NOT NULL,
    at_ms bigint NOT NULL,
    verb text NOT NULL,
    command text NOT NULL,
    receipt text NOT NULL,
    PRIMARY KEY (shard, seq),
    CONSTRAINT journal_seq CHECK (seq > 0)
);
COMMENT ON TABLE ledger.journal IS
    'One row per journal entry, gapless in commit order: the command and the receipt as canonical JSON.';

CREATE TABLE ledger.posting (
    seq bigint NOT NULL,
    party bigint NOT NULL,
    n bigint NOT NULL,
    amount bigint NOT NULL,
    balance bigint NOT NULL,
    unit integer NOT NULL,
    shard smallint NOT NULL,
    family smallint NOT NULL,
    leg smallint NOT NULL,
    PRIMARY KEY (shard, family, unit, party, n),
    CONSTRAINT posting_amount CHECK (amount <> 0),
    CONSTRAINT posting_first CHECK (n > 1 OR (n = 1 AND balance = amount)),
    CONSTRAINT posting_side CHECK (
        CASE WHEN family IN (4, 6) THEN balance >= 0 WHEN family IN (3, 5) THEN balance <= 0 ELSE true END
    )
);
COMMENT ON TABLE ledger.posting IS
    'One debit (+) or credit (-) of one account (family, unit, party), its n-th, with the running balance.';

CREATE TABLE ledger.answer (
    shard smallint NOT NULL,
    key text NOT NULL,
    seq bigint,
    command text,
    body text,
    PRIMARY KEY (shard, key),
    CONSTRAINT answer_done_or_refused CHECK (
        num_nulls(command, body) = CASE WHEN seq IS NULL THEN 0 ELSE 2 END
    )
);
COMMENT ON TABLE ledger.answer IS
    'One row per idempotency key: the entry it made, or the command and its refusal.';

CREATE TABLE ledger.claim (
    shard smallint NOT NULL,
    used smallint NOT NULL,
    merchant_id integer NOT NULL,
    name text NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (shard, merchant_id, used, name)
);
COMMENT ON TABLE ledger.claim IS
    'A name that may be used once: redemptions, refunds, cycles, settled batches.';

CREATE TABLE ledger.member (
    shard smallint NOT NULL,
    member_no bigint NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (shard, name),
    CONSTRAINT member_number UNIQUE (shard, member_no) INCLUDE (name)
);
COMMENT ON TABLE ledger.member IS
    'A member; the number is the journal position that enrolled it.';

CREATE TABLE ledger.merchant (
    shard smallint NOT NULL,
    merchant_id integer NOT NULL,
    code text NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (shard, merchant_id),
    CONSTRAINT merchant_code UNIQUE (shard, code)
);
COMMENT ON TABLE ledger.merchant IS
    'A merchant; everything else about it is the command of entry seq.';

CREATE TABLE ledger.terms (
    shard smallint NOT NULL,
    terms_id integer NOT NULL,
    issuer_id integer NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (shard, terms_id)
);
COMMENT ON TABLE ledger.terms IS
    'Terms of an issuer; everything else about them is the command of entry seq.';

CREATE TABLE ledger.orders (
    shard smallint NOT NULL,
    merchant_id integer NOT NULL,
    name text NOT NULL,
    seq bigint NOT NULL,
    at_ms bigint NOT NULL,
    member_no bigint NOT NULL,
    amount_minor bigint NOT NULL,
    confirm_from_ms bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    confirmed_at_ms bigint,
    terms_id integer NOT NULL,
    fee_bps integer NOT NULL,
    PRIMARY KEY (shard, merchant_id, name),
    CONSTRAINT orders_refunded CHECK (0 <= refunded_minor AND refunded_minor <= amount_minor),
    CONSTRAINT orders_confirmed CHECK (confirmed_at_ms >= confirm_from_ms)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE ledger.orders IS
    'A purchase and how much of it was given back; its lots have its seq.';

CREATE TABLE ledger.lot (
    shard smallint NOT NULL,
    seq bigint NOT NULL,
    no smallint NOT NULL,
    role smallint NOT NULL,
    issuer integer NOT NULL,
    terms_id integer NOT NULL,
    member_no bigint NOT NULL,
    points bigint NOT NULL,
    standing bigint NOT NULL,
    remaining bigint NOT NULL,
    confirmed_at_ms bigint,
    expires_at_ms bigint,
    earned_seq bigint,
    earned_leg smallint,
    open boolean NOT NULL,
    PRIMARY KEY (shard, seq, no),
    CONSTRAINT lot_points CHECK (
        points > 0 AND 0 <= standing AND standing <= points AND 0 <= remaining AND remaining <= points
    ),
    CONSTRAINT lot_open CHECK (open = (confirmed_at_ms IS NOT NULL AND remaining > 0)),
    CONSTRAINT lot_confirmed CHECK (num_nulls(confirmed_at_ms, expires_at_ms, earned_seq, earned_leg) IN (0, 4))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX lot_of_member ON ledger.lot (shard, member_no) WHERE open;
COMMENT ON TABLE ledger.lot IS
    'Points of one issuer, rate and expiry; what remains is derived, every change of it stands in a receipt.';

INSERT INTO ledger.head (shard, seq, registry_seq) VALUES (0, 0, 0);
"""

FUNCTIONS = """
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: it is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION ledger.refuse_imbalance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault record;
BEGIN
    SELECT seq, unit, sum(amount) AS total INTO fault FROM fresh GROUP BY seq, unit HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'postings of journal entry % sum to % in unit %', fault.seq, fault.total, fault.unit
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    range record;
BEGIN
    FOR range IN SELECT shard, min(seq) AS first, max(seq) AS last, count(*) AS entries FROM fresh GROUP BY shard LOOP
        IF range.last - range.first + 1 <> range.entries OR (range.first > 1 AND NOT EXISTS (
            SELECT FROM ledger.journal WHERE shard = range.shard AND seq = range.first - 1
        )) THEN
            RAISE EXCEPTION 'journal entries % to % leave a gap', range.first, range.last
                USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.refuse_backwards() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.seq < old.seq OR new.registry_seq < old.registry_seq THEN
        RAISE EXCEPTION 'the head of shard % does not go back from % to %', old.shard, old.seq, new.seq
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN new;
END $$;

CREATE TRIGGER balanced AFTER INSERT ON ledger.posting
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_imbalance();
CREATE TRIGGER gapless AFTER INSERT ON ledger.journal
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_gap();
CREATE TRIGGER forwards BEFORE UPDATE ON ledger.head
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_backwards();
"""

INSERTED = ", ".join(f"ledger.{name}" for name in (*LOG, "orders", "lot"))

GRANTS = f"""
DO $$ BEGIN
    CREATE ROLE {ROLE} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles belong to the server: another database of it made this one
END $$;
GRANT USAGE ON SCHEMA ledger TO {ROLE};
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {ROLE};
GRANT INSERT ON {INSERTED} TO {ROLE};
GRANT UPDATE (seq, registry_seq) ON ledger.head TO {ROLE};
GRANT UPDATE (refunded_minor, confirmed_at_ms) ON ledger.orders TO {ROLE};
GRANT UPDATE (standing, remaining, confirmed_at_ms, expires_at_ms, earned_seq, earned_leg, open)
    ON ledger.lot TO {ROLE};
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    for name in LOG:
        op.execute(_append_only(name, "UPDATE OR DELETE OR TRUNCATE"))
    for name in DERIVED:
        op.execute(_append_only(name, "DELETE OR TRUNCATE"))
    op.execute(GRANTS)


def _append_only(name: str, operations: str) -> str:
    return (
        f"CREATE TRIGGER append_only BEFORE {operations} ON ledger.{name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    )


def downgrade() -> None:
    """Drops the schema with everything in it; the role stays, because other databases of the server may use it."""
    op.execute("DROP SCHEMA ledger CASCADE")
