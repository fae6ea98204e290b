"""What periodic work remembers of itself, and the queue of tasks inside PostgreSQL.

The queue is PGMQ, whose SQL comes with its Python package: tables and functions in a schema of their own, no extension.
A schema of that name that is there already is somebody's extension and is left alone. Source: `settlement.tasks`.
"""

from alembic import op
from pgmq import get_embedded_install_sql

revision = "0016_tasks"
down_revision = "0010_self_signed"
branch_labels = None
depends_on = None

ROLE = "tongdui_settlement"

TABLES = """
CREATE TABLE settlement.work (
    name        text PRIMARY KEY,
    attempts    integer NOT NULL CHECK (attempts >= 0),
    begun_at    timestamptz NOT NULL,
    done_at     timestamptz,
    failed_at   timestamptz,
    error       text,
    parked_at   timestamptz,
    position    jsonb,
    CHECK (error IS NULL OR length(error) <= 2000)
);
COMMENT ON TABLE settlement.work IS
    'One row for each periodic task: attempts since it last succeeded, and where it goes on';
"""
GRANTS = f"GRANT SELECT, INSERT, UPDATE ON settlement.work TO {ROLE}; GRANT SELECT ON settlement.work TO tongdui_app"
THERE = "SELECT 1 FROM pg_namespace WHERE nspname = 'pgmq'"
OURS = "SELECT 1 FROM pg_namespace WHERE nspname = 'pgmq' AND obj_description(oid, 'pg_namespace') = 'tongdui'"


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS)
    if op.get_bind().exec_driver_sql(THERE).first() is None:
        op.get_bind().connection.cursor().execute(get_embedded_install_sql())
        op.execute("COMMENT ON SCHEMA pgmq IS 'tongdui'")


def downgrade() -> None:
    if op.get_bind().exec_driver_sql(OURS).first() is not None:
        op.execute("DROP SCHEMA pgmq CASCADE")
    op.execute("DROP TABLE settlement.work")
