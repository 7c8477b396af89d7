"""How much there is to work on in a file, where its bytes do not tell"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("artifacts", sa.Column("load", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("artifacts", "load")
