"""The modules of the five packages as their sources tell, without importing them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "common": ROOT / "libs/common/src/common",
    "identity": ROOT / "services/identity/src/identity",
    "interactions": ROOT / "services/interactions/src/interactions",
    "scoring": ROOT / "services/scoring/src/scoring",
    "service_audit": ROOT / "services/service-audit/src/service_audit",
    "hilo": ROOT / "deploy/src/hilo",
}
SERVICES = ("identity", "interactions", "scoring", "service_audit")


@dataclass(frozen=True)
class Module:
    """One source file under its dotted name."""

    package: str
    path: Path

    @property
    def name(self) -> str:
        inside = self.path.relative_to(PACKAGES[self.package].parent).with_suffix("")
        return ".".join(inside.parts).removesuffix(".__init__")

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def folders(self) -> tuple[str, ...]:
        """Below its package: empty for the files beside the features."""
        return self.path.relative_to(PACKAGES[self.package]).parent.parts

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"))

    @cached_property
    def imports(self) -> set[str]:
        """The dotted names that it imports, at the top or inside a function, those for types only too."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        return found

    def reaches(self, package: str) -> bool:
        return any(name == package or name.startswith(f"{package}.") for name in self.imports)


def modules(*packages: str) -> Iterator[Module]:
    """Every module of the packages (of all, where none is named), generated ones left out."""
    for package in packages or PACKAGES:
        for path in sorted(PACKAGES[package].rglob("*.py")):
            if "versions" not in path.parts and "static" not in path.parts:
                yield Module(package, path)
