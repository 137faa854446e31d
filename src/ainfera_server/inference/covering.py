"""Where an answer's price is above its hold: more is set aside first, if the owner allows that."""

from ainfera_server.gateway import Gateway
from ainfera_server.inference import holds
from ainfera_server.inference.job import HeldOffer, Job
from ainfera_server.money import UsdMicros


async def covered(gateway: Gateway, job: Job, held: HeldOffer, price: UsdMicros) -> HeldOffer:
    """The hold that the price is taken from, at most: what it does not cover is not charged."""
    if price <= held.amount or not job.gathered.call.payer.may_exceed_hold:
        return held
    return await holds.extended(gateway, job, held, price)
