"""The command that starts a server."""

import click

from ainfera_server.cli import options


@click.command()
@click.option(
    "--host",
    envvar="AINFERA_HOST",
    callback=options.not_empty,
    metavar="ADDRESS",
    help="The address to listen on; 127.0.0.1 unless said otherwise.",
)
@click.option(
    "--port",
    envvar="AINFERA_PORT",
    callback=options.not_empty,
    metavar="NUMBER",
    help="The port to listen on; 8080 unless said otherwise.",
)
@options.data_dir
@click.option(
    "--workers",
    envvar="AINFERA_WORKERS",
    callback=options.not_empty,
    metavar="NUMBER",
    help="How many processes answer requests; 1 unless said otherwise.",
)
@click.option(
    "--demo/--no-demo",
    # Without `envvar`: settings read AINFERA_DEMO, and say in one line what is wrong with it.
    default=None,
    help="Whether the first start signs up a demo agent and prints its key; it does unless"
    " AINFERA_DEMO is 0.",
)
def start(
    host: str | None,
    port: str | None,
    data_dir: str | None,
    workers: str | None,
    *,
    demo: bool | None,
) -> None:
    """Start a server, and everything it needs, until Ctrl-C or SIGTERM.

    Without AINFERA_DATABASE_URL it runs a PostgreSQL of its own in the data folder, and with the
    extra `local` a model that answers without any provider's key.
    """
    from ainfera_server.cli import starting

    said = None if demo is None else str(int(demo))
    starting.run(
        options.environment(host=host, port=port, data_dir=data_dir, workers=workers, demo=said)
    )
