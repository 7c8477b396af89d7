"""Row security: PostgreSQL keeps the tenants' rows apart, whatever a statement says

Nothing is declared by the version before this one: to what declares nothing, every row is shown, as before. How that is
closed when all processes are of this version is in docs/how-to/run-the-database.md.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from filewright.chassis.db.migrations import hold

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = (
    "api_keys", "api_requests", "artifacts", "attempts", "audit_logs", "credits", "email_codes", "erasures",
    "file_hashes", "idempotency_keys", "invoices", "job_endings", "job_events", "job_inputs", "job_outputs",
    "job_secrets", "jobs", "mail_outbox", "payers", "tenant_gates", "uploads", "usage", "usage_months",
    "user_identities", "user_sessions", "users", "webhook_deliveries", "webhooks",
)  # fmt: skip
TENANT = """
CREATE FUNCTION filewright_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(nullif(current_setting('filewright.tenant', true), ''), '*') $$
"""
# Counts everybody's jobs and tells a number: the one thing about others that a caller's statement is shown.
# (A function's own SET would do what the two set_config do, and only a superuser may write that.)
PLACE = """
CREATE FUNCTION filewright_place(of_lane text, of_queued_at timestamptz, of_id text, farthest bigint DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    before text := current_setting('filewright.tenant', true);
    place bigint;
BEGIN
    PERFORM set_config('filewright.tenant', '*', true);
    SELECT 1 + count(*) INTO place FROM (
        SELECT FROM jobs WHERE state = 'queued' AND (lane, queued_at, id) < (of_lane, of_queued_at, of_id)
        LIMIT farthest
    ) sooner;
    PERFORM set_config('filewright.tenant', coalesce(before, ''), true);
    RETURN place;
END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    hold(op.get_bind(), TABLES)
    op.execute(TENANT)
    op.execute(PLACE)
    for table in _with_pieces():
        op.execute(f"CREATE POLICY tenant ON {table} USING (filewright_tenant() IN ('*', tenant))")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _with_pieces():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY IF EXISTS tenant ON {table}")
    op.execute("DROP FUNCTION filewright_place(text, timestamptz, text, bigint)")
    op.execute("DROP FUNCTION filewright_tenant()")


def _with_pieces() -> list[str]:
    """The tables, and the partitions that some of them are cut into."""
    found = op.get_bind().execute(
        sa.text(
            "SELECT i.inhrelid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent "
            "WHERE c.relkind = 'p' AND c.relname = ANY(:tables) ORDER BY 1"
        ),
        {"tables": list(TABLES)},
    )
    return [*TABLES, *(name for (name,) in found)]
