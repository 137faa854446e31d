"""What the server says of itself to whoever comes by: people, agents and crawlers."""

import base64
import hashlib

from fastapi import Request
from fastapi.responses import Response

from ainfera_server.api import answers, audit, openapi, vocabulary
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Opened
from ainfera_server.audit.public_log import log_store, notes
from ainfera_server.audit.public_log.log_store import Identity
from ainfera_server.errors import NotFound
from ainfera_server.gateway import Gateway
from ainfera_server.postgres import tenancy
from ainfera_server.routing import targets

MCP_URL = "https://mcp.ainfera.ai"
SHORT_CACHE = {"cache-control": "max-age=60"}
PUBLIC_HMAC_KEY = hashlib.sha256(b"ainfera public audit key, known to everybody").digest()
"""Published, so it proves nothing and protects nothing; older checks read that it is there."""

LLMS_TXT = """\
# Ainfera Inference

> One server between agents and models. Ask for the model `{target}` and the cheapest offer that
> clears your quality floor answers, paid from a prepaid wallet, with a signed receipt and a
> hash-chained audit trail. Ask for any other model by its name and it answers.

## Use it

- Sign up: POST {url}/v1/agents/signup with {{"agent_handle": "my-agent"}}; the answer has the key.
- OpenAI's SDK: base URL {url}/v1, your key as the API key, model `{target}`.
- Anthropic's SDK and Claude Code: base URL {url}, your key as the auth token, model `{target}`.
- Codex and OpenAI's Responses: POST {url}/v1/responses, same base URL and key.
- Our own API: POST {url}/v1/inference with `model` and `messages`.
- Count tokens before asking, for nothing: POST {url}/v1/messages/count_tokens.
- Every decision can be read: GET {url}/v1/inferences/{{id}}/decision.
- Every answer and every refusal has a signed receipt: GET {url}/v1/receipts/{{id}}.

## Read more

- [Every route]({url}/openapi.json)
- [Models and prices]({url}/v1/models)
- [Providers]({url}/v1/providers)
- [Vocabulary]({url}/ontology.json)
- [Public audit feed]({url}/v1/audit/public)
- [Public log, signed]({url}/log/checkpoint)
- [Hosted MCP server]({mcp_url}) (mcp.ainfera.ai)
"""


async def index(gateway: Opened) -> Response:
    """Say what this is and where to read on."""
    return answers.json(
        {
            "service": "Ainfera API",
            "version": openapi.server_version(),
            "api_version": openapi.API_VERSION,
            "default_model": targets.CANONICAL,
            "docs": f"{gateway.public_url}/docs",
            "openapi": f"{gateway.public_url}/openapi.json",
            "llms": f"{gateway.public_url}/llms.txt",
        }
    )


async def llms_txt(gateway: Opened) -> Response:
    """Say what this is to a language model."""
    text = LLMS_TXT.format(target=targets.CANONICAL, url=gateway.public_url, mcp_url=MCP_URL)
    return Response(text, media_type="text/plain", headers=SHORT_CACHE)


async def agent_card(request: Request, gateway: Opened) -> Response:
    """Show the service's own card: what it offers, layer by layer."""
    capabilities: list[Shown] = [
        {"layer": layer.code, "name": layer.name, "description": layer.meaning}
        for layer in vocabulary.LAYERS
    ]
    card: dict[str, Shown] = {
        "name": "Ainfera Inference",
        "description": openapi.DESCRIPTION,
        "url": gateway.public_url,
        "version": openapi.API_VERSION,
        "issued_at": answers.moment(request.app.state.started_at),
        "mcp_url": MCP_URL,
        "openapi_url": f"{gateway.public_url}/openapi.json",
        "default_model": targets.CANONICAL,
        "capabilities": capabilities,
        "products": [
            {
                "slug": targets.CANONICAL,
                "display_name": "Ainfera Inference",
                "domain": "agentic-inference",
                "facets": [
                    {"name": "routing", "layer": "L2"},
                    {"name": "settlement", "layer": "L3"},
                    {"name": "audit", "layer": "L4"},
                ],
            }
        ],
    }
    return answers.json(card, headers=SHORT_CACHE)


async def mcp() -> Response:
    """Say where the hosted MCP server is."""
    return answers.json({"status": "live", "available": True, "url": MCP_URL})


async def public_keys(gateway: Opened) -> Response:
    """Publish the keys that verify events and receipts, and the key of the public log."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        pems = await audit.public_key_pems(connection, gateway)
        identity = await log_store.identity(connection)
    keys: list[Shown] = [
        {"kid": key_id, "alg": "Ed25519", "public_key_pem": pem} for key_id, pem in pems.items()
    ]
    return answers.json(
        {
            "alg": "HMAC-SHA256",
            "hmac_key_b64": base64.b64encode(PUBLIC_HMAC_KEY).decode("ascii"),
            "note": "The HMAC key is public and signs nothing here; verify with `keys`.",
            "keys": keys,
            "log": None if identity is None else _log(gateway, identity),
        }
    )


def _log(gateway: Gateway, identity: Identity) -> Shown:
    """Who the log is, and where it is read; its name is no address."""
    key = notes.read_verifier_key(identity.verifier_key)
    return {
        "origin": identity.origin,
        "alg": "Ed25519",
        "verifier_key": key.text,
        "public_key_pem": key.public_key_pem,
        "url": f"{gateway.public_url}/log",
    }


async def audit_ticker(gateway: Opened) -> Response:
    """Tell how high the public log is."""
    return answers.json({"status": "ok", "chain_height": await audit.height(gateway)})


async def ontology() -> Response:
    """Read the vocabulary as JSON-LD."""
    return answers.json(vocabulary.ontology())


async def term(term: str) -> Response:
    """Look a word up."""
    found = vocabulary.TERMS.get(term)
    if found is None:
        raise NotFound("There is no such term. GET /ontology.json lists them.", resource="term")
    return answers.json({"term": term, "definition": found})


async def concept(request: Request, entity: str) -> Response:
    """Read a page about one idea: Markdown, or JSON for a client that accepts only that."""
    page = vocabulary.CONCEPTS.get(entity)
    if page is None:
        raise NotFound("There is no such concept. GET /ontology.json lists them.", resource="term")
    if "application/json" in request.headers.get("accept", ""):
        return answers.json({"entity": entity, "body": page})
    return Response(page, media_type="text/markdown")
