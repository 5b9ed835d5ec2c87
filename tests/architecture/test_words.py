"""What is kept in the repository tells nothing of the machine on which it was written."""

import subprocess

import pytest

from .modules import ROOT

MACHINE = ["/" + place + "/" for place in ("work", "root", "tmp", "home")]
REGISTRIES = ["pypi" + ".org", "files." + "pythonhosted", "repo" + ".maven", "npm" + "js", "registry" + "-1"]
# What was written elsewhere and is shipped as it is.
SHIPPED = ("libs/common/src/common/static/",)


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("there is no git here to say which files are kept")
    return [path for path in listed.stdout.split("\0") if path and not path.startswith(SHIPPED)]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in tracked():
        file = ROOT / path
        if file.is_file():
            try:
                found[path] = file.read_text("utf-8")
            except UnicodeDecodeError:
                continue
    return found


@pytest.mark.parametrize("word", [*MACHINE, *REGISTRIES])
def test_no_kept_file_names_a_machines_path_or_a_registrys_host(texts, word):
    places = [
        f"{path}:{number}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if word in line
    ]
    assert places == []


def test_no_kept_file_is_a_credential_or_a_database():
    wrong = (".db", ".sqlite", ".pem", ".key", ".env", "credential", "secret")
    assert [path for path in tracked() if path.endswith(wrong)] == []
