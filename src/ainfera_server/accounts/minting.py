"""What an action is given to make identities: randomness, keys to hash and seal with, and terms."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ainfera_server.accounts.agent_cards import CardAlg
from ainfera_server.audit.recorder import Recorder
from ainfera_server.money import UsdMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class Minting:
    """`random` draws bytes, `pepper` hashes API keys, `sealing_key` seals the keys of cards."""

    recorder: Recorder
    random: Callable[[int], bytes]
    pepper: bytes = field(repr=False)
    sealing_key: bytes = field(repr=False)
    card_alg: CardAlg
    signup_grant: UsdMicros
