"""The tables of the promise, the attributes and the cycles: the present version of each, and all that there were."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from service_audit.tables import Base


class DocumentRow(Base, table=True):
    """The present version. Consumers hold this row (shared) while they judge by it, so a PUT never overtakes them."""

    __tablename__ = "document"

    kind: str = Field(sa_type=sa.String(20), primary_key=True)
    code: str = Field(sa_type=sa.String(60), primary_key=True)
    version: int = Field(sa_type=sa.Integer)
    body: dict[str, Any] = Field(sa_type=Json)
    written_at: datetime = Field(sa_type=UtcDateTime)
    written_by: str = Field(sa_type=sa.String(200))


class DocumentVersionRow(Base, table=True):
    """Every version there was."""

    __tablename__ = "document_version"

    kind: str = Field(sa_type=sa.String(20), primary_key=True)
    code: str = Field(sa_type=sa.String(60), primary_key=True)
    version: int = Field(sa_type=sa.Integer, primary_key=True)
    body: dict[str, Any] = Field(sa_type=Json)
    written_at: datetime = Field(sa_type=UtcDateTime)
    written_by: str = Field(sa_type=sa.String(200))


document: sa.Table = DocumentRow.__table__  # type: ignore[attr-defined]
document_version: sa.Table = DocumentVersionRow.__table__  # type: ignore[attr-defined]
