"""outbox and inbox in partitions, so that what is too old is dropped as a whole"""

from datetime import UTC, datetime

from alembic import op

from common.partitions import INBOX, OUTBOX, divide, unite

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DIVIDED = (OUTBOX, INBOX)


def upgrade() -> None:
    for plan in DIVIDED:
        divide(op.get_bind(), plan, datetime.now(UTC))


def downgrade() -> None:
    for plan in DIVIDED:
        unite(op.get_bind(), plan)
