"""The standards that come with the service, one document a file, each as whole as a body that was PUT."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
CYCLES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem not in ("promise", "attributes"))


def shipped(name: str) -> dict[str, Any]:
    """The document by the name of its file."""
    body: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return body
