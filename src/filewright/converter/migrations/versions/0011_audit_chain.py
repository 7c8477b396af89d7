"""The audit log is a chain: hashes, its head, signed ends of months, and triggers that refuse changes"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSAL = "audit_logs only grows"
GUARD = f"""
CREATE FUNCTION filewright_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND coalesce(current_setting('filewright.upkeep', true), '') = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    op.add_column("audit_logs", sa.Column("hash", sa.String(length=64), nullable=True))
    op.create_index("ix_audit_logs_id", "audit_logs", ["id"])
    heads = op.create_table(
        "audit_heads",
        sa.Column("chain", sa.String(length=16), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("upkeep", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "audit_anchors",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_anchors")),
    )
    assert heads is not None
    op.bulk_insert(
        heads, [{"chain": "main", "seq": 0, "hash": "0" * 64, "at": datetime(2000, 1, 1, tzinfo=UTC), "upkeep": False}]
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(GUARD)
        op.execute(
            "CREATE TRIGGER audit_logs_only_grows BEFORE UPDATE OR DELETE ON audit_logs "
            "FOR EACH ROW EXECUTE FUNCTION filewright_audit_guard()"
        )
        return
    op.execute(
        f"CREATE TRIGGER audit_logs_no_update BEFORE UPDATE ON audit_logs BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )
    op.execute(
        "CREATE TRIGGER audit_logs_no_delete BEFORE DELETE ON audit_logs "
        "WHEN coalesce((SELECT max(upkeep) FROM audit_heads), 0) = 0 "
        "BEGIN SELECT RAISE(ABORT, 'audit_logs only grows'); END"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_logs_only_grows ON audit_logs")
        op.execute("DROP FUNCTION filewright_audit_guard()")
    else:
        op.execute("DROP TRIGGER audit_logs_no_update")
        op.execute("DROP TRIGGER audit_logs_no_delete")
    op.drop_table("audit_anchors")
    op.drop_table("audit_heads")
    op.drop_index("ix_audit_logs_id", table_name="audit_logs")
    op.drop_column("audit_logs", "hash")
