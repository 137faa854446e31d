"""Which model names mean "choose for me"."""

import pytest

from ainfera_server.routing import targets


@pytest.mark.parametrize(
    "name", ["ainfera-inference", "ainfera-mithril", "ainfera-auto", "ainfera/auto"]
)
def test_every_name_for_choosing_is_the_one_target(name: str) -> None:
    assert targets.is_routed(name)
    assert targets.canonical(name) == "ainfera-inference"


@pytest.mark.parametrize("name", ["gpt-5-5", "Ainfera-Auto", "ainfera-inference ", "ainfera", ""])
def test_any_other_name_is_pinned_and_stays_as_it_is(name: str) -> None:
    assert not targets.is_routed(name)
    assert targets.canonical(name) == name
