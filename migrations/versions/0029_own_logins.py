"""Logins of one's own need nothing of the owner's: both roles may ask which migration the database is at, and the
queues inside it are made here and may be used by settlement's.

A schema pgmq that is somebody's extension is left alone, as 0016 leaves it. Source: docs/decisions/0222.
"""

from alembic import op

revision = "0029_own_logins"
down_revision = "0028_partner_questions"
branch_labels = None
depends_on = None

APP, ROLE = "tongdui_app", "tongdui_settlement"
QUEUES = ("tongdui_ledger", "tongdui_settlement", "tongdui_tiers")
NOTIFY_MS = 100
OURS = "SELECT 1 FROM pg_namespace WHERE nspname = 'pgmq' AND obj_description(oid, 'pg_namespace') = 'tongdui'"
SHARED = f"""
GRANT USAGE ON SCHEMA pgmq TO {ROLE};
GRANT SELECT ON pgmq.meta TO {ROLE};
GRANT SELECT, INSERT, UPDATE ON pgmq.notify_insert_throttle TO {ROLE};
"""


def upgrade() -> None:
    op.execute(f"GRANT SELECT ON alembic_version TO {APP}, {ROLE}")
    if op.get_bind().exec_driver_sql(OURS).first() is None:
        return
    op.execute(SHARED)
    for name in QUEUES:
        op.execute(f"SELECT pgmq.create('{name}')")
        op.execute(f"SELECT pgmq.enable_notify_insert('{name}', {NOTIFY_MS})")
        op.execute(
            f"GRANT SELECT, INSERT (vt, message, headers), UPDATE (vt, last_read_at, read_ct), DELETE"
            f" ON pgmq.q_{name} TO {ROLE}"
        )
        op.execute(f"GRANT SELECT ON SEQUENCE pgmq.q_{name}_msg_id_seq TO {ROLE}")


def downgrade() -> None:
    """The queues stay: workers make those that they lack."""
    op.execute(f"REVOKE SELECT ON alembic_version FROM {APP}, {ROLE}")
    if op.get_bind().exec_driver_sql(OURS).first() is not None:
        op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA pgmq FROM {ROLE}")
        op.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA pgmq FROM {ROLE}")
        op.execute(f"REVOKE USAGE ON SCHEMA pgmq FROM {ROLE}")
