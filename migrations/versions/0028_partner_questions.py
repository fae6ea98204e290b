"""What partners asked is remembered by what it asks, so that nothing else makes it forgotten; and the doors may count
who fits a question, of attributes alone.

Invariant: the serving role sees attributes of an epoch in force, and neither whose they are nor where they stand.
Source: docs/decisions/0225. Run by Alembic only; never edited once released.
"""

from alembic import op

revision = "0028_partner_questions"
down_revision = "0027_carried"
branch_labels = None
depends_on = None

QUESTIONS = """
CREATE TABLE api.partner_question (
    partner_id bigint NOT NULL REFERENCES api.partner,
    question bytea NOT NULL,
    epoch bigint NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (partner_id, question, epoch),
    CONSTRAINT partner_question_size CHECK (octet_length(question) = 32)
);
CREATE INDEX partner_question_newest ON api.partner_question (partner_id, asked_at);
COMMENT ON TABLE api.partner_question IS
    'What a partner asked about members of an epoch, and when last: policies without their number of uses.';
GRANT SELECT, INSERT, UPDATE (asked_at) ON api.partner_question TO tongdui_app;
GRANT SELECT (epoch, attributes) ON settlement.tier_leaf TO tongdui_app;
"""

# A policy's 32 bytes: 2 of uses and metric, 2 of tiers, 4 of the keys' age, 4 of the day of validity, 20 of the rest.
# One use; a day up to the epoch's first second is none; an amount without bounds is one of points.
BEFORE = r"""
INSERT INTO api.partner_question (partner_id, question, epoch, asked_at)
SELECT partner_id, CASE WHEN substring(word FROM 17) = unbounded THEN set_byte(word, 1, 2) ELSE word END, epoch,
    max(asked_at)
FROM (
    SELECT r.partner_id, r.epoch, r.asked_at,
        decode(repeat('ff', 8) || repeat('00', 8), 'hex') AS unbounded,
        set_byte(decode('0000', 'hex'), 1, 2 | (get_byte(r.policy, 1) & 1)) || substring(r.policy FROM 3 FOR 6)
        || CASE WHEN substring(r.policy FROM 9 FOR 4) > substring(int8send(e.not_before) FROM 5)
                THEN substring(r.policy FROM 9 FOR 4) ELSE decode('00000000', 'hex') END
        || substring(r.policy FROM 13) AS word
    FROM api.proof_request r JOIN settlement.tier_epoch e ON e.epoch = r.epoch
) asked
GROUP BY 1, 2, 3
"""


def upgrade() -> None:
    """What was asked before is remembered, too."""
    op.execute(QUESTIONS)
    op.execute(BEFORE)


def downgrade() -> None:
    op.execute("REVOKE SELECT (epoch, attributes) ON settlement.tier_leaf FROM tongdui_app")
    op.execute("DROP TABLE api.partner_question")
