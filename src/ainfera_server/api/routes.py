"""Every path of the HTTP API, in one list: what it asks for first, and what answers."""

from collections.abc import Awaitable, Callable

from fastapi.responses import Response

from ainfera_server.api import (
    agents,
    annex_iv,
    audit,
    cards,
    catalog,
    count_tokens,
    discovery,
    exports,
    inferences,
    keys,
    log,
    openapi,
    outcomes,
    probes,
    receipts,
    retention,
    tenants,
    usage,
    wallets,
)
from ainfera_server.api.route import AnyRoute, InferenceRoute, Route, UnbuiltRoute

Answer = Callable[..., Awaitable[Response]]


def every_route() -> tuple[AnyRoute, ...]:
    """All there is; whatever is not here is a 404."""
    return (*ROUTES, *INFERENCE_ROUTES, *UNBUILT_ROUTES)


def _public(line: str, answer: Answer, tag: str, status: int = 200) -> Route:
    """A route for everybody."""
    method, path = line.split(" ")
    return Route(method=method, path=path, answer=answer, opens="public", tag=tag, status=status)


def _keyed(line: str, answer: Answer, tag: str, status: int = 200) -> Route:
    """A route that nothing is looked up for without a key, of whatever scope."""
    method, path = line.split(" ")
    return Route(method=method, path=path, answer=answer, opens="key", tag=tag, status=status)


def _owners(line: str, answer: Answer, tag: str, status: int = 200) -> Route:
    """A route that changes what an agent could use to lift its own limits, or to hide a trace."""
    method, path = line.split(" ")
    return Route(method=method, path=path, answer=answer, opens="owner", tag=tag, status=status)


def _unbuilt(line: str, sentence: str) -> UnbuiltRoute:
    method, path = line.split(" ")
    return UnbuiltRoute(method=method, path=path, sentence=sentence)


ROUTES: tuple[Route, ...] = (
    _public("GET /", discovery.index, "discovery"),
    _public("GET /llms.txt", discovery.llms_txt, "discovery"),
    _public("GET /.well-known/agent-card.json", discovery.agent_card, "discovery"),
    _public("GET /.well-known/mcp.json", discovery.mcp, "discovery"),
    _public("GET /.well-known/ainfera-public-key.json", discovery.public_keys, "discovery"),
    _public("GET /api/audit-ticker", discovery.audit_ticker, "discovery"),
    _public("GET /ontology.json", discovery.ontology, "discovery"),
    _public("GET /glossary/{term}.json", discovery.term, "discovery"),
    _public("GET /concepts/{entity}.md", discovery.concept, "discovery"),
    _public("GET /openapi.json", openapi.show_document, "discovery"),
    _public("GET /docs", openapi.show_page, "discovery"),
    _public("GET /health", probes.health, "probes"),
    _public("GET /v1/health", probes.health, "probes"),
    _public("GET /livez", probes.livez, "probes"),
    _public("GET /api/hello", probes.livez, "probes"),
    _public("GET /readyz", probes.readyz, "probes"),
    _public("GET /startupz", probes.startupz, "probes"),
    _public("GET /metrics", probes.metrics, "probes"),
    _public("GET /v1/models", catalog.list_models, "catalog"),
    _public("GET /v1/models/{model_id:path}", catalog.get_model, "catalog"),
    _public("GET /v1/providers", catalog.list_providers, "catalog"),
    Route(
        method="POST",
        path="/v1/messages/count_tokens",
        answer=count_tokens.count_tokens,
        opens="key",
        tag="inference",
        takes_prompts=True,
    ),
    _public("POST /v1/tenants/register", tenants.register_tenant, "tenants", status=201),
    _keyed("GET /v1/tenants/{tenant_id}", tenants.get_tenant, "tenants"),
    _keyed("GET /v1/tenants/{tenant_id}/spend-policy", tenants.get_spend_policy, "tenants"),
    _owners("PATCH /v1/tenants/{tenant_id}/spend-policy", tenants.change_spend_policy, "tenants"),
    _keyed("GET /v1/tenants/{tenant_id}/retention", retention.get_retention, "retention"),
    _owners("PUT /v1/tenants/{tenant_id}/retention", retention.change_retention, "retention"),
    _public("POST /v1/agents/signup", agents.sign_up, "agent-signup", status=201),
    _owners("POST /v1/agents/register", agents.register_agent, "agents", status=201),
    _keyed("GET /v1/agents", agents.list_agents, "agents"),
    _keyed("GET /v1/agents/{agent_id}", agents.get_agent, "agents"),
    _keyed("GET /v1/agents/{agent_id}/metrics", agents.agent_metrics, "agents"),
    _owners("PATCH /v1/agents/{agent_id}/spend-policy", agents.change_spend_policy, "agents"),
    _owners("POST /v1/agents/{agent_id}/spend-policy", agents.change_spend_policy, "agents"),
    _keyed("GET /v1/agents/{agent_id}/card", cards.get_card, "agent-cards"),
    _owners("POST /v1/agents/{agent_id}/card", cards.mint_card, "agent-cards"),
    _owners("POST /v1/agents/{agent_id}/card/rotate", cards.rotate_card, "agent-cards"),
    _public("GET /v1/agents/{agent_id}/card/keys", cards.public_keys, "agent-cards"),
    _keyed("POST /v1/agents/cards/verify", cards.verify_card, "agent-cards"),
    _public("GET /v1/agents/{agent_id}/pubkey", cards.public_key, "agent-cards"),
    _owners("POST /v1/keys", keys.create_key, "keys", status=201),
    _keyed("GET /v1/keys", keys.list_keys, "keys"),
    _owners("DELETE /v1/keys/{key_id}", keys.revoke_key, "keys"),
    _owners("POST /v1/wallets/topup", wallets.top_up, "wallets", status=201),
    _owners("POST /v1/wallets/move", wallets.move, "wallets", status=201),
    _keyed("GET /v1/wallets/pool", wallets.get_pool, "wallets"),
    _keyed("GET /v1/wallets/{agent_id}", wallets.get_wallet, "wallets"),
    _keyed("GET /v1/ledger/pool", wallets.get_pool_ledger, "wallets"),
    _keyed("GET /v1/ledger/{agent_id}", wallets.get_ledger, "wallets"),
    _keyed("GET /v1/inferences/{inference_id}", inferences.get_inference, "inferences"),
    _keyed("GET /v1/inferences/{inference_id}/decision", inferences.get_decision, "inferences"),
    _keyed("GET /v1/inferences/{inference_id}/content", retention.get_content, "retention"),
    _owners("DELETE /v1/inferences/{inference_id}/content", retention.delete_content, "retention"),
    _owners("DELETE /v1/tenants/{tenant_id}/content", retention.delete_contents, "retention"),
    _keyed("GET /v1/receipts/{receipt_id}", receipts.get_receipt, "inferences"),
    _keyed("POST /v1/outcomes", outcomes.record_outcome, "outcomes", status=201),
    _public("GET /v1/audit/public", audit.public_feed, "audit"),
    _public("GET /v1/audit/height", audit.public_height, "audit"),
    _keyed("GET /v1/audit/{agent_id}", audit.list_events, "audit"),
    _public("GET /v1/audit/{agent_id}/verify", audit.verify_chain, "audit"),
    _keyed("GET /v1/audit/{agent_id}/export", exports.export_chain, "audit"),
    _public("GET /v1/log/export", exports.export_log, "log"),
    _keyed("GET /v1/audit/{agent_id}/annex-iv", annex_iv.export, "audit"),
    _public("GET /log/checkpoint", log.newest_checkpoint, "log"),
    _public("GET /log/checkpoint/cosigned", log.newest_cosigned_checkpoint, "log"),
    _public("GET /log/checkpoint/{size}", log.checkpoint_of_size, "log"),
    _public("GET /log/tile/{tile:path}", log.tile, "log"),
    _public("GET /log/proof/inclusion", log.inclusion_proof, "log"),
    _public("GET /log/proof/consistency", log.consistency_proof, "log"),
    _public("POST /log/cosignature", log.bring_cosignature, "log"),
    _keyed("GET /v1/usage/daily", usage.daily, "usage"),
    _keyed("GET /v1/caps/rollup", usage.caps_rollup, "usage"),
    _keyed("GET /v1/users/github/me", usage.whoami, "users"),
    _keyed("GET /v1/users/{handle}/cell-coverage", usage.cell_coverage, "users"),
    _keyed("GET /v1/users/{handle}/wallets", usage.owner_wallets, "users"),
    _keyed("GET /v1/users/{handle}/agents", usage.owner_agents, "users"),
    _keyed("GET /v1/users/{handle}/dashboard", usage.owner_dashboard, "users"),
    _public("GET /v1/payments/status", usage.payments_status, "payments"),
)

INFERENCE_ROUTES: tuple[InferenceRoute, ...] = (
    InferenceRoute(
        path="/v1/inference",
        summary="Ask a model, and get a flat answer with its cost and receipt.",
        required=("model", "messages"),
    ),
    InferenceRoute(
        path="/v1/chat/completions",
        summary="Ask a model in the form of OpenAI's chat completions.",
        required=("model", "messages"),
    ),
    InferenceRoute(
        path="/v1/responses",
        summary="Ask a model in the form of OpenAI's Responses.",
        required=("model", "input"),
    ),
    InferenceRoute(
        path="/v1/messages",
        summary="Ask a model in the form of Anthropic's Messages.",
        required=("model", "messages", "max_tokens"),
    ),
)

UNBUILT_ROUTES: tuple[UnbuiltRoute, ...] = (
    _unbuilt("POST /v1/embeddings", "Embeddings are not served; only chat models are."),
    _unbuilt(
        "POST /v1/agents/install-from-local",
        "Installing needs a check of GitHub logins, which this server does not make; sign up with"
        " POST /v1/agents/signup.",
    ),
    _unbuilt(
        "GET /v1/users/github/connect",
        "Logging in through GitHub is not served; an API key says who you are.",
    ),
    _unbuilt(
        "GET /v1/users/github/api-key",
        "Logging in through GitHub is not served; POST /v1/keys makes another key.",
    ),
    _unbuilt(
        "GET /v1/routing-policy",
        "Stored routing policies are not served; send `routing_hint` with a request.",
    ),
    _unbuilt(
        "PUT /v1/routing-policy",
        "Stored routing policies are not served; send `routing_hint` with a request.",
    ),
    _unbuilt("POST /v1/labs/outcomes", "The labs' export of outcomes is not served."),
    _unbuilt(
        "POST /v1/admin/policy/publish", "Publishing learned policies over HTTP is not served."
    ),
)
