"""Prompts and answers are kept only for whoever wants it, can be checked, and can be deleted."""

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest

from ainfera_server.contents import keeping
from tests.conftest import Look
from tests.promises import proves
from tests.running_server import RunningServer, SignedUp, json_of
from tests.scripted_provider import ScriptedProvider

PATHS = ("/v1/inference", "/v1/chat/completions", "/v1/messages")
PROMPT = "The canary sings at half past nine."
ANSWER = "Nobody but the canary knows the tune."
ASK = {
    "model": "ainfera-inference",
    "messages": [{"role": "user", "content": PROMPT}],
    "max_tokens": 64,
}


def send(server: RunningServer, method: str, path: str, body: object = None) -> httpx.Response:
    return httpx.request(
        method, server.url + path, json=body, headers=server.agent.headers, timeout=30
    )


def choose(server: RunningServer, **chosen: object) -> httpx.Response:
    return send(server, "PUT", f"/v1/tenants/{server.agent.tenant_id}/retention", chosen)


def content_path(answer: httpx.Response) -> str:
    return f"/v1/inferences/{answer.headers['x-ainfera-inference-id']}/content"


def events(server: RunningServer) -> list[dict[str, Any]]:
    found = json_of(server.get(f"/v1/audit/{server.agent.agent_id}"))
    return [one["payload"] for one in found["events"]]


def octets(body: dict[str, str | None]) -> bytes:
    """What was sent, as it was sent."""
    if body["base64"] is not None:
        return base64.b64decode(body["base64"])
    assert body["text"] is not None
    return body["text"].encode()


@proves("nothing-is-kept-unasked")
def test_nothing_is_kept_unless_the_tenant_says_so(server: RunningServer, look: Look) -> None:
    path = f"/v1/tenants/{server.agent.tenant_id}/retention"
    assert json_of(server.get(path)) == {
        "tenant_id": server.agent.tenant_id,
        "store_content": False,
        "days": 30,
    }

    answer = server.post("/v1/chat/completions", ASK)

    assert answer.status_code == 200, answer.text
    assert look("select * from contents") == []
    assert look("select * from content_keys") == []
    assert server.get(content_path(answer)).status_code == 404


@proves("kept-words-match-the-receipt")
def test_what_is_kept_is_what_was_sent_and_matches_the_hashes_on_the_receipt(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.answers(ANSWER)
    assert choose(server, store_content=True).status_code == 200
    headers = {**server.agent.headers, "content-type": "application/json"}
    for path, streams in (*((one, False) for one in PATHS), *((one, True) for one in PATHS[1:])):
        body = json.dumps({**ASK, "stream": streams}).encode()
        answer = httpx.post(server.url + path, content=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text

        kept = json_of(server.get(content_path(answer)))

        assert kept["kept"] is True
        assert octets(kept["request"]) == body
        assert octets(kept["answer"]) == answer.content
        assert kept["request"]["media_type"] == "application/json"
        assert answer.headers["content-type"].startswith(kept["answer"]["media_type"])
        assert kept["salt"] == answer.headers["x-ainfera-content-salt"]
        receipt = json_of(server.get(f"/v1/receipts/{kept['receipt_id']}"))
        salt = bytes.fromhex(kept["salt"])
        assert hashlib.sha256(salt + body).hexdigest() == receipt["prompt_hash"]
        assert hashlib.sha256(salt + answer.content).hexdigest() == receipt["response_hash"]


@proves("nothing-is-kept-unasked")
def test_for_how_long_something_is_kept_is_what_was_chosen_when_it_was_asked(
    server: RunningServer, look: Look
) -> None:
    choose(server, store_content=True, days=7)
    server.post("/v1/chat/completions", ASK)
    choose(server, store_content=True, days=365)
    server.post("/v1/chat/completions", ASK)

    kept = look(
        "select round(extract(epoch from expires_at - now()) / 86400)::int as days"
        " from contents order by created_at"
    )
    assert kept == [{"days": 7}, {"days": 365}]


@proves("nothing-is-kept-unasked")
def test_whoever_wants_nothing_kept_any_more_is_heard_at_once(
    server: RunningServer, look: Look
) -> None:
    choose(server, store_content=True)
    kept = server.post("/v1/chat/completions", ASK)
    choose(server, store_content=False)

    answer = server.post("/v1/chat/completions", ASK)

    assert server.get(content_path(answer)).status_code == 404
    assert server.get(content_path(kept)).status_code == 200, "that was kept for its own time"
    assert len(look("select * from contents")) == 1


def test_a_choice_is_in_the_chain_once(server: RunningServer) -> None:
    for _ in range(2):
        assert json_of(choose(server, store_content=True, days=14))["days"] == 14

    told = [one for one in events(server) if one["event_type"] == "retention.updated"]

    assert [(one["before"], one["after"]) for one in told] == [
        ({"store_content": False, "days": 30}, {"store_content": True, "days": 14})
    ]


@proves("bad-input-changes-nothing")
def test_a_choice_that_is_none_is_refused(server: RunningServer) -> None:
    for wrong in ({}, {"store_content": "maybe"}, {"days": 7}):
        assert choose(server, **wrong).status_code == 422
    for days in (0, 366, -1, 1.5, "many", None):
        assert choose(server, store_content=True, days=days).status_code == 422
    path = f"/v1/tenants/{server.agent.tenant_id}/retention"
    assert json_of(server.get(path))["store_content"] is False


def test_one_content_is_deleted_for_good_and_the_chain_says_so_without_a_word(
    server: RunningServer, look: Look
) -> None:
    choose(server, store_content=True)
    answer, other = (server.post("/v1/chat/completions", ASK) for _ in range(2))
    sealed = {
        str(row["inference_id"]): row["sealed"]
        for row in look(
            "select inference_id, sealed_request || sealed_answer || sealed_salt as sealed"
            " from contents"
        )
    }

    assert send(server, "DELETE", content_path(answer)).status_code == 200

    missing = server.get(content_path(answer))
    assert missing.status_code == 404
    assert send(server, "DELETE", content_path(answer)).content == missing.content
    assert server.get(content_path(other)).status_code == 200
    last = events(server)[-1]
    assert last["event_type"] == "content.deleted"
    inference_id = answer.headers["x-ainfera-inference-id"]
    assert last["inference_id"] == inference_id
    assert last["sealed_sha256"] == hashlib.sha256(sealed[inference_id]).hexdigest()
    assert json_of(server.get(f"/v1/audit/{server.agent.agent_id}/verify"))["valid"] is True


@proves("deleted-content-cannot-be-read")
def test_everything_is_deleted_with_its_key_and_the_record_stays_whole(
    server: RunningServer, look: Look
) -> None:
    choose(server, store_content=True)
    answers = [server.post("/v1/chat/completions", ASK) for _ in range(3)]
    (before,) = look("select key_id, sealed_key from content_keys")

    everything = f"/v1/tenants/{server.agent.tenant_id}/content"
    said = json_of(send(server, "DELETE", everything))

    assert said["content_key_id"] == str(before["key_id"])
    assert said["contents_deleted"] == 3
    assert look("select * from contents") == []
    assert [server.get(content_path(one)).status_code for one in answers] == [404] * 3
    keys = look("select key_id, sealed_key from content_keys order by deleted_at nulls last")
    assert keys[0] == {"key_id": before["key_id"], "sealed_key": None}
    assert keys[1]["sealed_key"] not in {None, before["sealed_key"]}
    assert events(server)[-1]["content_key_id"] == str(before["key_id"])
    assert json_of(server.get(f"/v1/audit/{server.agent.agent_id}/verify"))["valid"] is True
    receipt_id = answers[0].headers["x-ainfera-receipt-id"]
    assert json_of(server.get(f"/v1/receipts/{receipt_id}"))["prompt_hash"]

    after = server.post("/v1/chat/completions", ASK)
    assert server.get(content_path(after)).status_code == 200, "the next one has a new key"


@proves("deleted-answers-stay-deleted")
def test_deleting_everything_also_deletes_what_a_repeated_call_would_get(
    server: RunningServer, look: Look
) -> None:
    first = server.post("/v1/chat/completions", ASK, idempotency_key="once")
    again = server.post("/v1/chat/completions", ASK, idempotency_key="once")
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    wallet = json_of(server.get(f"/v1/wallets/{server.agent.agent_id}"))

    everything = f"/v1/tenants/{server.agent.tenant_id}/content"
    said = json_of(send(server, "DELETE", everything))

    assert (said["stored_answers_deleted"], said["content_key_id"]) == (1, None)
    assert look("select state, answer_sealed from idempotency_keys") == [
        {"state": "deleted", "answer_sealed": None}
    ]
    assert events(server)[-1]["stored_answers_deleted"] == 1
    gone = server.post("/v1/chat/completions", ASK, idempotency_key="once")
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "answer_deleted")
    assert "salt" not in str(gone.headers)
    assert json_of(server.get(f"/v1/wallets/{server.agent.agent_id}")) == wallet
    assert json_of(send(server, "DELETE", everything))["stored_answers_deleted"] == 0


def test_deleting_what_is_kept_leaves_other_tenants_answers(
    server: RunningServer, look: Look
) -> None:
    server.post("/v1/chat/completions", ASK, idempotency_key="once")
    stranger = server.sign_up("stranger")
    everything = f"/v1/tenants/{stranger.tenant_id}/content"
    said = httpx.delete(server.url + everything, headers=stranger.headers, timeout=30)
    assert json_of(said)["stored_answers_deleted"] == 0
    assert look("select state from idempotency_keys") == [{"state": "answered"}]


def test_deleting_nothing_changes_nothing(server: RunningServer, look: Look) -> None:
    before = len(look("select * from audit_events"))
    everything = f"/v1/tenants/{server.agent.tenant_id}/content"
    said = json_of(send(server, "DELETE", everything))
    assert (said["content_key_id"], said["contents_deleted"]) == (None, 0)
    assert len(look("select * from audit_events")) == before


def test_what_is_too_large_is_left_out_whole_and_says_so(
    server: RunningServer, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(server, store_content=True)
    monkeypatch.setattr(keeping, "CONTENT_BYTES_MAX", 100)
    answer = server.post("/v1/chat/completions", ASK)

    said = json_of(server.get(content_path(answer)))

    assert (said["kept"], said["reason"], said["bytes_max"]) == (False, "too_large", 100)
    assert (said["request"], said["answer"], said["salt"]) == (None, None, None)
    assert look("select sealed_request, sealed_answer, sealed_salt from contents") == [
        {"sealed_request": None, "sealed_answer": None, "sealed_salt": None}
    ]
    assert send(server, "DELETE", content_path(answer)).status_code == 200


@proves("tenants-are-strangers")
def test_what_is_kept_is_nobody_elses_business(server: RunningServer) -> None:
    choose(server, store_content=True)
    answer = server.post("/v1/chat/completions", ASK)
    stranger: SignedUp = server.sign_up("stranger")

    for method in ("GET", "DELETE"):
        foreign = httpx.request(
            method, server.url + content_path(answer), headers=stranger.headers, timeout=30
        )
        assert foreign.status_code == 404
        assert PROMPT not in foreign.text
    assert server.get(content_path(answer)).status_code == 200
