"""Tables cut by time, contents that are stored once, when a job was last written, and the shard of a tenant"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
CUT_BY_TIME = ("audit_logs", "user_sessions", "api_requests")
SHARD = """
CREATE FUNCTION filewright_shard(tenant text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT get_byte(sha256(convert_to(tenant, 'UTF8')), 0) $$
"""


def upgrade() -> None:
    op.create_table(
        "audit_logs",
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("details", JSON, nullable=True),
        sa.PrimaryKeyConstraint("at", "id", name=op.f("pk_audit_logs")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_audit_logs_tenant_at", "audit_logs", ["tenant", "at"])
    op.create_table(
        "user_sessions",
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("created_at", "id", name=op.f("pk_user_sessions")),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("ix_user_sessions_id", "user_sessions", ["id"])
    op.create_index("ix_user_sessions_tenant_created_at", "user_sessions", ["tenant", "created_at"])
    op.create_table(
        "api_requests",
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("bytes_in", BIG, nullable=False),
        sa.Column("bytes_out", BIG, nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("at", "id", name=op.f("pk_api_requests")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_api_requests_tenant_at", "api_requests", ["tenant", "at"])
    op.create_table(
        "file_hashes",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("parts", JSON, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "sha256", name=op.f("pk_file_hashes")),
    )
    # Not in batches: both databases add such columns in place, whatever a table holds.
    op.add_column("artifacts", sa.Column("shared", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("jobs", sa.Column("updated_at", MOMENT, nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for table in CUT_BY_TIME:
            # For rows that come before their partition does; upkeep makes those, and moves the rows.
            op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
        op.execute(SHARD)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION filewright_shard(text)")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("updated_at")
    with op.batch_alter_table("artifacts", schema=None) as batch_op:
        batch_op.drop_column("shared")
    op.drop_table("file_hashes")
    for table in reversed(CUT_BY_TIME):
        op.drop_table(table)
