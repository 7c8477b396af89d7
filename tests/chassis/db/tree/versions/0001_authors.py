"""Authors and their books."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("author", sa.Column("id", sa.String(8), primary_key=True), sa.Column("born", sa.String(8)))
    op.create_table(
        "book",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("author", sa.String(8), sa.ForeignKey("author.id", name="fk_book_author", ondelete="CASCADE")),
    )


def downgrade() -> None:
    op.drop_table("book")
    op.drop_table("author")
