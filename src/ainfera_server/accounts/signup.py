"""What a newcomer asks for, read and checked before anything is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ainfera_server.accounts import names
from ainfera_server.accounts.store import OwnerSource
from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid
from ainfera_server.wallet import policy, policy_changes
from ainfera_server.wallet.policy import SpendPolicy
from ainfera_server.wallet.policy_changes import KnownNames

OWNER_HANDLE_DEFAULT = "agents"
"""The owner's name in the address of an agent whose owner gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signup:
    """A newcomer's wishes, in order; `owner_contact` and `wallet_address` may not be known."""

    agent_handle: str
    owner_handle: str = OWNER_HANDLE_DEFAULT
    owner_source: OwnerSource = "anonymous"
    owner_contact: str | None = None
    tenant_name: str | None = None
    spend_policy: SpendPolicy = policy.NOTHING_DECIDED
    wallet_address: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])


def parse(asked: Mapping[str, Json], known: KnownNames = policy_changes.NO_NAMES) -> Signup:
    """Read a signup's body; names we do not know are ignored. Raises Invalid.

    `known` is what a list of allowed models or providers may name.
    """
    handle = _text(asked, "agent_handle") or _text(asked, "name")
    if handle is None:
        raise Invalid("agent_handle is missing.", param="agent_handle")
    contact = _text(asked, "owner_contact")
    address = _text(asked, "wallet_address")
    metadata = asked.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise Invalid("metadata must be an object.", param="metadata")
    return Signup(
        agent_handle=names.handle(handle, param="agent_handle"),
        owner_handle=names.handle(
            _text(asked, "owner_handle") or OWNER_HANDLE_DEFAULT, param="owner_handle"
        ),
        owner_source=_owner_source(_text(asked, "owner_source")),
        owner_contact=None if contact is None else names.contact(contact, param="owner_contact"),
        spend_policy=policy_changes.changed(
            policy.NOTHING_DECIDED, policy_changes.parse(asked, known)
        ),
        wallet_address=(
            None if address is None else names.wallet_address(address, param="wallet_address")
        ),
        metadata=names.metadata(metadata, param="metadata"),
    )


def _owner_source(text: str | None) -> Literal["anonymous", "github_user"]:
    match text:
        case None | "anonymous":
            return "anonymous"
        case "github_user":
            return "github_user"
        case _:
            raise Invalid("owner_source must be anonymous or github_user.", param="owner_source")


def _text(asked: Mapping[str, Json], param: str) -> str | None:
    value = asked.get(param)
    if value is None or isinstance(value, str):
        return value
    raise Invalid(f"{param} must be text.", param=param)
