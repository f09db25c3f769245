"""Carries a plan of models out: pulls with progress, holds the digest against its pin, warms.

A pull that breaks off is tried again and goes on where it was; one that fails for good leaves what was there before. A
pull that brings another digest than the pinned one is undone and told. Two pulls of one model are one: whoever comes
second waits, and finds it there.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.errors import Corrupt, OpsError, Unreachable
from sutazai_ops.lock import Held, exclusive
from sutazai_ops.models.ollama import NoRoom
from sutazai_ops.models.plan import BEFORE, SHOWN, SPARE_BYTES, Act

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sutazai_ops.models.fleet import Fleet, House
    from sutazai_ops.models.manifest import Wanted
    from sutazai_ops.models.ollama import Ollama, Present, Pulling
    from sutazai_ops.models.plan import Plan, Step
    from sutazai_ops.progress import Progress

PAUSES = (1.0, 5.0, 15.0)
"""Seconds before each further try of a pull that broke off."""
LOCK_WAIT_SECONDS = 2 * 3600.0
LOCK_LOOK_SECONDS = 0.5


class Moved(Corrupt):
    """What the registry gives under a tag is not what was pinned."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one step."""

    step: Step
    seconds: float = 0.0
    error: str = ""
    """Why it could not be done; empty where it was."""
    retryable: bool = False
    """Whether trying the same again may succeed: what was pulled and refused would only be pulled and refused again."""


@dataclass(frozen=True, slots=True)
class Pull:
    """What a pull has to keep to."""

    model: str
    pin: str | None = None
    size: int | None = None
    """About how many bytes, for the progress."""
    free: int | None = None
    """Bytes on the disk; None where that is not known."""


def carry_out(fleet: Fleet, house: House, plan: Plan, progress: Progress) -> list[Done]:
    """Do what a plan does, and what there is to warm once the pulls are through.

    One step that fails keeps none of the others from being tried: each says what became of it. What is a person's to
    decide is told as what could not be done.
    """
    pulled = pull_all(fleet, house, plan.of(Act.PULL), progress)
    failed = {one.step.model for one in pulled if one.error}
    # What a model takes is known once it is there, so what fits is asked again.
    then = fleet.plan(house) if pulled else plan
    warmed = [one for one in warm_all(house, then, progress, leaving=failed) if one.step.model not in failed]
    left = [step for step in then.of(Act.MOVED, Act.NO_ROOM) if step.model not in failed]
    return [*pulled, *warmed, *(Done(step, error=step.because) for step in left)]


def pull_all(fleet: Fleet, house: House, steps: Iterable[Step], progress: Progress) -> list[Done]:
    """Pull each, one after the other: side by side they would only share the line, and the disk would fill unseen."""
    by_name = {model.name: model for model in house.wanted}
    return [_attempt(one, partial(pull_model, fleet, house, by_name[one.model], progress)) for one in steps]


def warm_all(house: House, plan: Plan, progress: Progress, *, leaving: Collection[str] = ()) -> list[Done]:
    """Have in memory what a plan warms, but for those `leaving` out, and tell of what does not fit."""
    by_name = {model.name: model for model in house.wanted}
    done = [_attempt(one, partial(unload, house.ollama, one.model)) for one in plan.of(Act.UNLOAD)]
    done += [
        _attempt(one, partial(warm, house.ollama, by_name[one.model], progress))
        for one in plan.of(Act.WARM)
        if one.model not in leaving
    ]
    return done + [Done(one, error=one.because) for one in plan.of(Act.UNFIT)]


def _attempt(step: Step, act: Callable[[], object]) -> Done:
    began = time.monotonic()
    try:
        act()
    except OpsError as error:
        return Done(step, time.monotonic() - began, error.what, error.retryable)
    return Done(step, time.monotonic() - began)


def pull_model(fleet: Fleet, house: House, model: Wanted, progress: Progress, *, take: bool = False) -> Present:
    """Have a model as it is pinned; returns what is there. Does nothing where it is there already.

    Args:
        fleet: the pins, and the locks.
        house: who holds it.
        model: which one.
        progress: told of the bytes that arrive.
        take: whether whatever its registry has now is taken, pinned or not.

    Raises:
        Moved: when the registry gives another digest; what was there before is there again.
        NoSuchModel, NoRoom, Unreachable: as `Ollama.pull`.
    """
    pin = None if take else fleet.pins.get(model.name)
    with _one_at_a_time(fleet.lock_of(house, model.name), model.name, progress):
        before = _there(house.ollama, model.name)
        if before is not None and not take and pin in {None, before.digest}:
            return before
        return bring(house.ollama, Pull(model.name, pin, model.size, fleet.look(house).free), progress)


def bring(ollama: Ollama, asked: Pull, progress: Progress, pauses: Sequence[float] = PAUSES) -> Present:
    """Pull a model, whatever is there, and hold it against its pin; raises as `pull_model`."""
    before = _there(ollama, asked.model)
    aside = _put_aside(ollama, before) if before else ""
    try:
        with progress.step(f"pull {asked.model}", asked.size) as advance:
            _pull_patiently(ollama, asked, advance, pauses)
    except OpsError:
        # The name means what it meant before: Ollama writes it last.
        _forget(ollama, aside)
        raise
    now = _there(ollama, asked.model)
    if now is None:
        raise OpsError(f"{ollama.name} pulled {asked.model} and does not list it", where=ollama.address)
    is_right = asked.pin in {None, now.digest}
    if not is_right:
        # Whoever asks for the tag must not be answered by what nobody has agreed to. Where this fails, the old one
        # keeps the name that it has aside.
        _undo(ollama, asked.model, aside)
    _forget(ollama, aside)
    if not is_right:
        raise _moved(ollama, asked, now, was_there=before is not None)
    return now


def _put_aside(ollama: Ollama, before: Present) -> str:
    """The name under which the old one waits while the new one comes."""
    aside = f"{before.name}{BEFORE}{before.digest.removeprefix('sha256:')[:12]}"
    ollama.copy(before.name, aside)
    return aside


def _undo(ollama: Ollama, model: str, aside: str) -> None:
    if aside:
        ollama.copy(aside, model)
    else:
        ollama.delete(model)


def _forget(ollama: Ollama, aside: str) -> None:
    """Remove the second name of a model; one that is left over is pruned some day, and hides no error now."""
    if aside:
        with suppress(OpsError):
            ollama.delete(aside)


def _moved(ollama: Ollama, asked: Pull, now: Present, *, was_there: bool) -> Moved:
    left = "what was there before is there again" if was_there else "it was removed again"
    return Moved(
        f"{asked.model} is now {now.digest[:SHOWN]} in its registry and pinned is {(asked.pin or '')[:SHOWN]}: {left}",
        where=ollama.address,
        remedy=f"to take it: sutazai-ops models lock --take {asked.model}",
    )


def _pull_patiently(ollama: Ollama, asked: Pull, advance: Callable[[int], None], pauses: Sequence[float]) -> None:
    arrived = 0
    for number in range(len(pauses) + 1):
        try:
            # Hung up on whatever happens, so that nothing is pulled for nobody.
            with closing(ollama.pull(asked.model)) as messages:
                for now in _arriving(messages, asked, first=number == 0):
                    advance(max(0, now - arrived))
                    arrived = max(arrived, now)
        except Unreachable:
            if number == len(pauses):
                raise
            time.sleep(pauses[number])
        else:
            return


def _arriving(messages: Iterable[Pulling], asked: Pull, *, first: bool) -> Iterator[int]:
    """How many bytes of the whole have arrived; raises `NoRoom` before a layer fills the disk."""
    layers: dict[str, Pulling] = {}
    needed = 0
    for message in messages:
        if not message.layer:
            continue
        if message.layer not in layers:
            needed += message.total - message.completed
            # What a later try needs was room for before, and part of it is taken by now.
            if first and asked.free is not None and needed + SPARE_BYTES > asked.free:
                raise NoRoom(
                    f"{asked.model} needs {human.size(needed)} more and {human.size(asked.free)} is free",
                    remedy="sutazai-ops models prune, or make room on the disk of the models",
                )
        layers[message.layer] = message
        yield sum(one.completed for one in layers.values())


def warm(ollama: Ollama, model: Wanted, progress: Progress) -> float:
    """Have a model in memory for as long as the manifest says; returns the seconds."""
    with progress.step(f"load {model.name}"):
        return ollama.load(
            model.name, stays=model.stays, context=model.context, makes_words=ollama.shape(model.name).makes_words
        )


def unload(ollama: Ollama, model: str) -> None:
    """Have a model leave the memory; what is not in it is passed over."""
    if any(one.name == model for one in ollama.in_memory()):
        ollama.unload(model, makes_words=ollama.shape(model).makes_words)


def _there(ollama: Ollama, model: str) -> Present | None:
    return next((one for one in ollama.present() if one.name == model), None)


@contextmanager
def _one_at_a_time(place: Path, model: str, progress: Progress) -> Iterator[None]:
    """Hold the lock of a model, waiting for whoever has it."""
    lock = partial(exclusive, place, f"pull of {model}")
    with ExitStack() as stack:
        try:
            stack.enter_context(lock())
        except Held as held:
            _wait_for(stack, lock, f"wait: {held.what}", progress)
        yield


def _wait_for(
    stack: ExitStack, lock: Callable[[], AbstractContextManager[None]], words: str, progress: Progress
) -> None:
    end = time.monotonic() + LOCK_WAIT_SECONDS
    with progress.step(words):
        while True:
            time.sleep(LOCK_LOOK_SECONDS)
            try:
                stack.enter_context(lock())
            except Held:
                if time.monotonic() > end:
                    raise
            else:
                return
