"""The command that tells whether the server runs, and where."""

import click

from ainfera_server.cli import options


@click.command()
@options.data_dir
@options.as_json
def status(data_dir: str | None, *, as_json: bool) -> None:
    """Tell where the server is and whether it is healthy; exit code 1 when it is not."""
    from ainfera_server.cli import data_folder, output, reaching
    from ainfera_server.cli.failures import Failure

    settings = options.settings(data_dir=data_dir)
    answer = reaching.get(settings, "/health")
    running = data_folder.running(settings.data_dir)
    row: dict[str, object] = {
        "url": reaching.url(settings),
        "health": "ok" if answer.status == 200 else f"answers {answer.status}",
        "process_id": None if running is None else running.process_id,
        "data_folder": settings.data_dir,
    }
    output.write([row], as_json=as_json)
    if answer.status != 200:
        raise Failure(f"The server is not healthy: {answer.body.decode(errors='replace')[:500]}")
