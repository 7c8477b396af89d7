"""Changes a table that another refers to, which SQLite can only do by making it anew."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("author") as batch:
        batch.alter_column("born", existing_type=sa.String(8), type_=sa.String(16), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("author") as batch:
        batch.alter_column("born", existing_type=sa.String(16), type_=sa.String(8), nullable=True)
