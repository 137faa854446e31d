"""What a caller could still afford, for the refusal to name."""

from ainfera_server.gateway import Gateway
from ainfera_server.inference import suitable
from ainfera_server.inference.job import Job
from ainfera_server.money import UsdMicros


def cheapest_within(gateway: Gateway, job: Job, limit: UsdMicros) -> str | None:
    """The model that would cost least, if even at its worst it fits; None when none does.

    What a routed call may be offered are its own offers; instead of a pinned model only what
    the owner allows, clears the agent's floor and can take the request.
    """
    gathered, call = job.gathered, job.gathered.call
    is_routed = job.decided is not None
    most_of = suitable.most_it_may_cost(
        gateway,
        call.request,
        input_tokens_most=gathered.input_tokens_most,
        max_tokens=gathered.max_tokens,
    )
    return suitable.cheapest(
        job.offers if is_routed else suitable.worth_naming(gateway, call.payer, call.request),
        most_of,
        limit=limit,
    )
