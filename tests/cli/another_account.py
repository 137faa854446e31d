"""Our own environment for an account that may not enter the folders in which ours lies.

Root often runs tests with an interpreter, packages and a clone below `/root`, which only root may
enter. The account then gets them once more, as links to the same files where the disk allows it.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import ainfera_server
from tests.cli.running_command import COMMAND

MAIN = ("-c", "from ainfera_server.cli import main; main.main()")
TRY = ("-c", "import ainfera_server.cli.main, aiohttp, asyncpg")
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = shutil.ignore_patterns("site-packages", "test", "tests", "idlelib", "__pycache__")


def command(folder: Path, account: int | None) -> tuple[str, ...]:
    """The server's command as an account can run it; None is ourselves."""
    if account is None:
        return COMMAND
    for python in interpreters(folder):
        if can_run(python, account):
            return (str(python), *MAIN)
    raise AssertionError(f"the account {account} cannot run even a copy of our environment")


def interpreters(folder: Path) -> Iterator[Path]:
    """Ours, the system's, and a copy, which is only made when it is asked for."""
    yield Path(sys.executable)
    yield made_of(Path("/usr/bin", VERSION), folder / "system")
    yield copied(folder / "copy")


def can_run(python: Path, account: int) -> bool:
    """Whether an account can run an interpreter that finds what we need."""
    try:
        done = subprocess.run(
            (python, *TRY),
            user=account,
            group=account,
            extra_groups=[],
            check=False,
            cwd="/",
            capture_output=True,
        )
    except OSError:
        return False
    return done.returncode == 0


def made_of(interpreter: Path, folder: Path) -> Path:
    """An environment with another interpreter of our version, and our packages where they lie."""
    packages = folder / "lib" / VERSION / "site-packages"
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(interpreter)
    (folder / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\n")
    ours = (sysconfig.get_path("purelib"), str(Path(ainfera_server.__file__).parents[1]))
    (packages / "ours.pth").write_text("\n".join(ours))
    return folder / "bin" / "python"


def copied(folder: Path) -> Path:
    """The interpreter, its library and all packages once more."""
    library = folder / "lib" / VERSION
    packages = library / "site-packages"
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=LEFT_OUT, copy_function=linked)
    shutil.copytree(sysconfig.get_path("purelib"), packages, copy_function=linked)
    ours = Path(ainfera_server.__file__).parent
    shutil.copytree(ours, packages / ours.name, dirs_exist_ok=True)
    for shared in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy(shared, folder / "lib")
    (folder / "bin").mkdir()
    shutil.copy(Path(sys.executable).resolve(), folder / "bin" / "interpreter")
    python = folder / "bin" / "python"
    # Under the name of the script, so that what it starts is started by way of the script too.
    python.write_text(
        f"#!/bin/bash\nexport LD_LIBRARY_PATH='{folder / 'lib'}'\n"
        f'exec -a "$0" \'{folder / "bin" / "interpreter"}\' "$@"\n'
    )
    python.chmod(0o755)
    return python


def linked(source: str, target: str) -> None:
    """The same file at another place; a copy of it where no link can lead from one to the other."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
