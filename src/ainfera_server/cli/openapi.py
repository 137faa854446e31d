"""The command that prints the OpenAPI document."""

import click

from ainfera_server.cli import options


@click.command()
@options.data_dir
def openapi(data_dir: str | None) -> None:
    """Print the OpenAPI document of the server that runs, as JSON."""
    from ainfera_server.cli import reaching
    from ainfera_server.cli.failures import Failure

    answer = reaching.get(options.settings(data_dir=data_dir), "/openapi.json")
    if answer.status != 200:
        raise Failure(f"The server answers {answer.status} instead of its document.")
    click.echo(answer.body)
