"""a thread reads its references from its contacts"""

import sqlalchemy as sa
from alembic import op

import common.db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each contact wrote the whole list anew, which grew with the thread; `conversation_reference` is what finds a thread.
    op.drop_column("conversation", "references")


def downgrade() -> None:
    op.add_column("conversation", sa.Column("references", common.db.Json, nullable=False, server_default="[]"))
