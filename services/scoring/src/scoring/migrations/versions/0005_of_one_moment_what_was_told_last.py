"""of the moves of a complaint at one moment the one that was told last counts"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of what is there it is not known, and a worker of the version before does not say it: whatever is told of the same moment
    # outdoes it. A rebuild says it of all.
    op.add_column("open_case", sa.Column("told", sa.Uuid(), server_default="0" * 32, nullable=False))


def downgrade() -> None:
    op.drop_column("open_case", "told")
