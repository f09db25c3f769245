"""Pulling and warming against the stand-in for Ollama: broken off, moved, full, twice at once."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from ollama import Ollama as StandIn
from ollama import digest_of
from ollama_house import House, serving_ollama

from sutazai_ops.engines.daemons import free_port
from sutazai_ops.errors import Unreachable
from sutazai_ops.models import apply
from sutazai_ops.models.apply import Moved, Pull, bring, carry_out
from sutazai_ops.models.ollama import NoRoom, NoSuchModel, Ollama, Pulling
from sutazai_ops.models.plan import SPARE_BYTES, Act
from sutazai_ops.progress import Silent

CHAT, VECTORS = "llama3.2:3b", "nomic-embed-text:latest"
CHAT_BYTES = 2_019_000_000


class Counted:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.steps, self.passed = [], 0

    @contextmanager
    def step(self, what, expected=None):
        self.steps.append(what)

        def advance(more: int) -> None:
            assert more >= 0
            self.passed += more

        yield advance


@pytest.fixture
def stand_in(tmp_path):
    return StandIn(tmp_path / "ollama.json", loaded=2, memory=8 * 2**30)


@pytest.fixture
def house(tmp_path, stand_in):
    with serving_ollama(stand_in) as port:
        yield House(tmp_path, stand_in, port)


@pytest.fixture
def ollama(house):
    return Ollama(f"http://127.0.0.1:{house.port}", "ollama")


def at_once(ollama, model=CHAT, **asked):
    return bring(ollama, Pull(model, **asked), Silent(), pauses=(0.0, 0.0))


def pin(version: int, model=CHAT) -> str:
    return f"sha256:{digest_of(model, version)}"


def test_an_empty_server_is_filled_and_warmed_as_the_manifest_says(house, stand_in):
    fleet, progress = house.fleet(), Counted()
    ((place, _, plan),) = fleet.plans()
    assert [step.act for step in plan.steps] == [Act.PULL, Act.PULL, Act.WARM, Act.WARM]
    done = carry_out(fleet, place, plan, progress)
    assert [one.error for one in done] == [""] * 4
    assert set(stand_in.running) == {CHAT, VECTORS}
    assert stand_in.running[CHAT].stays.days > 365
    assert stand_in.running[VECTORS].stays.total_seconds() == 3600
    assert progress.passed == stand_in.pulled_bytes
    ((_, _, again),) = house.fleet().plans()
    assert not again.changes


def test_a_pull_that_breaks_off_half_way_goes_on_where_it_was(ollama, stand_in):
    stand_in.faults.break_pull_at = 0.5
    progress = Counted()
    found = bring(ollama, Pull(CHAT), progress, pauses=(0.0,))
    assert found.digest == pin(0)
    # Nothing came twice, and the progress counted each byte once.
    assert stand_in.pulled_bytes == CHAT_BYTES == progress.passed
    assert stand_in.faults.break_pull_at is None


def test_a_pull_whose_program_was_killed_is_resumed_by_the_next_one(ollama, stand_in):
    messages = ollama.pull(CHAT)
    while stand_in.pulled_bytes < CHAT_BYTES / 2:
        next(messages)
    messages.close()
    before = stand_in.pulled_bytes
    assert CHAT_BYTES / 2 <= before < CHAT_BYTES
    assert at_once(ollama).name == CHAT
    assert stand_in.pulled_bytes == CHAT_BYTES


def test_a_pull_that_always_breaks_off_is_given_up_and_leaves_the_old_one(ollama, stand_in, monkeypatch):
    at_once(ollama)
    stand_in.faults.moved.append(CHAT)

    def hangs_up(name):
        yield {"status": "pulling manifest"}

    monkeypatch.setattr(stand_in, "pulling", hangs_up)
    with pytest.raises(Unreachable, match=r"broke the pull of llama3\.2:3b off"):
        at_once(ollama, pin=pin(1))
    assert [(one.name, one.digest) for one in ollama.present()] == [(CHAT, pin(0))]


def test_a_tag_that_moved_is_told_and_what_was_there_is_there_again(ollama, stand_in):
    at_once(ollama)
    stand_in.faults.moved += [CHAT, CHAT]
    with pytest.raises(Moved, match="what was there before is there again") as moved:
        at_once(ollama, pin=pin(1))
    assert moved.value.remedy.endswith(f"models lock --take {CHAT}")
    assert [(one.name, one.digest) for one in ollama.present()] == [(CHAT, pin(0))]


def test_an_old_model_that_cannot_be_put_back_keeps_its_second_name(ollama, stand_in, monkeypatch):
    at_once(ollama)
    stand_in.faults.moved += [CHAT, CHAT]
    copy = ollama.copy

    def copies_once(source, name):
        monkeypatch.setattr(ollama, "copy", refuses)
        copy(source, name)

    def refuses(source, name):
        raise Unreachable("it has just gone")

    monkeypatch.setattr(ollama, "copy", copies_once)
    with pytest.raises(Unreachable, match="it has just gone"):
        at_once(ollama, pin=pin(1))
    kept = {one.name: one.digest for one in ollama.present()}
    assert kept[f"{CHAT}-before-{pin(0)[7:19]}"] == pin(0)


def test_a_server_that_dies_in_a_pull_is_told_as_that_and_not_as_what_could_not_be_tidied(
    ollama, stand_in, monkeypatch
):
    at_once(ollama)
    stand_in.faults.moved.append(CHAT)
    stand_in.faults.break_pull_at = 0.5

    def gone(name):
        raise Unreachable("it is still gone")

    monkeypatch.setattr(ollama, "delete", gone)
    with pytest.raises(Unreachable, match="hangs up within its answer"):
        bring(ollama, Pull(CHAT, pin(1)), Silent(), pauses=())


def test_what_all_layers_need_together_is_held_against_the_disk(ollama, stand_in):
    layers = [Pulling("pulling a", "a", total=600), Pulling("pulling a", "a", 600, 600), Pulling("pulling b", "b", 600)]
    assert list(apply._arriving(layers, Pull(CHAT, free=SPARE_BYTES + 1200), first=True)) == [0, 600, 600]
    with pytest.raises(NoRoom, match=r"needs 1\.2 kB more"):
        list(apply._arriving(layers, Pull(CHAT, free=SPARE_BYTES + 1199), first=True))
    assert list(apply._arriving(layers, Pull(CHAT, free=SPARE_BYTES), first=False)) == [0, 600, 600]


def test_a_tag_that_moved_before_it_was_ever_here_is_not_left_to_be_used(ollama, stand_in):
    stand_in.faults.moved.append(CHAT)
    with pytest.raises(Moved, match="it was removed again"):
        at_once(ollama, pin=pin(0))
    assert ollama.present() == []


def test_a_new_pin_takes_the_place_of_the_old_model(ollama, stand_in):
    at_once(ollama)
    stand_in.faults.moved.append(CHAT)
    assert at_once(ollama, pin=pin(1)).digest == pin(1)
    assert [one.name for one in ollama.present()] == [CHAT]


def test_a_disk_that_is_too_small_stops_a_pull_before_it_fills(ollama, stand_in):
    stand_in.faults.seconds_a_message = 0.05
    with pytest.raises(NoRoom, match=r"needs 2\.0 GB more and 1\.0 GB is free"):
        at_once(ollama, free=10**9)
    assert stand_in.pulled_bytes < 10**9
    assert ollama.present() == []


def test_a_disk_that_fills_all_the_same_is_one_sentence(ollama, stand_in):
    stand_in.faults.disk = 10**9
    with pytest.raises(NoRoom, match="the disk of ollama is full"):
        at_once(ollama)


def test_a_name_that_no_registry_knows_is_one_sentence_and_is_not_tried_again(ollama, stand_in):
    stand_in.faults.missing.append("lama3:3b")
    with pytest.raises(NoSuchModel, match="its registry none"):
        at_once(ollama, "lama3:3b")
    assert [path for path, _ in stand_in.asked].count("/api/pull") == 1


def test_two_pulls_of_one_model_are_one(house, stand_in, monkeypatch):
    monkeypatch.setattr(apply, "LOCK_LOOK_SECONDS", 0.01)
    stand_in.faults.seconds_a_message = 0.02
    fleet = house.fleet()
    (place,) = fleet.houses()
    found, progresses = [], [Counted(), Counted()]

    def pull(progress) -> None:
        found.append(apply.pull_model(fleet, place, place.wanted[0], progress))

    threads = [threading.Thread(target=pull, args=(one,)) for one in progresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert [path for path, _ in stand_in.asked].count("/api/pull") == 1
    assert any(step.startswith("wait: ") for one in progresses for step in one.steps)


def test_one_model_that_cannot_be_pulled_keeps_no_other_from_it(house, stand_in):
    stand_in.faults.missing.append(CHAT)
    fleet = house.fleet()
    ((place, _, plan),) = fleet.plans()
    done = {(one.step.model, one.step.act): one.error for one in carry_out(fleet, place, plan, Silent())}
    assert "its registry none" in done[CHAT, Act.PULL]
    assert done[VECTORS, Act.PULL] == done[VECTORS, Act.WARM] == ""
    assert (CHAT, Act.WARM) not in done


def test_a_server_that_does_not_answer_is_one_sentence():
    with pytest.raises(Unreachable, match="refuses the connection"):
        Ollama(f"http://127.0.0.1:{free_port()}").present()


def test_a_server_that_falls_silent_in_a_pull_is_not_waited_for_ever(ollama, stand_in, monkeypatch):
    monkeypatch.setattr("sutazai_ops.models.ollama.PULL_SILENCE", 0.2)
    stand_in.faults.seconds_a_message = 2
    with pytest.raises(Unreachable, match="says nothing for"):
        bring(ollama, Pull(CHAT), Silent(), pauses=())
