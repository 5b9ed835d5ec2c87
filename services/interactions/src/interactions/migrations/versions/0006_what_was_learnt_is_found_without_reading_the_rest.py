"""what was learnt is found without reading the rest"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LEARNT = sa.text("facts <> '[]'")


def upgrade() -> None:
    op.create_index(
        "ix_touchpoint_learnt", "touchpoint", ["trace_id", "occurred_at"], postgresql_where=LEARNT, sqlite_where=LEARNT
    )


def downgrade() -> None:
    op.drop_index("ix_touchpoint_learnt", table_name="touchpoint")
