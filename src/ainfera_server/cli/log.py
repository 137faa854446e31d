"""Commands about the public log."""

from pathlib import Path

import click

from ainfera_server.cli import options


@click.group()
def log() -> None:
    """The public log: what anybody can hold the server to."""


@log.command("mirror")
@click.option(
    "--url",
    required=True,
    callback=options.not_empty,
    metavar="ADDRESS",
    help="The server whose log to follow.",
)
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where checkpoints are kept, in the file `checkpoints`; made if it is not there.",
)
@click.option(
    "--key",
    callback=options.not_empty,
    metavar="KEY",
    help="The log's verifier key; without it the one that the server names first is kept.",
)
@click.option(
    "--git", is_flag=True, help="Commit in FOLDER, and push if it has a remote repository."
)
@options.as_json
def mirror(url: str, folder: Path, key: str | None, *, git: bool, as_json: bool) -> None:
    """Keep a log's newest checkpoint, once it is sure that it continues the last one kept.

    Exit code 4 when the log forked or shrank, or a signature is wrong; nothing is kept then. Run it
    again and again, from somewhere that the operator of the log cannot change.
    """
    from ainfera_server.cli import git_folder, log_mirror, output

    mirrored = log_mirror.brought_up_to_date(url, folder, key=key)
    if git:
        git_folder.commit_and_push(
            folder, names=log_mirror.FILES, message=f"{mirrored.origin} at {mirrored.size}"
        )
    row: dict[str, object] = {
        "origin": mirrored.origin,
        "size": mirrored.size,
        "root": mirrored.root.hex(),
        "new": mirrored.is_new,
    }
    output.write([row], as_json=as_json)
