"""The words of the product, for people and agents who want to know what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ainfera_server.api.answers import Shown

VERSION = "1.0"
NAMESPACE = "https://ainfera.ai/ontology#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One of the five layers that the product is spoken of in."""

    code: str
    name: str
    meaning: str


LAYERS: tuple[Layer, ...] = (
    Layer(code="L1", name="identity", meaning="Tenants, agents, API keys and signed cards."),
    Layer(code="L2", name="routing", meaning="The cheapest offer that clears the quality floor."),
    Layer(code="L3", name="settlement", meaning="Prepaid wallets, holds, caps and receipts."),
    Layer(code="L4", name="audit", meaning="Hash-chained, signed events that anybody can verify."),
    Layer(code="L5", name="learning", meaning="Outcomes of answers, replayed before they count."),
)

ENTITIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Tenant": ("L1", "Whoever owns agents and pays for them."),
        "Agent": ("L1", "A program that asks models, with its own wallet, limits and chain."),
        "AgentCard": ("L1", "Who an agent is, as a JWS under the agent's own key."),
        "Model": ("L2", "Something that answers, whoever serves it."),
        "Provider": ("L2", "Somebody we call: a vendor, or the model on this machine."),
        "Inference": ("L2", "One request to a model, from its decision to its receipt."),
        "Wallet": ("L3", "An agent's prepaid money; what is held for running calls included."),
        "SpendPolicy": ("L3", "What an owner allows an agent: how much, which models and where."),
        "Receipt": ("L3", "The signed proof of one call or refusal: what, who, how much and why."),
        "AuditEvent": ("L4", "Something that happened to an agent, hashed and signed."),
        "AuditChain": ("L4", "An agent's events, each sealing all before it."),
    }
)

TERMS: Mapping[str, str] = MappingProxyType(
    {
        "account": "A side of a transfer: an agent's wallet, or one of its tenant's accounts.",
        "agent": ENTITIES["Agent"][1],
        "agent-card": ENTITIES["AgentCard"][1],
        "alias": 'Another name for the target that means "choose for me".',
        "api-key": "What opens a tenant's things. It is shown once; only a keyed hash is kept.",
        "attempt": "One offer tried for an inference.",
        "audit-chain": ENTITIES["AuditChain"][1],
        "audit-event": ENTITIES["AuditEvent"][1],
        "candidate": "An offer that a decision looks at.",
        "canonical-uri": "An agent's address in the public directory.",
        "cap": "A limit on a call, a UTC day or month, a session, a sub-agent or a whole tenant.",
        "checkpoint": "The size and root of the public log at a moment, signed by the log.",
        "cosignature": "What a witness writes under a checkpoint that continues what it saw.",
        "coverage-cell": "A kind of work, a model and a family of policies.",
        "decision": "The order in which offers are tried, and everything dropped, with reasons.",
        "dialect": "A language that an API speaks: ours, OpenAI's or Anthropic's.",
        "drop-reason": "The rule that took a candidate out of a decision.",
        "fallback": "An answer by another offer than the decision's first.",
        "hold": "Money set aside before a call, the most that it may cost.",
        "inference": ENTITIES["Inference"][1],
        "ledger": "A wallet's entries, each with the balance after it; none is ever changed.",
        "model": ENTITIES["Model"][1],
        "offer": "A model at a provider at a price.",
        "outcome": "How an answer turned out, from 0 to 1.",
        "pinned": "Said of a request that names one model: there is nothing to decide.",
        "pool": "A tenant's money behind its agents' wallets; it pays where a wallet cannot.",
        "price-book": "All prices that answers are charged by, as one version.",
        "provider": ENTITIES["Provider"][1],
        "public-log": "A commitment to each event of everybody, numbered without gaps.",
        "quality-floor": "The least quality that a routed request accepts, from 0 to 1.",
        "quality-prior": "What is known of a model's quality before its own outcomes are.",
        "receipt": ENTITIES["Receipt"][1],
        "release": "Giving back what was held for a call that cost nothing.",
        "routed": "Said of a request that leaves the choice of the model to the server.",
        "ruleset-hash": "A fingerprint of the rules that made a decision.",
        "retention": "For how long a tenant wants its words kept; without its word, not at all.",
        "session": "Calls that belong together, by the name that their caller gives them.",
        "settle": "Taking what an answer cost out of what was held for it.",
        "snapshot": "Everything that a decision may know, kept so that it can be made again.",
        "spend-policy": ENTITIES["SpendPolicy"][1],
        "sub-agent": "An agent within a session that another one started, with a cap of its own.",
        "target": 'A model name that means "choose for me".',
        "tenant": ENTITIES["Tenant"][1],
        "transfer": "Money that moves between two accounts, the only way it moves.",
        "wallet": ENTITIES["Wallet"][1],
        "witness": "Somebody else who signs checkpoints, and only those that continue the log.",
    }
)

CONCEPTS: Mapping[str, str] = MappingProxyType(
    {
        "agent": """# Agent

An agent is a program that asks models. It has a wallet, a spend policy, a signed card and an audit
chain of its own. `POST /v1/agents/signup` makes the first agent of a new tenant and shows its key
once; `POST /v1/agents/register` adds more. A key acts for its own agent unless a request names
another agent of the same tenant.
""",
        "agent-card": """# Agent card

A card says who an agent is, as a compact JWS (RFC 7515) under the agent's own key, ES256 unless the
operator chose EdDSA. `GET /v1/agents/{id}/card` shows the current card, `POST` mints another, and
`POST /v1/agents/cards/verify` checks any card against the key on record, which anybody can read at
`GET /v1/agents/{id}/pubkey`. `POST /v1/agents/{id}/card/rotate` gives the agent a new key; cards of
the one before count until the overlap ends. `GET /v1/agents/{id}/card/keys` lists them all.
""",
        "inference": """# Inference

An inference is one request to a model. For the target `ainfera-inference` the server decides: of
all offers that clear the quality floor, the budget and the latency, the cheapest is asked first,
and the next one when it fails before its first byte. For any other name that model is asked. The
most that the answer may cost is held first; what it did cost is settled afterwards, with a receipt.
`GET /v1/inferences/{id}/decision` shows every candidate and why it was dropped.
""",
        "wallet": """# Wallet

A wallet holds an agent's prepaid money in millionths of a US dollar. `balance_usd` is all that is
in it, `held_usd` what is set aside for calls that run, `available_usd` what may still be spent. No
call can overdraw it: the check is made on the locked row, in the write that holds the money. The
ledger has one line for each movement, with the balance after it. What a wallet cannot pay for, its
tenant's pool can, unless the tenant wants each agent left to its own. Caps limit a call, a day, a
month, a session and a sub-agent; a refusal says what remains and when it comes back.
""",
        "audit-chain": """# Audit chain

Everything that happens to an agent is an event. An event's hash is the SHA-256 of the previous
event's hash, as hex text, followed by the canonical JSON of its payload, so nothing before it can
be changed unseen; each is also signed. `GET /v1/audit/{id}` reads the chain, and
`GET /v1/audit/{id}/verify` checks it for anybody. Payloads hold hashes, ids and amounts, never what
was asked or answered. `GET /v1/audit/{id}/export` is the chain as one file that can be checked
offline, and the public log under `/log/` commits to every event of every chain.
""",
    }
)


def ontology() -> dict[str, Shown]:
    """The vocabulary as JSON-LD."""
    graph: list[Shown] = [
        {
            "@id": f"ainfera:{layer.code}",
            "@type": "ainfera:Layer",
            "name": layer.name,
            "description": layer.meaning,
        }
        for layer in LAYERS
    ]
    graph += [
        {
            "@id": f"ainfera:{name}",
            "@type": "ainfera:Entity",
            "layer": {"@id": f"ainfera:{layer}"},
            "description": meaning,
        }
        for name, (layer, meaning) in ENTITIES.items()
    ]
    return {
        "@context": {
            "ainfera": NAMESPACE,
            "name": "https://schema.org/name",
            "description": "https://schema.org/description",
            "layer": {"@id": "ainfera:layer", "@type": "@id"},
        },
        "@id": NAMESPACE,
        "version": VERSION,
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "terms": sorted(TERMS),
        "concepts": sorted(CONCEPTS),
        "@graph": graph,
    }
