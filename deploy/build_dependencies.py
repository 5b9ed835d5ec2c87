"""The dependencies of the wheel are those of requirements/base.in, named once."""

from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Dependencies(MetadataHookInterface):
    """Reads the direct dependencies, so that they are not written down twice."""

    def update(self, metadata: dict[str, object]) -> None:
        lines = (Path(self.root) / "requirements" / "base.in").read_text().splitlines()
        metadata["dependencies"] = [line for line in lines if line and not line.startswith("#")]
