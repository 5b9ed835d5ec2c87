"""Where the rows of this service are declared: one registry of its own, so that services never share a table."""

import importlib

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

FEATURES = (
    "sightings",
    "linking",
    "customers",
    "reviews",
    "knowledge",
    "contact",
    "assignments",
    "relationships",
    "parties",
    "privacy",
    "cleanup",
    "guards",
    "matching",
)


class Base(SQLModel, registry=registry()):
    """Every row of identity derives from this."""


def __getattr__(name: str) -> sa.MetaData:
    """`METADATA`, what the migrations compare with: complete only when every feature's rows have been declared."""
    if name != "METADATA":
        raise AttributeError(name)
    for feature in FEATURES:
        importlib.import_module(f"identity.{feature}.models")
    return Base.metadata
