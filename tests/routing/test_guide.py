"""The guide names everything that a caller may say and everything that a receipt may answer."""

from pathlib import Path

import pytest

from ainfera_server.routing import cells, policy, targets
from ainfera_server.routing.decision import RuleFired
from ainfera_server.routing.filters import DropReason
from ainfera_server.routing.task_type import TaskType

GUIDE = Path(__file__).parents[2].joinpath("docs", "guides", "routing.md").read_text("utf-8")
WORDS = (
    *targets.TARGETS,
    *TaskType,
    *DropReason,
    *RuleFired,
    *policy.QUALITY_TIERS,
    *cells.BANDS,
    *("min_quality", "quality_floor", "budget_cap_usd", "max_cost_usd", "latency_cap_ms"),
    *("routing_preference", "policy_name", "preset"),
)


@pytest.mark.parametrize("word", sorted(set(WORDS)))
def test_the_guide_names_every_word_of_routing(word: str) -> None:
    assert f"`{word}`" in GUIDE or f".{word}`" in GUIDE
