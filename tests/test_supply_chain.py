"""What we depend on is locked by hash, and importing us does nothing."""

import re
import subprocess
import sys
import tomllib

from tests.promises import proves
from tests.tidy import tree

LOCK = (tree.ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ENTRIES = re.split(r"\n(?=[a-z0-9])", LOCK.strip())

IMPORT_EVERYTHING = """
import pkgutil, sys

FORBIDDEN = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system",
             "os.exec", "os.posix_spawn", "os.mkdir", "os.remove", "os.rename", "shutil.rmtree")

def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event in FORBIDDEN or writes:
        sys.exit(f"importing us does {event} {arguments!r}")

import ainfera_server
sys.dont_write_bytecode = True
sys.addaudithook(watch)
for module in pkgutil.walk_packages(ainfera_server.__path__, "ainfera_server."):
    if not module.name.endswith("__main__") and ".migrations." not in module.name:
        __import__(module.name)
print("imported")
"""


@proves("dependencies-are-locked")
def test_every_locked_distribution_has_one_version_and_its_hashes() -> None:
    assert len(ENTRIES) > len(PROJECT["project"]["dependencies"])
    for entry in ENTRIES:
        assert re.match(r"[a-z0-9.-]+(\[[a-z]+\])?==[^ ]+( ; .+)? \\\n", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@proves("dependencies-are-locked")
def test_the_constraints_are_the_locked_versions() -> None:
    locked = [re.split(r" *\\\n", entry)[0] for entry in ENTRIES]
    assert PROJECT["tool"]["uv"]["constraint-dependencies"] == locked


@proves("dependencies-are-locked")
def test_every_dependency_that_we_name_is_locked() -> None:
    locked = {re.split(r"[=\[]", entry)[0] for entry in ENTRIES}
    named = [
        *PROJECT["project"]["dependencies"],
        *(one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra),
        *PROJECT["dependency-groups"]["dev"],
    ]
    assert [one for one in named if re.split(r"[^a-z0-9-]", one)[0] not in locked] == []


def test_the_lock_file_holds_no_address() -> None:
    assert not re.search(r"://|@|--(extra-)?index|--find-links|^-e|^\.?/", LOCK, re.MULTILINE)


@proves("importing-does-nothing")
def test_importing_every_module_opens_nothing_starts_nothing_and_writes_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.strip(), done.returncode) == ("imported", 0), done.stderr
