"""What is to be done about models, decided by values alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.models.manifest import Wanted
from sutazai_ops.models.memory import Server, reckoned, refuses, server
from sutazai_ops.models.ollama import InMemory, Present, Shape
from sutazai_ops.models.plan import DONE_BY_US, Act, Plan, Seen, plan_models

GIB = 2**30
LLAMA = Shape(makes_words=True, layers=28, kv_heads=8, key_length=128, value_length=128, trained_context=131_072)
"""llama3.2:3b, as its own file says."""


def model(name: str = "chat:3b", **fields) -> Wanted:
    return Wanted(name=name, purpose=fields.pop("purpose", "chat"), **fields)


def there(name: str = "chat:3b", digest: str = "a", size: int = GIB) -> Present:
    return Present(name, digest_of(digest), size)


def loaded(name: str = "chat:3b", size: int = GIB) -> InMemory:
    return InMemory(name, size, leaves_at=float("inf"))


def digest_of(letter: str) -> str:
    return f"sha256:{letter * 64}"


def acts(plan: Plan) -> list[tuple[str, Act]]:
    return [(step.model, step.act) for step in plan.steps]


def planned(wanted, pins=None, users=None, *, where=None, **seen) -> Plan:
    return plan_models(wanted, Seen(where or Server("ollama"), **seen), pins or {}, users or {})


def test_what_is_missing_is_pulled_and_what_is_there_is_kept():
    plan = planned([model(), model("code:7b")], present=[there("code:7b")], free=10 * GIB)
    assert acts(plan) == [("chat:3b", Act.PULL), ("code:7b", Act.KEEP)]
    assert [step.model for step in plan.changes] == ["chat:3b"]


def test_a_digest_that_is_not_the_pinned_one_is_told_and_neither_pulled_nor_warmed():
    plan = planned([model(warm=True)], {"chat:3b": digest_of("b")}, present=[there()])
    assert acts(plan) == [("chat:3b", Act.MOVED)]
    assert "sha256:aaaaaaaaaaaa and pinned is sha256:bbbbbbbbbbbb" in plan.steps[0].because


def test_what_nobody_has_pinned_is_said():
    assert any("not pinned" in note and "chat:3b" in note for note in planned([model()], present=[there()]).notes)
    pinned = planned([model()], {"chat:3b": digest_of("a")}, present=[there()])
    assert not any("not pinned" in note for note in pinned.notes)


def test_a_disk_that_holds_one_of_two_takes_the_first():
    wanted = [model("one:1b", size=2 * GIB, warm=True), model("two:1b", size=2 * GIB, warm=True)]
    plan = planned(wanted, free=3 * GIB)
    assert acts(plan) == [("one:1b", Act.PULL), ("two:1b", Act.NO_ROOM), ("one:1b", Act.WARM)]
    assert "1.1 GB is free" in plan.steps[1].because


def test_a_disk_that_cannot_be_asked_is_said_and_holds_nothing_up():
    plan = planned([model(size=2 * GIB)])
    assert acts(plan) == [("chat:3b", Act.PULL)]
    assert any("cannot be asked" in note for note in plan.notes)


def test_no_more_are_warmed_than_the_server_holds_at_once():
    wanted = [model("one:1b", warm=True), model("two:1b", warm=True)]
    plan = planned(wanted, where=Server("ollama", loaded=1), present=[there("one:1b"), there("two:1b")])
    assert acts(plan)[2:] == [("two:1b", Act.UNFIT), ("one:1b", Act.WARM)]
    assert "OLLAMA_MAX_LOADED_MODELS" in plan.steps[2].because


def test_no_more_are_warmed_than_the_memory_holds_and_the_reason_has_the_figures():
    wanted = [model("one:1b", warm=True), model("two:1b", warm=True)]
    plan = planned(
        wanted,
        where=Server("ollama", memory=4 * GIB),
        present=[there("one:1b"), there("two:1b")],
        takes={"one:1b": 3 * GIB, "two:1b": 2 * GIB},
    )
    (unfit,) = plan.of(Act.UNFIT)
    assert unfit.because == "two:1b takes 2 GiB, and one:1b 3 GiB: ollama has 4 GiB"


def test_what_is_not_pulled_yet_takes_no_less_than_its_download():
    plan = planned([model(warm=True, size=5 * GIB)], where=Server("ollama", memory=4 * GIB))
    assert acts(plan) == [("chat:3b", Act.PULL), ("chat:3b", Act.UNFIT)]


def test_a_stray_leaves_for_what_is_to_be_warm_and_what_a_service_names_does_not():
    seen = {"present": [there()], "loaded": [loaded("stray:1b", 3 * GIB)], "takes": {"chat:3b": 2 * GIB}}
    where = Server("ollama", memory=4 * GIB)
    assert acts(planned([model(warm=True)], where=where, **seen))[1:] == [
        ("stray:1b", Act.UNLOAD),
        ("chat:3b", Act.WARM),
    ]
    named = planned([model(warm=True)], users={"stray:1b": ["backend"]}, where=where, **seen)
    assert acts(named)[1:] == [("chat:3b", Act.UNFIT)]


def test_a_model_of_the_manifest_that_is_not_decided_about_now_is_no_stray():
    seen = Seen(Server("ollama", loaded=1), [there()], [loaded("other:1b")])
    assert acts(plan_models([model(warm=True)], seen, {}, {}, ["other:1b"]))[1:] == [("chat:3b", Act.UNFIT)]


def test_a_stray_that_is_in_nobodys_way_stays():
    plan = planned([model(warm=True)], present=[there()], loaded=[loaded("stray:1b")])
    assert acts(plan)[1:] == [("chat:3b", Act.WARM)]


def test_a_context_that_the_server_does_not_load_for_is_said():
    plan = planned([model(context=8192)], present=[there()])
    assert any("8,192 tokens and ollama loads for 4,096" in note for note in plan.notes)


def test_another_quantization_than_meant_is_said():
    present = [Present("chat:3b", digest_of("a"), GIB, quantization="Q8_0")]
    plan = planned([model(quantization="Q4_K_M")], present=present)
    assert any("quantized as Q8_0 and meant as Q4_K_M" in note for note in plan.notes)


def test_the_memory_of_a_model_counts_its_context_once_for_each_question_side_by_side():
    # 28 layers of 8 heads of 128 + 128 numbers in 16 bits: 114,688 bytes a token.
    one = reckoned(2_000_000_000, LLAMA, Server("ollama", parallel=1))
    two = reckoned(2_000_000_000, LLAMA, Server("ollama", parallel=2))
    assert one == round((2_000_000_000 + 114_688 * 4096) * 1.1)
    assert two - one == pytest.approx(114_688 * 4096 * 1.1, abs=2)
    half = reckoned(2_000_000_000, LLAMA, Server("ollama", parallel=2, key_bytes=34 / 32))
    assert one < half < two


def test_a_context_longer_than_the_model_was_made_for_is_not_reserved():
    short = Shape(makes_words=True, layers=1, kv_heads=1, key_length=1, value_length=1, trained_context=100)
    assert reckoned(0, short, Server("ollama"), 4096) == reckoned(0, short, Server("ollama"), 100)


def test_what_a_file_does_not_say_is_unknown_and_not_guessed():
    assert reckoned(10, Shape(makes_words=True, layers=28), Server("ollama")) is None
    assert reckoned(1000, Shape(makes_words=False), Server("ollama")) == 1100
    assert not refuses("chat:3b", {}, None, Server("ollama", memory=1))
    plan = planned([model(warm=True)], where=Server("ollama", memory=1), present=[there()])
    assert any("not known before they were loaded: chat:3b" in note for note in plan.notes)


def test_a_servers_definition_says_what_it_may_use():
    compose = {
        "environment": {"OLLAMA_MAX_LOADED_MODELS": "2", "OLLAMA_NUM_PARALLEL": "4", "OLLAMA_KV_CACHE_TYPE": "q8_0"},
        "deploy": {"resources": {"limits": {"memory": "4G"}}},
    }
    found = server("ollama", compose)
    assert found == Server("ollama", 4 * GIB, loaded=2, parallel=4, context=4096, key_bytes=34 / 32)
    assert server("ollama", {}) == Server("ollama")


NAMES = [f"m{number}:1b" for number in range(6)]


@st.composite
def situations(draw):
    wanted = [
        model(name, warm=draw(st.booleans()), size=draw(st.none() | st.integers(1, 5).map(lambda n: n * GIB)))
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    ]
    present = [there(name, draw(st.sampled_from("ab"))) for name in draw(st.lists(st.sampled_from(NAMES), unique=True))]
    in_memory = draw(st.lists(st.sampled_from(present), unique=True, max_size=3)) if present else []
    where = Server(
        "ollama", memory=draw(st.none() | st.integers(1, 8).map(lambda n: n * GIB)), loaded=draw(st.integers(1, 4))
    )
    takes = {one.name: draw(st.integers(1, 4)) * GIB for one in present if draw(st.booleans())}
    seen = Seen(
        where,
        present,
        [loaded(one.name, takes.get(one.name, GIB)) for one in in_memory],
        takes,
        draw(st.none() | st.integers(0, 20).map(lambda n: n * GIB)),
    )
    pins = {
        name: digest_of(draw(st.sampled_from("ab"))) for name in draw(st.lists(st.sampled_from(NAMES), unique=True))
    }
    users = {name: ["backend"] for name in draw(st.lists(st.sampled_from(NAMES), unique=True))}
    return wanted, seen, pins, users


def carried_out(wanted, seen: Seen, pins, plan: Plan) -> Seen:
    """What is there once all is done that a plan does."""
    sizes = {one.name: one.size or GIB for one in wanted}
    pulled = [step.model for step in plan.of(Act.PULL)]
    present = [*seen.present, *(Present(name, pins.get(name, digest_of("a")), sizes[name]) for name in pulled)]
    gone = {step.model for step in plan.of(Act.UNLOAD)}
    # What nobody knows of takes nothing here, and what is downloaded no less than its size.
    known = {**{one.name: one.size or 0 for one in wanted}, **seen.takes}
    warm = [loaded(step.model, known[step.model]) for step in plan.of(Act.WARM)]
    free = None if seen.free is None else seen.free - sum(sizes[name] for name in pulled)
    return Seen(seen.server, present, [one for one in seen.loaded if one.name not in gone] + warm, seen.takes, free)


@given(situations())
def test_once_a_plan_is_carried_out_there_is_nothing_left_that_we_could_do(situation):
    wanted, seen, pins, users = situation
    after = carried_out(wanted, seen, pins, plan_models(wanted, seen, pins, users))
    assert not list(plan_models(wanted, after, pins, users).of(*DONE_BY_US))


@given(situations())
def test_no_plan_puts_out_what_is_wanted_or_named_or_warms_more_than_fits(situation):
    wanted, seen, pins, users = situation
    plan = plan_models(wanted, seen, pins, users)
    names = {one.name for one in wanted}
    for step in plan.of(Act.UNLOAD):
        assert step.model not in names
        assert step.model not in users
    after = carried_out(wanted, seen, pins, plan)
    limit = seen.server.memory
    if any(plan.of(Act.WARM)):
        assert len(after.loaded) <= seen.server.loaded
    if limit is not None and sum(one.size for one in seen.loaded) <= limit:
        assert sum(one.size for one in after.loaded) <= limit


@given(situations())
def test_no_plan_pulls_over_what_is_there_or_fills_the_disk(situation):
    wanted, seen, pins, users = situation
    plan = plan_models(wanted, seen, pins, users)
    pulled = {step.model for step in plan.of(Act.PULL)}
    assert not pulled & {one.name for one in seen.present}
    if seen.free is not None:
        assert sum(one.size or 0 for one in wanted if one.name in pulled) <= seen.free
    assert {step.model for step in plan.steps} >= {one.name for one in wanted}
