"""Signing in, staying in, and everybody who should not get in."""

from datetime import timedelta

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from ainfera_server.dashboard import sessions
from ainfera_server.gateway import Gateway
from tests.dashboard.conftest import Browser, Doors

PAGES = ("/dashboard/overview", "/dashboard/calls")


def request_with(cookie: str) -> Request:
    """A request that carries a cookie."""
    headers = [(b"cookie", f"{sessions.COOKIE}={cookie}".encode())]
    return Request({"type": "http", "headers": headers})


async def test_without_a_session_there_is_only_the_form(stranger: Browser) -> None:
    for path in PAGES:
        page = await stranger.get(path)
        twin = await stranger.get(f"{path}.json")
        assert (page.status_code, page.headers["location"]) == (303, "/dashboard/sign-in")
        assert (twin.status_code, twin.json()["code"]) == (401, "unauthenticated")
    assert 'name="api_key"' in await stranger.reads("/dashboard/sign-in")


async def test_a_key_opens_a_session_and_is_nowhere_to_be_read(
    stranger: Browser, doors: Doors
) -> None:
    answer = await stranger.signs_in(doors.agent.api_key)
    cookie = answer.headers["set-cookie"]
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/overview")
    for flag in ("HttpOnly", "SameSite=strict", "Path=/dashboard", "Max-Age=43200"):
        assert flag in cookie
    assert "ainfera_" not in cookie.partition("=")[2]
    assert doors.agent.api_key not in await stranger.reads("/dashboard/overview")
    assert (await stranger.get("/dashboard")).headers["location"] == "/dashboard/overview"


@pytest.mark.parametrize("key", ["", "ainfera_wrong", "é", "x" * 300, "' or 1=1 --"])
async def test_a_wrong_key_opens_nothing_and_is_not_shown_again(
    stranger: Browser, key: str
) -> None:
    answer = await stranger.signs_in(key)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This key opens nothing" in answer.text
    assert not key or key not in answer.text


async def test_a_form_from_another_page_is_refused(doors: Doors) -> None:
    form = {"api_key": doors.agent.api_key}
    foreign = (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": doors.url},
        {"sec-fetch-site": "same-site"},
        {},
    )
    async with httpx.AsyncClient(base_url=doors.url) as client:
        for headers in foreign:
            for path in ("/dashboard/sign-in", "/dashboard/sign-out"):
                answer = await client.post(path, data=form, headers=headers)
                assert answer.status_code == 403, (path, headers)
                assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session_in_this_browser(browser: Browser) -> None:
    answer = await browser.post("/dashboard/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/sign-in")
    assert (await browser.get("/dashboard/overview")).status_code == 303


async def test_a_revoked_key_ends_its_sessions_at_once(browser: Browser, doors: Doors) -> None:
    key_id = doors.agent.api_key.split("_")[1]
    headers = dict(doors.agent.headers)
    async with httpx.AsyncClient(base_url=doors.url, headers=headers) as client:
        revoked = await client.delete(f"/v1/keys/{key_id}")
    assert revoked.status_code < 300, revoked.text
    assert (await browser.get("/dashboard/overview")).status_code == 303
    assert sessions.COOKIE not in browser.cookies


async def test_a_session_that_ended_or_was_changed_is_none(gateway: Gateway) -> None:
    session = sessions.begun(gateway, "ainfera_key")
    past = sessions.Session(api_key="ainfera_key", expires_at=gateway.now() - timedelta(seconds=1))
    good, ended = Response(), Response()
    sessions.write(gateway, session, good)
    sessions.write(gateway, past, ended)
    cookie = good.headers["set-cookie"].partition("=")[2].partition(";")[0]
    old = ended.headers["set-cookie"].partition("=")[2].partition(";")[0]
    assert sessions.read(gateway, request_with(cookie)) == session
    assert sessions.read(gateway, request_with(old)) is None
    for changed in (cookie[:-2] + "AA", cookie[4:], "", "%%%", "A"):
        assert sessions.read(gateway, request_with(changed)) is None


async def test_every_answer_keeps_browsers_honest(browser: Browser) -> None:
    for path in (*PAGES, "/dashboard/overview.json", "/dashboard/sign-in", "/dashboard/nowhere"):
        headers = (await browser.get(path)).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


async def test_pages_ask_for_nothing_outside_and_run_no_script(browser: Browser) -> None:
    for path in PAGES:
        html = await browser.reads(path)
        assert "http://" not in html
        assert "https://" not in html
        assert "<script" not in html
        assert "style=" not in html
        style = html.partition('rel="stylesheet" href="')[2].partition('"')[0]
        file = await browser.get(style)
        assert file.headers["content-type"].startswith("text/css")
        assert "immutable" in file.headers["cache-control"]
