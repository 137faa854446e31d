"""The replay gate passes only what would have won somewhere and lost nowhere."""

from decimal import Decimal

import pytest

from ainfera_server.learning import replay
from ainfera_server.learning.replay import CellVerdict, GateVerdict, OutcomeRow, ReplayCell
from ainfera_server.money import UsdMicrosPerMtok
from ainfera_server.routing.snapshot import Candidate, FloorMode, Policy, RankingName, Snapshot
from ainfera_server.routing.task_type import TaskType, TaskTypeSource

CHEAP, DEAR = "cheap", "dear"


def offer(slug: str, dollars: int) -> Candidate:
    price = UsdMicrosPerMtok(dollars * 1_000_000)
    return Candidate(
        model_id=slug,
        model_slug=slug,
        brand_slug=slug,
        provider_slug=slug,
        q_prior=Decimal("0.8"),
        price_in=price,
        price_out=price,
        m_allowed=True,
    )


def choice(ranking: RankingName = "expected_cost", floor_mode: FloorMode = "serving") -> Snapshot:
    """The cheap one is chosen until something is learned: 2 dollars against 3."""
    return Snapshot(
        task_type=TaskType.CODE,
        task_type_source=TaskTypeSource.CALLER,
        tenant_id=None,
        input_tokens_estimate=100,
        max_tokens_reserved=100,
        candidates=(offer(CHEAP, 1), offer(DEAR, 2)),
        policy=Policy(min_quality=Decimal("0.5"), ranking=ranking, floor_mode=floor_mode),
        catalog_version="any",
    )


def rows(train: dict[str, str], holdout: dict[str, str]) -> tuple[OutcomeRow, ...]:
    """Twenty-eight answers to learn from, then twelve to judge by: seven tenths and three."""
    made = [
        OutcomeRow(
            tick=tick,
            row_id=f"{slug}-{tick}-{number}",
            model_slug=slug,
            succeeded=True,
            reward=Decimal(reward),
        )
        for tick, rewards, count in ((1, train, 28), (2, holdout, 12))
        for slug, reward in rewards.items()
        for number in range(count // len(rewards))
    ]
    return tuple(made)


def cell(
    rows_of_it: tuple[OutcomeRow, ...], snapshot: Snapshot | None = None, name: str = "cell"
) -> ReplayCell:
    return ReplayCell(cell=name, snapshot=snapshot or choice(), rows=rows_of_it)


LEARN_DEAR = {CHEAP: "0.2", DEAR: "0.9"}
WIN = cell(rows(LEARN_DEAR, {CHEAP: "0.2", DEAR: "0.9"}))
REGRESSION = cell(rows(LEARN_DEAR, {CHEAP: "0.9", DEAR: "0.2"}), name="other")
COLLAPSE = cell(
    rows({CHEAP: "0.1", DEAR: "0.1"}, {CHEAP: "0.1", DEAR: "0.1"}),
    choice(floor_mode="legacy"),
    name="collapsed",
)


def verdict_of(one: ReplayCell) -> CellVerdict:
    return replay.replayed([one]).cells[0].verdict


@pytest.mark.parametrize(
    ("holdout", "verdict"),
    [
        ({CHEAP: "0.50", DEAR: "0.55"}, CellVerdict.LINUCB_WIN),
        ({CHEAP: "0.50", DEAR: "0.54"}, CellVerdict.TIE),
        ({CHEAP: "0.50", DEAR: "0.46"}, CellVerdict.TIE),
        ({CHEAP: "0.50", DEAR: "0.45"}, CellVerdict.LINUCB_REGRESSION),
    ],
)
def test_a_changed_choice_is_judged_on_the_later_rows(
    holdout: dict[str, str], verdict: CellVerdict
) -> None:
    assert verdict_of(cell(rows(LEARN_DEAR, holdout))) is verdict


def test_a_choice_that_stays_is_no_change() -> None:
    same = rows({CHEAP: "0.9", DEAR: "0.9"}, {CHEAP: "0.1", DEAR: "0.9"})

    assert verdict_of(cell(same)) is CellVerdict.NO_CHANGE


@pytest.mark.parametrize(("count", "learned_slug"), [(4, CHEAP), (5, DEAR)])
def test_a_model_teaches_something_from_its_fifth_answer_on(count: int, learned_slug: str) -> None:
    """The cheap one's answers come first and are worth nothing, once there are enough of them."""
    poor = rows({CHEAP: "0"}, {})[:count]
    later = rows({}, {DEAR: "0.9"})[: 10 - count]
    assert (count + len(later)) * 7 // 10 >= count

    report = replay.replayed([cell(poor + later)]).cells[0]

    assert report.learned_slug == learned_slug


def test_failed_calls_teach_nothing() -> None:
    failed = tuple(
        OutcomeRow(tick=1, row_id=str(number), model_slug=CHEAP, succeeded=False, reward=Decimal(0))
        for number in range(40)
    )

    assert verdict_of(cell(failed)) is CellVerdict.NO_CHANGE


@pytest.mark.parametrize(
    ("dear_rows", "verdict"),
    [
        (0, CellVerdict.UNCERTIFIABLE_POSITIVITY),
        (4, CellVerdict.UNCERTIFIABLE_POSITIVITY),
        (5, CellVerdict.LINUCB_WIN),
    ],
)
def test_a_choice_that_was_hardly_seen_later_cannot_be_certified(
    dear_rows: int, verdict: CellVerdict
) -> None:
    dear = rows({}, {DEAR: "0.9"})[:dear_rows]
    cheap = rows({}, {CHEAP: "0.2"})[: 12 - dear_rows]

    assert verdict_of(cell(rows(LEARN_DEAR, {}) + cheap + dear)) is verdict


def test_learning_that_leaves_nobody_is_a_collapse() -> None:
    assert verdict_of(COLLAPSE) is CellVerdict.COVERAGE_COLLAPSE


@pytest.mark.parametrize(
    ("cells", "verdict"),
    [
        ([WIN], GateVerdict.PASS),
        ([], GateVerdict.FAIL_CLOSED),
        ([WIN, REGRESSION], GateVerdict.FAIL_CLOSED),
        ([WIN, COLLAPSE], GateVerdict.FAIL_CLOSED),
        ([REGRESSION], GateVerdict.FAIL_CLOSED),
    ],
    ids=["a win", "nothing", "a win and a regression", "a win and a collapse", "a regression"],
)
def test_the_gate_needs_a_win_and_no_harm(cells: list[ReplayCell], verdict: GateVerdict) -> None:
    assert replay.replayed(cells).verdict is verdict
    assert replay.replayed(cells[::-1]) == replay.replayed(cells)


@pytest.mark.parametrize(("count", "suspicious"), [(9, False), (10, True)])
def test_ten_rewards_of_nothing_point_at_the_judge(count: int, *, suspicious: bool) -> None:
    zeros = rows({CHEAP: "0"}, {})[:count]

    assert replay.replayed([cell(zeros)]).cells[0].rewards_are_all_zero is suspicious


def test_the_order_of_the_rows_is_no_matter() -> None:
    backwards = cell(WIN.rows[::-1])

    assert replay.replayed([backwards]) == replay.replayed([WIN])
