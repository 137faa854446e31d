"""The report for auditors can be read anywhere, and nothing in it is anybody's script."""

import base64
import hashlib
import html as html_module
import re
from dataclasses import replace
from typing import Any

from ainfera_server.api import annex_iv_page
from ainfera_server.audit import annex_iv
from ainfera_server.audit.chain import GENESIS, Verdict
from tests.audit import auditors_records, test_chain
from tests.audit.auditors_records import MOMENT
from tests.promises import proves
from tests.running_server import RunningServer, json_of

CANARY = "<script src=//evil.example>alert(1)</script>'\"&{{ 7 * 7 }}<img onerror=x>"
READ_BY_US = re.compile(r"-?\d+\.\d{6}|\d{4}-\d\d-\d\dT[\d:.]+Z")
"""Amounts and moments, which never are anybody's words."""
LINKS = test_chain.linked({"n": 0}, {"n": 1})


def document(**changes: Any) -> dict[str, Any]:
    record = replace(auditors_records.record(LINKS), **changes)
    return annex_iv.document(record, generated_at=MOMENT, url="https://gateway.example")


def poisoned(value: Any) -> Any:
    """The same document, as if whoever wrote any word of it meant harm."""
    match value:
        case str():
            return value if READ_BY_US.fullmatch(value) else CANARY
        case list():
            return [poisoned(one) for one in value]
        case dict():
            return {name: poisoned(one) for name, one in value.items()}
        case _:
            return value


def test_no_word_of_the_record_becomes_a_part_of_the_page() -> None:
    clean, page = (annex_iv_page.rendered(one) for one in (document(), poisoned(document())))
    tags = re.compile(r"<[^>]*>")
    assert CANARY in html_module.unescape(page)
    assert "<script" not in page
    assert "<img" not in page
    assert "onerror=x>" not in page
    assert "49" not in set(re.findall(r"\d+", html_module.unescape(page))) - set(
        re.findall(r"\d+", clean)
    )
    assert tags.findall(page) == tags.findall(clean)


@proves("annex-iv-readable")
def test_the_page_asks_for_nothing_and_allows_only_its_own_style() -> None:
    page = annex_iv_page.rendered(document())
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    for policy in (annex_iv_page.POLICY, annex_iv_page.HEADERS["content-security-policy"]):
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert f'content="{annex_iv_page.POLICY}"' in html_module.unescape(page)
    for forbidden in ("<script", "<link", "<img", "<iframe", " src=", " href=", "style=", "url("):
        assert forbidden not in page


def test_a_broken_record_says_so_first() -> None:
    broken = Verdict(valid=False, head=GENESIS, failure_seq=1, failure_reason="event_hash_mismatch")
    page = annex_iv_page.rendered(document(verdict=broken))
    assert "The record is broken." in page
    assert "Event 1 does not hold: event hash mismatch." in page
    assert "The record is whole." not in page


def test_a_newcomers_report_can_be_written_too() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("uses", "newest_uses", "models_used", "receipts", "policy_changes", "price_books"), ()
    )
    page = annex_iv_page.rendered(
        document(**nothing, rulesets=(), checkpoint=None, owner_contact=None)
    )
    assert "has not asked any model yet" in page
    assert "none was given" in page
    assert "no signed checkpoint" in page


@proves("annex-iv-readable")
def test_the_report_is_served_to_whoever_asks_for_html(server: RunningServer) -> None:
    question = {"role": "user", "content": "Hello."}
    asked = {"model": "ainfera-inference", "messages": [question], "max_tokens": 20}
    answer = json_of(server.post("/v1/inference", asked))
    url = f"/v1/audit/{server.agent.agent_id}/annex-iv"
    by_name = server.get(f"{url}?format=html")
    by_header = server.get(url, accept="text/html,application/xhtml+xml")
    for page in (by_name, by_header):
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert "The record is whole." in page.text
        assert answer["model_used"] in page.text
    for asks_for_json in (server.get(url), server.get(f"{url}?format=json", accept="text/html")):
        export = json_of(asks_for_json)
        assert export["uses"]["newest"][0]["inference_id"] == answer["inference_id"]
        assert export["receipts"]["count"] == 1
        assert [one["status"] for one in export["keys"]["cards"]] == ["current"]
    assert server.get(f"{url}?format=pdf").status_code == 422
    stranger = server.sign_up("stranger")
    assert server.get(f"{url}?format=html", **stranger.headers).status_code == 404
