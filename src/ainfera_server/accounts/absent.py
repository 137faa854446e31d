"""The one sentence for each kind of thing that is not there.

Missing and somebody else's get the same words, so that nobody can tell which.
"""

from ainfera_server.errors import NotFound


def agent() -> NotFound:
    """No agent that the caller may see."""
    return NotFound("There is no such agent.", resource="agent")


def tenant() -> NotFound:
    """No tenant that the caller may see."""
    return NotFound("There is no such tenant.", resource="tenant")


def api_key() -> NotFound:
    """No key that the caller may see."""
    return NotFound("There is no such API key.", resource="api_key")


def inference() -> NotFound:
    """No inference that the caller may see."""
    return NotFound("There is no such inference.", resource="inference")


def decision() -> NotFound:
    """No inference, or none with a decision, that the caller may see."""
    return NotFound("There is no decision recorded under this id.", resource="decision")


def content() -> NotFound:
    """Nothing kept of an inference that the caller may see; nobody can tell why."""
    return NotFound("Nothing is kept of an inference with this id.", resource="content")


def receipt() -> NotFound:
    """No receipt that the caller may see."""
    return NotFound("There is no such receipt.", resource="receipt")


def owner() -> NotFound:
    """No owner of this handle whose agents the caller may see."""
    return NotFound("There is no such user.", resource="user")
