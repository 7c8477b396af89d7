"""How long work took, for estimates of how long it will take"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from filewright.chassis.db.base import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "paces",
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("runs", JSON, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_paces")),
    )
    op.create_index("ix_paces_updated_at", "paces", ["updated_at"])


def downgrade() -> None:
    op.drop_table("paces")
