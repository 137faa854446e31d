"""Checks what a query cannot: that the events of every chain hash and were signed as they say."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import cast
from uuid import UUID

from ainfera_server.audit import chain
from ainfera_server.audit.chain import Head, Link
from ainfera_server.identifiers import AgentId, EventId, TenantId
from ainfera_server.selfcheck import verdicts
from ainfera_server.selfcheck.reading import Reader, Row
from ainfera_server.selfcheck.verdicts import Fault


def checked(reader: Reader, *, last: int | None) -> tuple[int, tuple[Fault, ...]]:
    """Check the last so many events of each chain, None for all; tells how many those were."""
    keys = public_keys(reader)
    count = 0
    broken: list[str] = []
    links = map(_link, reader.stream("last_links", last))
    for agent_id, ending in itertools.groupby(links, lambda link: link.agent_id):
        counted = _Counted(ending)
        failure = _failure(agent_id, counted, keys)
        count += counted.count
        if failure is not None:
            broken.append(failure)
    sentence = "an event hashes and was signed as it says"
    return count, verdicts.faults(sentence, broken)


def public_keys(reader: Reader) -> Mapping[str, str]:
    """What events and receipts are verified with, by the ids of the keys."""
    return {str(row["key_id"]): str(row["public_key_pem"]) for row in reader.rows("public_keys")}


class _Counted(Iterator[Link]):
    """Links on their way to the check."""

    def __init__(self, links: Iterator[Link]) -> None:
        self._links = links
        self.count = 0

    def __next__(self) -> Link:
        link = next(self._links)
        self.count += 1
        return link


def _failure(agent_id: AgentId, links: Iterator[Link], keys: Mapping[str, str]) -> str | None:
    """Where a chain breaks; what comes before its last events is taken as it is."""
    first = next(links)
    before = Head(seq=first.seq - 1, event_hash=first.previous_hash)
    verdict = chain.verify(
        itertools.chain((first,), links), agent_id=agent_id, public_key_pems=keys, after=before
    )
    if verdict.valid:
        return None
    return f"agent {agent_id} at {verdict.failure_seq} ({verdict.failure_reason})"


def _link(row: Row) -> Link:
    return Link(
        agent_id=AgentId(cast("UUID", row["agent_id"])),
        seq=cast("int", row["seq"]),
        event_id=EventId(cast("UUID", row["event_id"])),
        tenant_id=TenantId(cast("UUID", row["tenant_id"])),
        event_type=str(row["event_type"]),
        payload=str(row["payload"]),
        previous_hash=cast("str | None", row["previous_hash"]),
        event_hash=str(row["event_hash"]),
        key_id=str(row["key_id"]),
        signature=str(row["signature"]),
        created_at=cast("datetime", row["created_at"]),
    )
