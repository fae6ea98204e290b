"""Jobs of assisted proving have a row from the asking on: whose they are, when they were answered; so they are bounded
and end by themselves. And why a partner's proofs were refused is found, and bounded, by partner.

Source: docs/decisions/0207.
"""

from alembic import op

revision = "0026_proving_jobs"
down_revision = "0025_acknowledged"
branch_labels = None
depends_on = None

CHANGES = """
DELETE FROM settlement.tier_proving;
ALTER TABLE settlement.tier_proving ADD COLUMN member_no bigint NOT NULL, ADD COLUMN answered_at bigint,
    ADD CONSTRAINT tier_proving_answered CHECK ((answer IS NULL) = (answered_at IS NULL));
COMMENT ON TABLE settlement.tier_proving IS
    'Jobs of assisted proving, each of one member; the answer is sealed for whoever asked. Gone when fetched or old.';
GRANT INSERT (id, asked_at, member_no) ON settlement.tier_proving TO tongdui_app;
CREATE INDEX tier_refusal_of_partner ON api.tier_refusal (partner_id, no);
"""


def upgrade() -> None:
    """Answers that wait are let go: members ask again."""
    op.execute(CHANGES)


def downgrade() -> None:
    op.execute("DROP INDEX api.tier_refusal_of_partner")
    op.execute("DELETE FROM settlement.tier_proving")
    op.execute("REVOKE INSERT (id, asked_at, member_no) ON settlement.tier_proving FROM tongdui_app")
    op.execute("ALTER TABLE settlement.tier_proving DROP COLUMN member_no, DROP COLUMN answered_at")
