"""purchases, offers and forms are found behind a long history without reading it"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

RARE = sa.text("kind IN ('campaign_response', 'campaign_send', 'purchase', 'quote', 'web')")


def upgrade() -> None:
    op.create_index(
        "ix_touchpoint_rare", "touchpoint", ["trace_id", "occurred_at"], postgresql_where=RARE, sqlite_where=RARE
    )


def downgrade() -> None:
    op.drop_index("ix_touchpoint_rare", table_name="touchpoint")
