"""a promise tells its earlier dates"""

import sqlalchemy as sa
from alembic import op

import common.db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("commitment", sa.Column("earlier_dates", common.db.Json, nullable=True))


def downgrade() -> None:
    op.drop_column("commitment", "earlier_dates")
