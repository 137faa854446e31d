"""The command that prints what a client's environment needs."""

import click

from ainfera_server.cli import options


@click.command()
@options.data_dir
@options.as_json
def env(data_dir: str | None, *, as_json: bool) -> None:
    """Print the variables that point clients at the server.

    For a shell: `eval "$(ainfera-server env)"`. The key is that of AINFERA_API_KEY.
    """
    from ainfera_server.cli import output, reaching
    from ainfera_server.routing import targets

    url = reaching.url(options.settings(data_dir=data_dir))
    variables = {
        "AINFERA_BASE_URL": url,
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": "$AINFERA_API_KEY",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": "$AINFERA_API_KEY",
        "ANTHROPIC_MODEL": targets.CANONICAL,
    }
    if as_json:
        output.write([variables], as_json=True)
    else:
        for name, value in variables.items():
            click.echo(f'export {name}="{value}"')
