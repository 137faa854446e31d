"""Whether what was learned would have chosen better: stored snapshots decided again, both ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from ainfera_server.routing import decide
from ainfera_server.routing.snapshot import Snapshot

TRAIN_TENTHS = 7
TRAIN_ROWS_MIN = 5
HOLDOUT_ROWS_MIN = 5
WIN_MARGIN = Decimal("0.05")
ZERO_REWARD_ROWS_SUSPICIOUS = 10


class CellVerdict(StrEnum):
    NO_CHANGE = "NO_CHANGE"
    LINUCB_WIN = "LINUCB_WIN"
    LINUCB_REGRESSION = "LINUCB_REGRESSION"
    TIE = "TIE"
    COVERAGE_COLLAPSE = "COVERAGE_COLLAPSE"
    UNCERTIFIABLE_POSITIVITY = "UNCERTIFIABLE_POSITIVITY"


class GateVerdict(StrEnum):
    PASS = "PASS"  # noqa: S105 - the word of the verdict, no password.
    FAIL_CLOSED = "FAIL_CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """How one answer of one model turned out."""

    tick: int
    row_id: str
    model_slug: str
    succeeded: bool
    reward: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCell:
    """A cell's outcomes, and the snapshot of what it chooses from."""

    cell: str
    snapshot: Snapshot
    rows: tuple[OutcomeRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReport:
    """What one cell says. `rewards_are_all_zero` points at a broken judge, not at bad models."""

    cell: str
    verdict: CellVerdict
    static_slug: str | None
    learned_slug: str | None
    delta: Decimal | None
    rewards_are_all_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    verdict: GateVerdict
    cells: tuple[CellReport, ...]


def replayed(cells: Sequence[ReplayCell]) -> ReplayReport:
    """Pass only what wins somewhere and loses nowhere."""
    reports = tuple(_cell_report(cell) for cell in sorted(cells, key=lambda one: one.cell))
    verdicts = {report.verdict for report in reports}
    is_harmful = verdicts & {CellVerdict.LINUCB_REGRESSION, CellVerdict.COVERAGE_COLLAPSE}
    passes = CellVerdict.LINUCB_WIN in verdicts and not is_harmful
    verdict = GateVerdict.PASS if passes else GateVerdict.FAIL_CLOSED
    return ReplayReport(verdict=verdict, cells=reports)


def _cell_report(cell: ReplayCell) -> CellReport:
    train, holdout = _split(cell.rows)
    static = _without_learning(cell.snapshot)
    static_slug = decide.decide(static).chosen_model_slug
    learned_slug = decide.decide(_with_means(static, _means(train))).chosen_model_slug
    delta = _delta(holdout, static_slug, learned_slug)
    return CellReport(
        cell=cell.cell,
        verdict=_verdict(static_slug, learned_slug, delta),
        static_slug=static_slug,
        learned_slug=learned_slug,
        delta=delta,
        rewards_are_all_zero=_rewards_are_all_zero(cell.rows),
    )


def _verdict(
    static_slug: str | None, learned_slug: str | None, delta: Decimal | None
) -> CellVerdict:
    if static_slug == learned_slug:
        return CellVerdict.NO_CHANGE
    if learned_slug is None:
        return CellVerdict.COVERAGE_COLLAPSE
    if delta is None:
        return CellVerdict.UNCERTIFIABLE_POSITIVITY
    if delta >= WIN_MARGIN:
        return CellVerdict.LINUCB_WIN
    if delta <= -WIN_MARGIN:
        return CellVerdict.LINUCB_REGRESSION
    return CellVerdict.TIE


def _split(
    rows: tuple[OutcomeRow, ...],
) -> tuple[tuple[OutcomeRow, ...], tuple[OutcomeRow, ...]]:
    """Learn from the earlier seven tenths, judge on the later three: never the other way round."""
    ordered = tuple(sorted(rows, key=lambda row: (row.tick, row.row_id)))
    cut = len(ordered) * TRAIN_TENTHS // 10
    return ordered[:cut], ordered[cut:]


def _means(rows: tuple[OutcomeRow, ...]) -> Mapping[str, Decimal]:
    """The mean reward of each model that answered often enough."""
    slugs = sorted({row.model_slug for row in rows})
    means = {slug: _mean(rows, slug, rows_min=TRAIN_ROWS_MIN) for slug in slugs}
    return {slug: mean for slug, mean in means.items() if mean is not None}


def _mean(rows: tuple[OutcomeRow, ...], slug: str, *, rows_min: int) -> Decimal | None:
    """A call that failed says nothing about quality."""
    rewards = [row.reward for row in rows if row.succeeded and row.model_slug == slug]
    if len(rewards) < rows_min:
        return None
    return sum(rewards, Decimal(0)) / len(rewards)


def _delta(
    holdout: tuple[OutcomeRow, ...], static_slug: str | None, learned_slug: str | None
) -> Decimal | None:
    """How much better the learned choice did; None unless both were seen often enough."""
    if static_slug is None or learned_slug is None:
        return None
    static = _mean(holdout, static_slug, rows_min=HOLDOUT_ROWS_MIN)
    learned = _mean(holdout, learned_slug, rows_min=HOLDOUT_ROWS_MIN)
    if static is None or learned is None:
        return None
    return learned - static


def _without_learning(snapshot: Snapshot) -> Snapshot:
    """The same choice from priors alone, with nothing explored."""
    candidates = tuple(
        replace(candidate, learned_mean=None, learned_quality=None)
        for candidate in snapshot.candidates
    )
    return replace(snapshot, candidates=candidates, exploration_epsilon=Decimal(0))


def _with_means(snapshot: Snapshot, means: Mapping[str, Decimal]) -> Snapshot:
    candidates = tuple(
        replace(candidate, learned_mean=means.get(candidate.model_slug))
        for candidate in snapshot.candidates
    )
    return replace(snapshot, candidates=candidates)


def _rewards_are_all_zero(rows: tuple[OutcomeRow, ...]) -> bool:
    rewards = [row.reward for row in rows if row.succeeded]
    return len(rewards) >= ZERO_REWARD_ROWS_SUSPICIOUS and not any(rewards)
