"""What a key has used, as one item says it, and the one update that lets a request in, settles it, or refuses it.

Pure: the update is an expression whose conditions hold exactly where the decision would be the same again, so that
whoever decided by an old state is refused by the table and decides anew (docs/adr/0011).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.gateway.limits import MOST_HELD, Demand, Lease, Limits, Standing, too_much
from shared.gateway.pricing import dollars

_MINUTE = 60
_DAY = 86_400
_KEPT_SECONDS = 40 * _DAY  # behind the day of its last use: longer than any month
_MOST_SWEPT = 20  # given back in one update
_PARALLEL_WAIT_SECONDS = 1.0
_RESERVED_WAIT_SECONDS = 5.0


class Held(NamedTuple):
    """What one request in flight holds, until when at the latest, and of which day's budget."""

    until: int
    day: int
    cost: int

    def text(self) -> str:
        return f"{self.until}:{self.day}:{self.cost}"

    @classmethod
    def read(cls, text: str) -> Held:
        until, day, cost = text.split(":")
        return cls(int(until), int(day), int(cost))


@dataclass(frozen=True, slots=True)
class State:
    """Counts of a minute and the one before it, and picodollars of a day and a month, those held included."""

    minute: int = 0
    requests: int = 0
    requests_before: int = 0
    tokens: int = 0
    tokens_before: int = 0
    day: int = 0
    day_cost: int = 0
    month: int = 0
    month_cost: int = 0
    held: Mapping[str, Held] = field(default_factory=dict)

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> State:
        """Of DynamoDB's attributes."""
        numbers = {name: int(item[name]["N"]) for name in _NUMBERS if name in item}
        held = {name: Held.read(value["S"]) for name, value in item.get("held", {}).get("M", {}).items()}
        return cls(**numbers, held=held)


_NUMBERS = (
    "minute", "requests", "requests_before", "tokens", "tokens_before", "day", "day_cost", "month", "month_cost",
)  # fmt: skip


class Update:
    """The expressions of one UpdateItem."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._parts: dict[str, list[str]] = {"SET": [], "ADD": [], "REMOVE": []}
        self._conditions: list[str] = []

    def set(self, name: str, value: int | str | dict[str, Any]) -> None:
        self._parts["SET"].append(f"{self._name(name)} = {self._value(value)}")

    def add(self, name: str, number: int) -> None:
        if number:
            self._parts["ADD"].append(f"{self._name(name)} {self._value(number)}")

    def only_if(self, name: str, relation: str, value: int | str) -> None:
        self._conditions.append(f"{self._name(name)} {relation} {self._value(value)}")

    def only_if_fewer(self, name: str, number: int) -> None:
        self._conditions.append(f"size({self._name(name)}) < {self._value(number)}")

    def only_new(self, name: str) -> None:
        self._conditions.append(f"attribute_not_exists({self._name(name)})")

    def only_old(self, name: str) -> None:
        self._conditions.append(f"attribute_exists({self._name(name)})")

    def remove(self, name: str) -> None:
        self._parts["REMOVE"].append(self._name(name))

    def arguments(self) -> dict[str, Any]:
        """For DynamoDB's API."""
        parts = [f"{verb} {', '.join(clauses)}" for verb, clauses in self._parts.items() if clauses]
        found = {
            "UpdateExpression": " ".join(parts),
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
        }
        return {name: value for name, value in found.items() if value}

    def _name(self, path: str) -> str:
        steps = []
        for step in path.split("."):
            mark = f"#{step}"
            self._names[mark] = step
            steps.append(mark)
        return ".".join(steps)

    def _value(self, value: int | str | dict[str, Any]) -> str:
        mark = f":{len(self._values)}"
        match value:
            case int():
                self._values[mark] = {"N": str(value)}
            case str():
                self._values[mark] = {"S": value}
            case dict():
                self._values[mark] = {"M": value}
        return mark


class Moment(NamedTuple):
    """Now, but never before what the state knows: clocks differ."""

    now: float
    minute: int
    gone: float  # of the minute, 0 to 1
    day: int
    month: int

    @classmethod
    def of(cls, now: float, state: State | None) -> Moment:
        minute, day = int(now // _MINUTE), int(now // _DAY)
        gone = now % _MINUTE / _MINUTE
        if state is not None and state.minute > minute:
            minute, gone = state.minute, 0.0
        if state is not None and state.day > day:
            day = state.day
        return cls(now, minute, gone, day, month_of(day))


def month_of(day: int) -> int:
    there = time.gmtime(day * _DAY)
    return there.tm_year * 12 + there.tm_mon


def reserve(state: State | None, limits: Limits, demand: Demand, now: float, lease_id: str, until: int) -> Update:
    """The update that counts one more request and holds what it may come to. `state` None: there is no item yet.

    Raises RateLimited.
    """
    at = Moment.of(now, state)
    check(state or State(), limits, demand, at)
    update = Update()
    held = Held(until, at.day, demand.cost).text() if limits.held else None
    if state is None:
        update.only_new("key_id")
        first = {"minute": at.minute, "requests": 1, "requests_before": 0, "tokens": demand.tokens, "tokens_before": 0}
        money = {"day": at.day, "day_cost": demand.cost, "month": at.month, "month_cost": demand.cost}
        for name, value in {**first, **money, "expires_at": _end(at)}.items():
            update.set(name, value)
        update.set("held", {lease_id: {"S": held}} if held else {})
        return update
    _count(update, state, limits, demand, at)
    back = _sweep(update, state, now)
    _spend(update, state, limits, demand.cost, at, back)
    if held:
        update.set(f"held.{lease_id}", held)
        update.only_new(f"held.{lease_id}")
        update.only_if_fewer("held", _most_held(limits) + len(back))
    return update


def settle(state: State, lease: Lease, tokens: int, cost: int, now: float) -> Update | None:
    """The update that gives back what was held and counts what was used; None when that was done already."""
    update = Update()
    held = state.held.get(lease.id)
    if held is None and now < lease.until:
        return None
    # what fell back by itself is counted as used all the same
    reserved = Held(0, lease.day, 0) if held is None else held
    if held is not None:
        update.remove(f"held.{lease.id}")
        update.only_if(f"held.{lease.id}", "=", held.text())
    else:
        update.only_new(f"held.{lease.id}")
        update.only_old("key_id")
    more_tokens = tokens - lease.demand.tokens
    if state.minute in (lease.minute, lease.minute + 1):
        update.only_if("minute", "=", state.minute)
        update.add("tokens" if state.minute == lease.minute else "tokens_before", more_tokens)
    more = cost - reserved.cost
    if more and state.day == lease.day:
        update.only_if("day", "=", state.day)
        update.add("day_cost", more)
    if more and state.month == month_of(lease.day):
        update.only_if("month", "=", state.month)
        update.add("month_cost", more)
    return update


def standing(state: State, limits: Limits, now: float) -> Standing:
    at = Moment.of(now, state)
    requests, requests_before, tokens, tokens_before = _counts(state, at)
    found = Standing()
    if (most := limits.requests_per_minute) is not None:
        left = max(0, math.floor(most - requests - requests_before * (1 - at.gone)))
        found = found._replace(
            limit_requests=most, remaining_requests=left, reset_requests=_reset(requests, requests_before, at)
        )
    if (most := limits.tokens_per_minute) is not None:
        left = max(0, math.floor(most - tokens - tokens_before * (1 - at.gone)))
        found = found._replace(limit_tokens=most, remaining_tokens=left, reset_tokens=_reset(tokens, tokens_before, at))
    return found


def spent(state: State, now: float) -> tuple[int, int, list[Held]]:
    """Picodollars of this day and of this month, and what requests in flight hold of them; what fell back is not
    counted any more."""
    at = Moment.of(now, state)
    living = [held for held in state.held.values() if held.until > now]
    fallen = [held for held in state.held.values() if held.until <= now]
    day_cost = state.day_cost - sum(held.cost for held in fallen if held.day == at.day)
    month_cost = state.month_cost - sum(held.cost for held in fallen if month_of(held.day) == at.month)
    return day_cost if state.day == at.day else 0, month_cost if state.month == at.month else 0, living


def check(state: State, limits: Limits, demand: Demand, at: Moment) -> None:
    """Raises RateLimited for what the state leaves no room for."""
    told = standing(state, limits, at.now)
    requests, requests_before, tokens, tokens_before = _counts(state, at)
    most = limits.requests_per_minute
    if most is not None and requests + 1 > _room(most, requests_before, at):
        raise too_much(
            f"this API key may send {most} requests a minute; wait, or ask an administrator for more",
            told,
            _wait(requests, requests_before, most - 1, at) if most else None,
        )
    most = limits.tokens_per_minute
    if most is not None and demand.tokens > most:
        refused = too_much(
            f"the request may come to {demand.tokens} tokens and this API key may use {most} a minute; "
            "send less, or a smaller max_tokens",
            told,
            None,
        )
        refused.client_may_retry = False
        raise refused
    if most is not None and tokens + demand.tokens > _room(most, tokens_before, at):
        raise too_much(
            f"this API key may use {most} tokens a minute and the request may come to {demand.tokens}; wait a moment",
            told,
            _wait(tokens, tokens_before, most - demand.tokens, at),
        )
    day_cost, month_cost, living = spent(state, at.now)
    if limits.held and len(living) >= _most_held(limits):
        refused = too_much(
            f"this API key may have {_most_held(limits)} requests in flight; wait for one to end",
            told,
            _PARALLEL_WAIT_SECONDS,
        )
        refused.may_pass = True
        raise refused
    if demand.cost:
        month_held = [held for held in living if month_of(held.day) == at.month]
        day_held = [held for held in month_held if held.day == at.day]
        _check_budget("daily", limits.daily_budget, demand.cost, day_cost, day_held, _end_of_day(at) - at.now, told)
        _check_budget(
            "monthly", limits.monthly_budget, demand.cost, month_cost, month_held, _end_of_month(at) - at.now, told
        )


def _check_budget(
    name: str, budget: int | None, cost: int, used: int, held: list[Held], renewed_in: float, told: Standing
) -> None:
    if budget is None or used + cost <= budget:
        return
    frees = used - sum(each.cost for each in held) + cost <= budget  # when those in flight turn out to cost nothing
    way_out = "requests in flight hold some of it, try again" if frees else "wait until it is renewed"
    refused = too_much(
        f"the {name} budget of this API key is {dollars(budget)} dollars, of which {dollars(max(0, budget - used))} "
        f"are left, and the request may cost {dollars(cost)}; {way_out}, or send a smaller max_tokens",
        told,
        _RESERVED_WAIT_SECONDS if frees else max(1.0, renewed_in),
        budget=True,
    )
    refused.client_may_retry = refused.may_pass = frees
    raise refused


def _count(update: Update, state: State, limits: Limits, demand: Demand, at: Moment) -> None:
    """One more request in its minute; the minute before counts by as much of it as is less than a minute ago."""
    update.only_if("minute", "=", state.minute)
    if state.minute != at.minute:
        just_before = state.minute == at.minute - 1
        update.set("minute", at.minute)
        update.set("requests_before", state.requests if just_before else 0)
        update.set("tokens_before", state.tokens if just_before else 0)
        update.set("requests", 1)
        update.set("tokens", demand.tokens)
        # counted by then, not by now: nobody else may have counted in between
        update.only_if("requests", "=", state.requests)
        update.only_if("tokens", "=", state.tokens)
        return
    update.add("requests", 1)
    update.add("tokens", demand.tokens)
    if limits.requests_per_minute is not None:
        update.only_if("requests", "<=", _room(limits.requests_per_minute, state.requests_before, at) - 1)
    if limits.tokens_per_minute is not None:
        update.only_if("tokens", "<=", _room(limits.tokens_per_minute, state.tokens_before, at) - demand.tokens)


def _spend(update: Update, state: State, limits: Limits, cost: int, at: Moment, back: list[Held]) -> None:
    """Hold so much of both budgets, and give back what fell back."""
    update.only_if("day", "=", state.day)
    month_back = sum(held.cost for held in back if month_of(held.day) == at.month)
    if state.day == at.day:
        day_back = sum(held.cost for held in back if held.day == at.day)
        update.add("day_cost", cost - day_back)
        if limits.daily_budget is not None and cost:
            update.only_if("day_cost", "<=", limits.daily_budget - cost + day_back)
    else:
        update.set("day", at.day)
        update.set("day_cost", cost)
        update.set("expires_at", _end(at))
    if state.month == at.month:
        update.add("month_cost", cost - month_back)
        if limits.monthly_budget is not None and cost:
            update.only_if("month_cost", "<=", limits.monthly_budget - cost + month_back)
    else:
        update.set("month", at.month)
        update.set("month_cost", cost)


def _sweep(update: Update, state: State, now: float) -> list[Held]:
    """Take away what was never settled, the oldest first: its process has died."""
    fallen = sorted((held, name) for name, held in state.held.items() if held.until <= now)[:_MOST_SWEPT]
    for held, name in fallen:
        update.remove(f"held.{name}")
        update.only_if(f"held.{name}", "=", held.text())
    return [held for held, _ in fallen]


def _counts(state: State, at: Moment) -> tuple[int, int, int, int]:
    """Requests and tokens of this minute, and of the one before it."""
    if state.minute == at.minute:
        return state.requests, state.requests_before, state.tokens, state.tokens_before
    if state.minute == at.minute - 1:
        return 0, state.requests, 0, state.tokens
    return 0, 0, 0, 0


def _room(most: int, before: int, at: Moment) -> int:
    """What may be counted in this minute."""
    return math.floor(most - before * (1 - at.gone))


def _wait(now: int, before: int, most: int, at: Moment) -> float:
    """Seconds until no more than `most` are counted, as far as nothing is added."""
    if now <= most and before:  # the minute before fades
        gone = 1 - (most - now) / before
        return max(1.0, (gone - at.gone) * _MINUTE)
    fade = 1 - most / now if now else 0.0  # and then this one, as the one before
    return max(1.0, (1 - at.gone + fade) * _MINUTE)


def _reset(now: int, before: int, at: Moment) -> float:
    """Seconds until nothing is counted any more."""
    return (2 - at.gone) * _MINUTE if now else (1 - at.gone) * _MINUTE if before else 0.0


def _most_held(limits: Limits) -> int:
    return MOST_HELD if limits.parallel_requests is None else min(limits.parallel_requests, MOST_HELD)


def _end_of_day(at: Moment) -> float:
    return float((at.day + 1) * _DAY)


def _end_of_month(at: Moment) -> float:
    day = at.day
    while month_of(day) == at.month:
        day += 1
    return float(day * _DAY)


def _end(at: Moment) -> int:
    return (at.day + 1) * _DAY + _KEPT_SECONDS
