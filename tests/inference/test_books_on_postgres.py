"""The same rules of money on a real database: its locks, its constraints, its clock.

The test's own database asks the test what time it is: midnight comes when the test says so.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis.stateful import run_state_machine_as_test
from psycopg.rows import dict_row

from ainfera_server import identifiers
from ainfera_server.accounts.signup import Signup
from ainfera_server.accounts.store import Payer
from ainfera_server.identifiers import AccountId, AgentId, TenantId, TransferId
from ainfera_server.inference import record
from ainfera_server.inference.entries import Entry, Result
from ainfera_server.inference.windows import Limits
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import pool
from ainfera_server.wallet import ledger
from ainfera_server.wallet.caps import Window, WindowKey
from ainfera_server.wallet.ledger import Account
from tests.accounts import newcomer
from tests.conftest import Look
from tests.inference import books_of, money_entries, money_rules, nightly
from tests.inference.money_rules import KeptCall, KeptEntry, MoneyRules, Seen, World
from tests.promises import proves

OF_WHOLE_INFERENCES = (
    "an inference and its outcome end alike",
    "an inference costs what was posted for it, and has a receipt exactly when it is over",
    "an inference is paid at most once",
    "every debit is in the chain, once",
    "every outcome is known",
    "no hold is open",
    "no inference still runs",
)
"""Of them a machine of holds and settlements knows nothing."""

OWN_CLOCK = """
    create table public.clock (at timestamptz not null);
    insert into public.clock values (now());
    grant select on public.clock to public;
    alter function pg_catalog.now() rename to now_indeed;
    create function pg_catalog.now() returns timestamptz language sql stable
        as 'select at from public.clock';
"""
"""A function of the server's own is called by its number, so it gives way before it is replaced."""

COPY = (
    "insert into {0} select (jsonb_populate_record(one, %(new)s::jsonb)).* from {0} one where {1}"
)
"""A row as a sign-up writes it, under other names."""

PAY_IN = """
    insert into transfers (
        cell, transfer_id, tenant_id, agent_id, kind, debit_account_id, credit_account_id,
        amount_held, amount_posted, state, day, memo, created_at, resolved_at
    )
    values (
        %(cell)s, %(transfer_id)s, %(tenant_id)s, %(agent_id)s, 'topup', %(source)s, %(account)s,
        %(amount)s, %(amount)s, 'posted', now(), '', now(), now()
    )
"""
ENTER = """
    insert into ledger_entries (
        cell, account_id, account_version, entry_id, tenant_id, transfer_id, side, amount,
        balance_after, created_at
    )
    values (%s, %s, %s, gen_random_uuid(), %s, %s, %s, %s, %s, now())
"""
TOTAL = """
    update accounts set debits_posted = %s, credits_posted = %s, version = %s where account_id = %s
"""
ALLOW = """
    update agents set status = %(status)s, per_call_cap = %(per_call_cap)s,
        daily_cap = %(daily_cap)s, monthly_cap = %(monthly_cap)s, session_cap = %(session_cap)s,
        subagent_cap = %(subagent_cap)s, may_exceed_hold = %(may_exceed_hold)s
    where agent_id = %(agent_id)s;
    update tenants set daily_cap = %(tenant_daily_cap)s, monthly_cap = %(tenant_monthly_cap)s,
        wallet_strict_per_agent = %(is_strict)s
    where tenant_id = %(tenant_id)s;
    update spending set cap = case
        when wanted.cap is not null then greatest(wanted.cap, posted + pending)
    end
    from (values
        ('agent', 'day', %(daily_cap)s::bigint), ('agent', 'month', %(monthly_cap)s),
        ('session', 'whole', %(session_cap)s), ('subagent', 'whole', %(subagent_cap)s),
        ('tenant', 'day', %(tenant_daily_cap)s), ('tenant', 'month', %(tenant_monthly_cap)s)
    ) as wanted (scope, period, cap)
    where spending.scope = wanted.scope and spending.period = wanted.period
        and (spending.agent_id = %(agent_id)s
            or spending.scope = 'tenant' and spending.tenant_id = %(tenant_id)s);
"""
EMPTY = {"debits_posted": 0, "credits_posted": 0, "debits_pending": 0, "version": 0}
START = datetime(2026, 3, 30, 12, tzinfo=UTC)


class RolledBackError(Exception):
    """The commit is not to come."""


Admin = psycopg.Connection[dict[str, Any]]


class Postgres:
    """A database in which somebody signed up, whose rows every new world copies."""

    def __init__(self, dsn: str, admin: Admin) -> None:
        self.admin = admin
        self.run = asyncio.new_event_loop().run_until_complete
        self._stack = AsyncExitStack()
        self.pools = self.run(self._stack.enter_async_context(pool.opened(dsn)))
        self.write = record.writes(newcomer.SIGNER)
        known = self.run(newcomer.signed_up(self.pools, Signup(agent_handle="first")))
        self.first = {"agent_id": known.agent.agent_id, "tenant_id": known.agent.tenant_id}
        self.tell(OWN_CLOCK)

    def close(self) -> None:
        """Disconnect."""
        self.run(self._stack.aclose())

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Look past every rule."""
        return self.admin.execute(query.encode(), parameters).fetchall()

    def tell(self, statement: str, parameters: object = ()) -> None:
        """Do what nobody in the product can."""
        self.admin.execute(statement.encode(), parameters)  # pyright: ignore[reportArgumentType]

    def copies(self, table: str, where: str, new: Mapping[str, object]) -> None:
        """Add a row of the first sign-up, under other names."""
        changed = orjson.dumps(dict(new), default=str).decode()
        self.tell(COPY.format(table, where), {"new": changed, **self.first})


class OnPostgres:
    """A few agents of their own in a database, on the morning of the 30th of March."""

    def __init__(self, postgres: Postgres) -> None:
        self.payers = money_entries.payers()
        self._postgres = postgres
        self._days = 0
        self._tenants = [one.tenant_id for one in self.payers]
        self._turn_clock()
        for tenant_id in dict.fromkeys(self._tenants):
            self._move_in(tenant_id, [one for one in self.payers if one.tenant_id == tenant_id])

    @property
    def today(self) -> date:
        """The day that the database will say it is."""
        return (START + timedelta(days=self._days)).date()

    def write(self, entries: list[Entry], *, is_committed: bool) -> list[Result]:
        """Write a batch as the journal does, which does not know what became of the last try."""

        async def written() -> list[Result]:
            results: list[Result] = []
            with contextlib.suppress(RolledBackError):
                async with pool.transaction(self._postgres.pools.writer) as connection:
                    results += await self._postgres.write(connection, entries, 2)
                    if not is_committed:
                        raise RolledBackError
            return results

        return self._postgres.run(written())

    def pay_in(self, payer: Payer, account_id: AccountId, amount: int) -> None:
        """Move money in from outside."""
        source_id = AccountId(payer.tenant_id)
        accounts = self._accounts()
        move = ledger.move(accounts[source_id], accounts[account_id], UsdMicros(amount))
        cell = identifiers.cell_of(account_id)
        transfer_id = newcomer.new_id(cell)
        with self._postgres.admin.transaction():
            self._postgres.tell(
                PAY_IN,
                {
                    "cell": cell,
                    "transfer_id": transfer_id,
                    "tenant_id": payer.tenant_id,
                    "agent_id": payer.agent_id,
                    "source": source_id,
                    "account": account_id,
                    "amount": amount,
                },
            )
            for after, entry in zip((move.source, move.destination), move.entries, strict=True):
                totals = (after.debits_posted, after.credits_posted, after.version)
                self._postgres.tell(TOTAL, (*totals, after.account_id))
                numbers = (entry.side, entry.amount, entry.balance_after)
                place = (cell, entry.account_id, entry.account_version)
                self._postgres.tell(ENTER, (*place, payer.tenant_id, transfer_id, *numbers))

    def allow(self, limits: Mapping[AgentId, Limits]) -> None:
        """Change the caps, and those of the windows that are open."""
        for payer in self.payers:
            if payer.agent_id in limits:
                whose = {"agent_id": payer.agent_id, "tenant_id": payer.tenant_id}
                self._postgres.tell(ALLOW, {**asdict(limits[payer.agent_id]), **whose})

    def passes(self, days: int) -> None:
        """Turn the database's clock."""
        self._days += days
        self._turn_clock()

    def seen(self) -> Seen:
        """Everything as it is kept."""
        (events,) = self._postgres.rows(
            "select count(*) as all, count(distinct event_id) as different from audit_events"
            " where tenant_id = any(%s)",
            self._tenants,
        )
        assert events["all"] == events["different"], "no event is there twice"
        return Seen(
            accounts=self._accounts(),
            windows=self._windows(),
            calls=self._calls(),
            entries=self._entries(),
            events=events["all"],
        )

    def _turn_clock(self) -> None:
        now = START + timedelta(days=self._days)
        self._postgres.tell("update public.clock set at = %s", (now,))

    def _move_in(self, tenant_id: TenantId, payers: list[Payer]) -> None:
        new: dict[str, object] = {"cell": identifiers.cell_of(tenant_id), "tenant_id": tenant_id}
        of_tenant, of_agent = "tenant_id = %(tenant_id)s", "agent_id = %(agent_id)s"
        self._postgres.copies("tenants", of_tenant, new)
        far_side = {
            **dict.fromkeys([payers[0].pool_id], "pool"),
            **dict.fromkeys([payers[0].provider_cost_id], "provider_cost"),
            **dict.fromkeys([payers[0].revenue_id], "revenue"),
            **dict.fromkeys([AccountId(tenant_id)], "topups"),
        }
        for account_id, kind in far_side.items():
            account = {**new, **EMPTY, "account_id": account_id, "kind": kind}
            self._postgres.copies("accounts", f"{of_tenant} and kind = 'pool'", account)
        for payer in payers:
            of_whom = {**new, "agent_id": payer.agent_id}
            named = {**of_whom, "handle": str(payer.agent_id)}
            self._postgres.copies("agents", of_agent, named)
            chain = {**of_whom, "seq": 0, "event_hash": None}
            self._postgres.copies("chain_heads", of_agent, chain)
            wallet = {**of_whom, **EMPTY, "account_id": payer.wallet_id}
            self._postgres.copies("accounts", f"{of_agent} and kind = 'wallet'", wallet)

    def _accounts(self) -> dict[AccountId, Account]:
        rows = self._postgres.rows(
            "select account_id, kind, debits_posted, credits_posted, debits_pending, version"
            " from accounts where tenant_id = any(%s)",
            self._tenants,
        )
        return {row["account_id"]: Account(**row) for row in rows}

    def _windows(self) -> dict[WindowKey, Window]:
        found: dict[WindowKey, Window] = {}
        for row in self._postgres.rows(
            "select cell, scope, scope_key, period, starts, cap, posted, pending"
            " from spending where tenant_id = any(%s)",
            self._tenants,
        ):
            cap, posted, pending = row.pop("cap"), row.pop("posted"), row.pop("pending")
            key = WindowKey(**row)
            found[key] = Window(key=key, cap=cap, posted=posted, pending=pending)
        return found

    def _calls(self) -> dict[TransferId, KeptCall]:
        rows = self._postgres.rows(
            "select transfer_id, debit_account_id as paid_by, amount_held as held,"
            " coalesce(amount_posted, 0) as posted, state, day"
            " from transfers where tenant_id = any(%s) and kind = 'inference'",
            self._tenants,
        )
        return {row.pop("transfer_id"): KeptCall(**row) for row in rows}

    def _entries(self) -> tuple[KeptEntry, ...]:
        rows = self._postgres.rows(
            "select account_id, account_version, balance_after,"
            " case side when 'credit' then amount else -amount end as amount"
            " from ledger_entries where tenant_id = any(%s)",
            self._tenants,
        )
        return tuple(KeptEntry(**row) for row in rows)


@pytest.fixture
def postgres(database: str, superuser_dsn: str) -> Iterator[Postgres]:
    """The database of this test, with a clock of its own."""
    connected = Admin.connect(
        superuser_dsn,
        autocommit=True,
        row_factory=dict_row,
        cursor_factory=psycopg.ClientCursor[dict[str, Any]],  # pyright: ignore[reportArgumentType]
    )
    with connected as admin:
        opened = Postgres(database, admin)
        yield opened
        opened.close()


@proves("money-is-exact", "no-overspend", "no-free-or-double-charge")
def test_whatever_comes_in_whatever_order_the_database_adds_up(
    postgres: Postgres, look: Look, capsys: pytest.CaptureFixture[str]
) -> None:
    class Rules(MoneyRules):
        def new_world(self) -> World:
            return OnPostgres(postgres)

    run_state_machine_as_test(Rules, settings=nightly.sizes(examples=40, steps=20))

    assert books_of.violations(look, but=OF_WHOLE_INFERENCES) == []
    with capsys.disabled():
        sys.stdout.write(money_rules.report(Rules, "on PostgreSQL"))
