"""A job may be a chain of operations. The version before writes none, and takes every job for a conversion"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("steps", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "steps")
