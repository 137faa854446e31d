"""The values that no dialect allows, each refused with its place."""

from collections.abc import Sized

from ainfera_server.errors import Invalid

MODEL_CHARACTERS_MAX = 200
TOKENS_MAX = 2**31 - 1
"""More than any model writes, and small enough to be multiplied by a price."""


def check_model(model: str) -> None:
    """A model has a name, and one that can be shown. Raises Invalid."""
    if not model.strip():
        raise Invalid("`model` names a model; it may not be empty.", param="model")
    if not model.isprintable():
        hidden = next(one for one in model if not one.isprintable())
        raise Invalid(
            f"`model` holds U+{ord(hidden):04X}; a name has no control characters or others that"
            " cannot be seen.",
            param="model",
        )
    if len(model) > MODEL_CHARACTERS_MAX:
        raise Invalid(f"`model` has more than {MODEL_CHARACTERS_MAX} characters.", param="model")


def check_messages(messages: Sized) -> None:
    """Whoever asks says something. Raises Invalid."""
    if not messages:
        raise Invalid("`messages` holds at least one message.", param="messages")


def check_limit(name: str, limit: int | None) -> None:
    """An answer has at least one token. Raises Invalid."""
    if limit is not None and not 1 <= limit <= TOKENS_MAX:
        raise Invalid(f"`{name}` lies between 1 and {TOKENS_MAX}.", param=name)


def check_sampling(*, temperature: float | None, top_p: float | None, top_k: int | None) -> None:
    """How the dice may be steered; how far a temperature goes, each vendor says. Raises Invalid."""
    if temperature is not None and temperature < 0:
        raise Invalid("`temperature` may not be below 0.", param="temperature")
    if top_p is not None and not 0 <= top_p <= 1:
        raise Invalid("`top_p` lies between 0 and 1.", param="top_p")
    if top_k is not None and not 0 <= top_k <= TOKENS_MAX:
        raise Invalid("`top_k` may not be below 0.", param="top_k")
