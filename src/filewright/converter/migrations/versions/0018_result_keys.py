"""What a job's result follows from, so that the same order is answered from it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEPT = sa.text("state = 'succeeded' AND result_key IS NOT NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("result_key", sa.String(length=64), nullable=True))
    op.add_column("jobs", sa.Column("cached_from", sa.String(length=40), nullable=True))
    op.create_index("ix_jobs_result_key", "jobs", ["tenant", "result_key"], sqlite_where=KEPT, postgresql_where=KEPT)


def downgrade() -> None:
    op.drop_index("ix_jobs_result_key", "jobs")
    op.drop_column("jobs", "cached_from")
    op.drop_column("jobs", "result_key")
