"""Who may read the batches, from which on and up to which. Source: `settlement.readers`.

An alliance that has batches keeps the readers of its newest one, from genesis on.
"""

from alembic import op

revision = "0017_readers"
down_revision = "0016_tasks"
branch_labels = None
depends_on = None

ROLE = "tongdui_settlement"


def upgrade() -> None:
    op.execute(
        f"""
        CREATE TABLE settlement.reader (
            kid text PRIMARY KEY,
            public_key bytea NOT NULL,
            from_batch bigint NOT NULL,
            until_batch bigint,
            CONSTRAINT reader_kid CHECK (kid ~ '^[a-z0-9][a-z0-9._-]{{0,63}}$'),
            CONSTRAINT reader_public_key CHECK (length(public_key) = 32),
            CONSTRAINT reader_batches CHECK (from_batch >= 0 AND until_batch >= from_batch)
        );
        COMMENT ON TABLE settlement.reader IS
            'Keys that batches are wrapped for: from_batch <= n < until_batch. A name is never given twice.';

        INSERT INTO settlement.reader (kid, public_key, from_batch)
        SELECT reader ->> 0, decode(reader ->> 1, 'hex'), 0
        FROM (SELECT recipients FROM settlement.batch WHERE superseded_by IS NULL AND recipients IS NOT NULL
              ORDER BY batch_no DESC LIMIT 1) AS newest, jsonb_array_elements(newest.recipients) AS reader
        WHERE jsonb_array_length(reader) = 2;

        GRANT SELECT, INSERT ON settlement.reader TO {ROLE};
        GRANT UPDATE (until_batch) ON settlement.reader TO {ROLE};
        """
    )


def downgrade() -> None:
    """Batches sealed afterwards are wrapped for whom the settings name."""
    op.execute("DROP TABLE settlement.reader")
