"""Where the rows of this service are declared: one registry of its own, so that services never share a table."""

import importlib

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

FEATURES = ("links", "values", "classes", "signals", "policies", "appraisals")


class Base(SQLModel, registry=registry()):
    """Every row of scoring derives from this."""


def __getattr__(name: str) -> sa.MetaData:
    """`METADATA`, what the migrations compare with: complete only when every feature's rows have been declared."""
    if name != "METADATA":
        raise AttributeError(name)
    for feature in FEATURES:
        importlib.import_module(f"scoring.{feature}.models")
    return Base.metadata
