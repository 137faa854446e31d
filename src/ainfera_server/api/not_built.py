"""The answer to what the API names and this version does not do: it says so."""

from ainfera_server.errors import RequestError


class NotBuilt(RequestError):
    """The API has this route, and this version of the server does not serve it yet."""

    kind = "not_built"
    status = 501
