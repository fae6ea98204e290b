"""Changes of every account by day of valid time, and the cursor that says how far the journal has been taken in.

Derived rows: what `ledger.reports.projection` adds up follows from the journal, `verify` compares it, and it may be
dropped and made again. Nothing on the way of a command touches them. Source: docs/reports.md.
"""

from alembic import op

revision = "0007_reports"
down_revision = "0006_people"
branch_labels = None
depends_on = None

ROLE = "tongdui_app"

UP = f"""
CREATE TABLE ledger.day (
    shard smallint NOT NULL,
    family smallint NOT NULL,
    unit integer NOT NULL,
    party bigint NOT NULL,
    day integer NOT NULL,
    amount numeric(30, 0) NOT NULL,
    first_n bigint,
    last_n bigint,
    PRIMARY KEY (shard, family, unit, party, day),
    CONSTRAINT day_postings CHECK (num_nulls(first_n, last_n) <> 1 AND first_n <= last_n)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE ledger.day IS
    'By account and UTC day on which things happened: the sum of its postings, the first and last recorded in time.';

CREATE TABLE ledger.late (
    shard smallint NOT NULL,
    family smallint NOT NULL,
    unit integer NOT NULL,
    party bigint NOT NULL,
    day integer NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (shard, family, unit, party, day, n)
);
COMMENT ON TABLE ledger.late IS
    'A posting recorded after the account had one of a later day: where to look for it.';

CREATE TABLE ledger.projection (
    shard smallint NOT NULL,
    name text NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (shard, name),
    CONSTRAINT projection_seq CHECK (seq >= 0)
) WITH (fillfactor = 10);
COMMENT ON TABLE ledger.projection IS
    'How far a projection has taken the journal in.';
INSERT INTO ledger.projection (shard, name, seq) VALUES (0, 'day', 0);

GRANT SELECT ON ledger.day, ledger.late, ledger.projection TO {ROLE};
GRANT INSERT ON ledger.day, ledger.late TO {ROLE};
GRANT UPDATE (amount, first_n, last_n) ON ledger.day TO {ROLE};
GRANT UPDATE (seq) ON ledger.projection TO {ROLE};
"""

DOWN = """
DROP TABLE ledger.projection;
DROP TABLE ledger.late;
DROP TABLE ledger.day;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    """Nothing is lost: the days follow from the journal."""
    op.execute(DOWN)
