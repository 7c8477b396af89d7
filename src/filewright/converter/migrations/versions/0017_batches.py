"""Jobs that were ordered together"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("batch", sa.String(length=40), nullable=True))
    op.create_index("ix_jobs_tenant_batch", "jobs", ["tenant", "batch"])


def downgrade() -> None:
    op.drop_index("ix_jobs_tenant_batch", "jobs")
    op.drop_column("jobs", "batch")
