"""What is sealed opens as itself, in its own place, with its own key, and otherwise not at all."""

import itertools
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.accounts.sealing import NotSealed
from ainfera_server.contents import keeping
from ainfera_server.contents.keeping import Content, ContentPlace, KeyPlace, SealedContent
from ainfera_server.identifiers import InferenceId, TenantId

KEY = b"k" * 32
SERVER_KEY = b"s" * 32
ONE, OTHER = UUID(int=1), UUID(int=2)
PLACE = ContentPlace(tenant_id=TenantId(ONE), inference_id=InferenceId(ONE))
CONTENT = Content(request=b"asked", answer=b"told", salt=b"salt")


def sealed(content: Content, place: ContentPlace = PLACE) -> SealedContent:
    nonces = itertools.count()
    return keeping.seal(
        content, key=KEY, random=lambda size: next(nonces).to_bytes(size, "big"), place=place
    )


@given(st.binary(), st.binary(), st.binary(max_size=16))
def test_a_content_opens_as_it_was_sealed(request: bytes, answer: bytes, salt: bytes) -> None:
    content = Content(request=request, answer=answer, salt=salt)
    assert keeping.unseal(sealed(content), key=KEY, place=PLACE) == content


@pytest.mark.parametrize(
    "place",
    [
        ContentPlace(tenant_id=TenantId(OTHER), inference_id=InferenceId(ONE)),
        ContentPlace(tenant_id=TenantId(ONE), inference_id=InferenceId(OTHER)),
    ],
    ids=["another tenant", "another inference"],
)
def test_a_content_that_was_moved_does_not_open(place: ContentPlace) -> None:
    with pytest.raises(NotSealed):
        keeping.unseal(sealed(CONTENT), key=KEY, place=place)


def test_no_part_of_a_content_passes_for_another() -> None:
    kept = sealed(CONTENT)
    swapped = SealedContent(request=kept.answer, answer=kept.request, salt=kept.salt)
    with pytest.raises(NotSealed):
        keeping.unseal(swapped, key=KEY, place=PLACE)


def test_a_tenants_key_opens_in_its_own_row_with_the_servers_key_alone() -> None:
    place = KeyPlace(tenant_id=TenantId(ONE), key_id=ONE)
    kept = keeping.sealed_key(KEY, server_key=SERVER_KEY, nonce=b"n" * 12, place=place)

    assert keeping.opened_key(kept, server_key=SERVER_KEY, place=place) == KEY
    for server_key, tenant_id, key_id in (
        (b"t" * 32, ONE, ONE),
        (SERVER_KEY, OTHER, ONE),
        (SERVER_KEY, ONE, OTHER),
    ):
        elsewhere = KeyPlace(tenant_id=TenantId(tenant_id), key_id=key_id)
        with pytest.raises(NotSealed):
            keeping.opened_key(kept, server_key=server_key, place=elsewhere)


def test_neither_words_nor_keys_appear_in_what_is_printed() -> None:
    keeps = keeping.Keeping(days=30, key_id=ONE, sealed_key="sealed")
    assert "asked" not in repr(CONTENT)
    assert "sealed" not in repr(keeps).replace("sealed_key", "")


def test_a_request_and_its_answer_share_one_limit() -> None:
    most = keeping.CONTENT_BYTES_MAX
    assert not keeping.is_too_large(request_bytes=most - 1, answer_bytes=1)
    assert keeping.is_too_large(request_bytes=most, answer_bytes=1)
