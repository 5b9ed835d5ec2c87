"""a promise knows all that kept it"""

import sqlalchemy as sa
from alembic import op

import common.db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEPT = sa.text("kept_by IS NOT NULL")


def upgrade() -> None:
    op.add_column("commitment", sa.Column("also_kept_by", common.db.Json, nullable=True))
    # Whoever takes a contact back asks what it kept and moved, and read every promise and every step for it.
    op.create_index("ix_commitment_kept_by", "commitment", ["kept_by"], postgresql_where=KEPT, sqlite_where=KEPT)
    op.create_index("ix_case_step_touchpoint_id", "case_step", ["touchpoint_id"])


def downgrade() -> None:
    op.drop_index("ix_case_step_touchpoint_id", table_name="case_step")
    op.drop_index("ix_commitment_kept_by", table_name="commitment")
    op.drop_column("commitment", "also_kept_by")
