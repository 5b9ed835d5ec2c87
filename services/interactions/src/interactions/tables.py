"""Where the rows of this service are declared: one registry of its own, so that services never share a table."""

from sqlalchemy.orm import registry
from sqlmodel import SQLModel


class Base(SQLModel, registry=registry()):
    """Every row of interactions derives from this."""
