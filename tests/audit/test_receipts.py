"""A receipt says everything, exactly, and cannot be changed."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from ainfera_server.audit import receipts, signing
from ainfera_server.audit.receipts import Attempt, Receipt
from ainfera_server.conversation import Usage
from ainfera_server.identifiers import AgentId, InferenceId, ReceiptId, TenantId, TransferId
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok
from tests.promises import proves

SIGNER = signing.signer(b"r" * 32)
RECEIPT = Receipt(
    receipt_id=ReceiptId(UUID(int=1)),
    inference_id=InferenceId(UUID(int=2)),
    tenant_id=TenantId(UUID(int=3)),
    agent_id=AgentId(UUID(int=4)),
    outcome="succeeded",
    billing_rule="answer_delivered",
    model_asked="ainfera-inference",
    model_served="claude-haiku-4-5",
    offer="claude-haiku-4-5",
    provider="anthropic",
    usage=Usage(input_tokens=17, output_tokens=6),
    usage_source="provider",
    prices={"input": UsdMicrosPerMtok(1_000_000), "output": UsdMicrosPerMtok(5_000_000)},
    price_book_version="book",
    cost=UsdMicros(47),
    provider_cost=UsdMicros(44),
    margin=UsdMicros(3),
    margin_rate=Decimal("0.05"),
    held=UsdMicros(20_017),
    transfer_id=TransferId(UUID(int=5)),
    attempts=(
        Attempt(
            offer="claude-haiku-4-5",
            provider="anthropic",
            result="succeeded",
            upstream_status=200,
            latency_ms=310,
        ),
    ),
    prompt_hash=receipts.content_hash(b"salt", b"prompt"),
    response_hash=receipts.content_hash(b"salt", b"answer"),
    fields_not_carried=("logit_bias",),
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def test_money_on_a_receipt_is_decimal_text() -> None:
    body = json.loads(receipts.encode(RECEIPT))
    assert body["cost_usd"] == "0.000047"
    assert body["provider_cost_usd"] == "0.000044"
    assert body["margin_usd"] == "0.000003"
    assert body["margin_rate"] == "0.05"
    assert body["held_usd"] == "0.020017"
    assert body["prices_usd_per_mtok"] == {"input": "1", "output": "5"}
    assert body["usage"]["input_tokens"] == 17


def test_every_class_of_tokens_is_on_a_receipt() -> None:
    counts = dict(zip(Usage.__dataclass_fields__, range(1, 9), strict=False))
    body = json.loads(receipts.encode(replace(RECEIPT, usage=Usage(**counts))))
    assert body["usage"] == counts


def test_every_field_of_a_receipt_is_written() -> None:
    renamed = {
        "cost": "cost_usd",
        "held": "held_usd",
        "provider_cost": "provider_cost_usd",
        "margin": "margin_usd",
        "web_search_price": "web_search_usd",
        "prices": "prices_usd_per_mtok",
    }
    fields = {renamed.get(name, name) for name in Receipt.__dataclass_fields__}
    assert set(json.loads(receipts.encode(RECEIPT))) == fields | {"schema"}


def test_a_receipt_whose_parts_are_not_its_whole_cannot_be_made() -> None:
    with pytest.raises(AssertionError):
        replace(RECEIPT, margin=UsdMicros(4))
    with pytest.raises(AssertionError):
        replace(RECEIPT, outcome="refused")


def test_the_same_receipt_has_the_same_bytes() -> None:
    assert receipts.encode(RECEIPT) == receipts.encode(replace(RECEIPT))


@proves("receipts-verify-without-us")
def test_a_signed_receipt_is_genuine_until_a_character_changes() -> None:
    signed = receipts.sign(RECEIPT, SIGNER)
    pem = SIGNER.public_key_pem
    assert receipts.is_genuine(signed, public_key_pem=pem)
    cheaper = replace(signed, body=signed.body.replace("0.000047", "0.000046"))
    assert not receipts.is_genuine(cheaper, public_key_pem=pem)
    assert not receipts.is_genuine(replace(signed, sha256="0" * 64), public_key_pem=pem)


def test_the_same_words_under_another_salt_have_another_hash() -> None:
    assert receipts.content_hash(b"a", b"yes") != receipts.content_hash(b"b", b"yes")
