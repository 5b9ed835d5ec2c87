"""Values: frozen dataclasses where many are made. The type checker keeps anybody from changing one, and nothing is paid for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen: bool, slots: bool = False) -> Callable[[type], type]:
        """As `dataclass`; `frozen` says that it can be hashed. To be frozen at run time would double what making one costs."""
        return dataclass(unsafe_hash=frozen, slots=slots)


__all__ = ["value"]
