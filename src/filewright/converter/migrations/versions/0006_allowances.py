"""What a month has room for, and what was used of it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
BIG = sa.BigInteger()


def upgrade() -> None:
    op.add_column("jobs", sa.Column("included", sa.Integer(), nullable=True))
    op.create_table(
        "usage_months",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("conversions", sa.Integer(), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("input_bytes", BIG, nullable=False),
        sa.Column("output_bytes", BIG, nullable=False),
        sa.Column("tier", sa.String(length=64), nullable=False),
        sa.Column("included", sa.Integer(), nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "month", name=op.f("pk_usage_months")),
    )
    op.create_index("ix_usage_months_month_closed_at", "usage_months", ["month", "closed_at"])
    op.create_table(
        "credits",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credits")),
    )
    op.create_index("ix_credits_tenant", "credits", ["tenant"])
    _add_up_what_was_used()


def _add_up_what_was_used() -> None:
    """Of the months so far; no tier of theirs is known, and none included anything."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    month = "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM')" if postgresql else "strftime('%Y-%m', at)"
    total = "count(*), 0, sum(seconds), sum(input_bytes), sum(output_bytes), ''"
    columns = "tenant, month, conversions, credits, seconds, input_bytes, output_bytes, tier"
    found = f"SELECT tenant, {month}, {total} FROM usage GROUP BY tenant, {month}"  # noqa: S608 - of constants only
    op.execute(f"INSERT INTO usage_months ({columns}) {found}")


def downgrade() -> None:
    op.drop_table("credits")
    op.drop_table("usage_months")
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.drop_column("included")
