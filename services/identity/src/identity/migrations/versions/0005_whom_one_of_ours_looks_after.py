"""whom one of ours looks after is found without reading the rest"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_assignment_staff_id", "assignment", ["staff_id"])


def downgrade() -> None:
    op.drop_index("ix_assignment_staff_id", table_name="assignment")
