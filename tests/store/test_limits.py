"""Limits of keys: one write a request, never more than the budget, and what is left behind falls back."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shared.errors import RateLimited, StoreUnavailable
from shared.gateway.limits import Demand, Lease, Limits
from shared.store.limit_state import month_of
from shared.store.limits import LimitTable, TableLimiter
from shared.store.tables import Patience, Tables

DAY = 86_400
NOON = 1_700_049_600.0  # 2023-11-15 12:00:00 UTC
KEY = "a" * 32
DOLLAR = 10**12
NOTHING = Demand()


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


class Counted(LimitTable):
    """Counts its calls of the table."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        super().__init__(tables, now=clock)
        self.reads = self.writes = 0

    def _read(self, key_id: str) -> Any:
        self.reads += 1
        return super()._read(key_id)

    def _write(self, key_id: str, update: Any) -> Any:
        self.writes += 1
        return super()._write(key_id, update)

    @property
    def calls(self) -> tuple[int, int]:
        found = (self.reads, self.writes)
        self.reads = self.writes = 0
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(tables: Tables, clock: Clock) -> Counted:
    return Counted(tables, clock)


def refused(table: LimitTable, limits: Limits, demand: Demand = NOTHING) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        table.reserve(KEY, limits, demand, 10)
    return caught.value


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_a_warm_request_is_one_write_and_its_settlement_another(table: Counted, clock: Clock) -> None:
    limits = Limits(requests_per_minute=100, tokens_per_minute=10_000, parallel_requests=5, daily_budget=DOLLAR)
    lease = table.reserve(KEY, limits, Demand(10, 1_000), 10)
    table.settle(lease, 12, 900)
    assert table.calls == (1, 2)  # the first one of a process looks what there is
    for _ in range(5):
        clock.now += 5
        table.settle(table.reserve(KEY, limits, Demand(10, 1_000), 10), 12, 900)
        assert table.calls == (0, 2)


def test_requests_alone_need_no_settlement(table: Counted) -> None:
    limits = Limits(requests_per_minute=100)
    assert table.reserve(KEY, limits, Demand(), 10).id == ""
    assert not limits.held
    table.calls  # noqa: B018 - starts the count
    assert table.reserve(KEY, limits, Demand(), 10).id == ""
    assert table.calls == (0, 1)
    assert table.state(KEY).held == {}


def test_a_flood_over_the_limit_costs_no_writes(table: Counted, clock: Clock) -> None:
    limits = Limits(requests_per_minute=3)
    for _ in range(3):
        table.reserve(KEY, limits, Demand(), 10)
    table.calls  # noqa: B018 - starts the count
    for _ in range(100):
        clock.now += 0.01
        refused(table, limits)
    reads, writes = table.calls
    assert reads <= 6
    assert writes == 0


def test_another_process_costs_one_refused_write_at_most(tables: Tables, clock: Clock) -> None:
    limits = Limits(requests_per_minute=1_000, parallel_requests=10)
    first, second = Counted(tables, clock), Counted(tables, clock)
    first.reserve(KEY, limits, Demand(), 100)
    second.reserve(KEY, limits, Demand(), 100)
    clock.now += 60
    first.reserve(KEY, limits, Demand(), 100)
    assert second.calls == (1, 1)
    second.reserve(KEY, limits, Demand(), 100)
    assert second.calls == (0, 2)  # the minute had gone on without it
    assert len(first.state(KEY).held) == 4


# -- a minute ----------------------------------------------------------------------------------------------------------


def test_requests_a_minute_slide(table: Counted, clock: Clock) -> None:
    limits = Limits(requests_per_minute=10)
    clock.now = NOON + 59
    left = [table.reserve(KEY, limits, Demand(), 10).standing.remaining_requests for _ in range(10)]
    assert left == list(range(9, -1, -1))
    error = refused(table, limits)
    assert (error.status, error.code, error.client_may_retry) == (429, "rate_limit_exceeded", True)
    assert error.headers["x-ratelimit-remaining-requests"] == "0"
    clock.now = NOON + 60  # a fixed window would let ten more in here
    wait = refused(table, limits).retry_after_seconds
    assert wait == pytest.approx(6)
    clock.now += wait
    table.reserve(KEY, limits, Demand(), 10)
    refused(table, limits)
    clock.now = NOON + 120
    taken = 0
    while taken < 20:
        try:
            table.reserve(KEY, limits, Demand(), 10)
        except RateLimited:
            break
        taken += 1
    assert taken == 9  # one of the minute before still counts
    clock.now += 600
    assert table.reserve(KEY, limits, Demand(), 10).standing.remaining_requests == 9


@pytest.mark.parametrize("gone", [0.0, 7.5, 31.0, 59.9])
def test_after_the_wait_that_is_told_there_is_room(table: Counted, clock: Clock, gone: float) -> None:
    limits = Limits(requests_per_minute=7)
    clock.now = NOON + gone
    for _ in range(40):
        try:
            table.reserve(KEY, limits, Demand(), 10)
        except RateLimited as error:
            clock.now += min(max(1, error.retry_after_seconds or 1_000), 120) + 0.01
            table.reserve(KEY, limits, Demand(), 10)


def test_tokens_are_reserved_and_then_counted(table: Counted, clock: Clock) -> None:
    limits = Limits(tokens_per_minute=1_000)
    leases = [table.reserve(KEY, limits, Demand(tokens=400), 10) for _ in range(2)]
    assert leases[1].standing.remaining_tokens == 200
    error = refused(table, limits, Demand(tokens=400))
    assert error.code == "rate_limit_exceeded"
    assert error.headers["x-ratelimit-remaining-tokens"] == "200"
    table.settle(leases[0], 50, 0)
    assert table.reserve(KEY, limits, Demand(tokens=400), 10).standing.remaining_tokens == 150
    table.settle(leases[1], 900, 0)  # longer than it said
    assert table.state(KEY).tokens == 50 + 400 + 900
    refused(table, limits, Demand(tokens=1))


def test_a_request_that_is_too_large_for_any_minute_is_not_to_be_sent_again(table: Counted) -> None:
    error = refused(table, Limits(tokens_per_minute=1_000), Demand(tokens=1_001))
    assert (error.client_may_retry, error.retry_after_seconds) == (False, None)
    assert "smaller max_tokens" in error.message


# -- in flight ---------------------------------------------------------------------------------------------------------


def test_so_many_at_once_and_no_more(table: Counted) -> None:
    limits = Limits(parallel_requests=2)
    first = table.reserve(KEY, limits, Demand(), 10)
    table.reserve(KEY, limits, Demand(), 10)
    error = refused(table, limits)
    assert error.may_pass
    assert "2 requests in flight" in error.message
    table.settle(first, 0, 0)
    table.reserve(KEY, limits, Demand(), 10)
    refused(table, limits)


def test_what_died_in_flight_falls_back(table: Counted, clock: Clock) -> None:
    limits = Limits(parallel_requests=2, daily_budget=100, monthly_budget=100)
    for _ in range(2):
        table.reserve(KEY, limits, Demand(cost=50), 10)
    clock.now += 30
    refused(table, limits, Demand(cost=50))
    clock.now += 20
    leases = [table.reserve(KEY, limits, Demand(cost=50), 10) for _ in range(2)]
    state = table.state(KEY)
    assert (len(state.held), state.day_cost, state.month_cost) == (2, 100, 100)
    for lease in leases:
        table.settle(lease, 0, 50)
    assert (table.state(KEY).held, table.state(KEY).day_cost) == ({}, 100)


def test_what_ends_after_it_fell_back_is_counted_all_the_same(table: Counted, clock: Clock) -> None:
    limits = Limits(daily_budget=1_000)
    late = table.reserve(KEY, limits, Demand(cost=100), 10)
    clock.now += 60
    other = table.reserve(KEY, limits, Demand(cost=10), 10)
    assert table.state(KEY).day_cost == 10
    table.settle(late, 0, 70)
    table.settle(other, 0, 10)
    assert table.state(KEY).day_cost == 80


def test_nothing_is_settled_twice(table: Counted) -> None:
    lease = table.reserve(KEY, Limits(daily_budget=1_000), Demand(cost=100), 10)
    for _ in range(3):
        table.settle(lease, 0, 30)
    assert (table.state(KEY).day_cost, table.state(KEY).month_cost) == (30, 30)


# -- budgets -----------------------------------------------------------------------------------------------------------


def test_a_budget_is_kept_to_the_last_picodollar(table: Counted) -> None:
    limits = Limits(daily_budget=100)
    table.settle(table.reserve(KEY, limits, Demand(cost=60), 10), 0, 60)
    error = refused(table, limits, Demand(cost=41))
    assert (error.code, error.client_may_retry, error.may_pass) == ("insufficient_quota", False, False)
    assert error.retry_after_seconds == pytest.approx(DAY / 2)
    table.settle(table.reserve(KEY, limits, Demand(cost=40), 10), 0, 40)
    refused(table, limits, Demand(cost=1))
    table.reserve(KEY, limits, Demand(cost=0), 10)  # what is free goes on


def test_what_is_only_held_may_come_back(table: Counted) -> None:
    limits = Limits(daily_budget=100)
    table.reserve(KEY, limits, Demand(cost=60), 10)
    error = refused(table, limits, Demand(cost=60))
    assert (error.may_pass, error.client_may_retry) == (True, True)
    assert error.retry_after_seconds == 5


def test_days_and_months_begin_anew(table: Counted, clock: Clock) -> None:
    limits = Limits(daily_budget=100, monthly_budget=150)
    table.settle(table.reserve(KEY, limits, Demand(cost=100), 10), 0, 100)
    over_midnight = table.reserve(KEY, Limits(monthly_budget=150), Demand(cost=10), DAY)
    clock.now += DAY
    table.settle(table.reserve(KEY, limits, Demand(cost=30), 10), 0, 30)
    table.settle(over_midnight, 0, 5)
    state = table.state(KEY)
    assert (state.day_cost, state.month_cost) == (30, 135)
    error = refused(table, limits, Demand(cost=20))
    assert "monthly budget" in error.message
    assert error.retry_after_seconds == pytest.approx(14.5 * DAY)
    clock.now += 15 * DAY
    table.settle(table.reserve(KEY, limits, Demand(cost=90), 10), 0, 90)
    assert (table.state(KEY).day_cost, table.state(KEY).month_cost) == (90, 90)


def test_a_clock_that_is_behind_opens_no_new_day(tables: Tables, clock: Clock) -> None:
    limits = Limits(daily_budget=100)
    ahead, behind = LimitTable(tables, now=lambda: NOON + DAY), LimitTable(tables, now=clock)
    ahead.settle(ahead.reserve(KEY, limits, Demand(cost=100), 10), 0, 100)
    refused(behind, limits, Demand(cost=1))


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(each, marks=pytest.mark.slow) for each in range(2, 12))])
def test_no_interleaving_overspends(tables: Tables, seed: int) -> None:
    """Three processes with their own stale memories, requests that begin, end, die and outlive their time."""
    chance = random.Random(seed)
    clock = Clock()
    limits = Limits(daily_budget=1_000, monthly_budget=2_500, parallel_requests=6)
    processes = [LimitTable(tables, now=clock) for _ in range(3)]
    key = f"key-{seed}"
    flying: list[tuple[Lease, int]] = []
    paid: dict[int, int] = {}
    for _ in range(150):
        process = chance.choice(processes)
        roll = chance.random()
        if roll < 0.5:
            worst = chance.randrange(1, 400)
            try:
                flying.append((process.reserve(key, limits, Demand(cost=worst), 600), worst))
            except RateLimited:
                pass
            else:
                assert len([lease for lease, _ in flying if lease.until > clock.now]) <= 6
        elif roll < 0.9 and flying:
            lease, worst = flying.pop(chance.randrange(len(flying)))
            cost = chance.randrange(worst + 1)
            process.settle(lease, 0, cost)
            paid[lease.day] = paid.get(lease.day, 0) + cost
        elif roll < 0.95:
            clock.now += chance.choice((1, 60, 200))
        elif roll < 0.96:
            clock.now += DAY / 2
        flying = [(lease, worst) for lease, worst in flying if lease.until > clock.now]  # the others have died
        by_month: dict[int, int] = {}
        for day, cost in paid.items():
            assert cost + sum(worst for lease, worst in flying if lease.day == day) <= 1_000
            by_month[month_of(day)] = by_month.get(month_of(day), 0) + cost
        assert all(cost <= 2_500 for cost in by_month.values())
    for lease, _ in flying:
        processes[0].settle(lease, 0, 0)
    state = processes[1].state(key)
    assert not [held for held in state.held.values() if held.until > clock.now]
    if not state.held:
        assert state.day_cost == paid.get(state.day, 0)


# -- when the table is away --------------------------------------------------------------------------------------------


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> LimitTable:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patience = Patience(0.1, 0.1, 0)
    return LimitTable(Tables("gone", region="eu-central-1", endpoint="http://127.0.0.1:9", patience=patience))


async def test_a_budget_that_cannot_be_checked_is_kept(gone: LimitTable) -> None:
    with pytest.raises(StoreUnavailable):
        await TableLimiter(gone).reserve(KEY, Limits(monthly_budget=1), Demand(), 10)


async def test_a_rate_that_cannot_be_checked_is_let_go(gone: LimitTable, caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(requests_per_minute=1, tokens_per_minute=1, parallel_requests=1)
    for _ in range(2):
        lease = await TableLimiter(gone).reserve(KEY, limits, Demand(), 10)
        assert lease.id == ""
    assert "is not counted" in caplog.text
    await TableLimiter(gone).settle(Lease(KEY, "x", Demand(), lease.standing), 1, 1)
    assert "is not settled" in caplog.text


def test_an_answer_that_was_lost_counts_once(tables: Tables, clock: Clock) -> None:
    """The write arrives, its answer does not, and the client of AWS sends it again."""

    class Losing(LimitTable):
        lose = True

        def _write(self, key_id: str, update: Any) -> Any:
            written = super()._write(key_id, update)
            if self.lose:
                self.lose = False
                return super()._write(key_id, update)
            return written

    table = Losing(tables, now=clock)
    limits = Limits(daily_budget=100)
    LimitTable(tables, now=clock).settle(table.reserve(KEY, limits, Demand(cost=1), 10), 0, 0)
    table.lose = True
    lease = table.reserve(KEY, limits, Demand(cost=60), 10)
    assert (table.state(KEY).day_cost, len(table.state(KEY).held)) == (60, 1)
    table.lose = True
    table.settle(lease, 0, 60)
    assert (table.state(KEY).day_cost, table.state(KEY).held) == (60, {})
