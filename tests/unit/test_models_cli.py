"""`sutazai-ops models …` as a person meets it, against the stand-in for Ollama."""

from __future__ import annotations

import json

import pytest
from ollama import Ollama as StandIn
from ollama_house import MANIFEST, House, serving_ollama
from typer.testing import CliRunner

from sutazai_ops.cli import app
from sutazai_ops.engines.daemons import free_port
from sutazai_ops.errors import BadInput, ExitCode, OpsError, Refused

CHAT, VECTORS = "llama3.2:3b", "nomic-embed-text:latest"


@pytest.fixture
def stand_in(tmp_path):
    return StandIn(tmp_path / "ollama.json", loaded=2, memory=8 * 2**30)


@pytest.fixture
def house(tmp_path, stand_in, monkeypatch):
    with serving_ollama(stand_in) as port:
        made = House(tmp_path, stand_in, port)
        monkeypatch.setenv("SUTAZAI_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("SUTAZAI_ENGINE", "embedded")
        monkeypatch.setenv("SUTAZAI_PLATFORM", str(made.platform_folder))
        monkeypatch.setenv("SUTAZAI_MODELS__ADDRESS", f"http://127.0.0.1:{port}")
        monkeypatch.chdir(tmp_path)
        yield made


@pytest.fixture
def run(house):
    def call(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["models", *words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout

    return call


def facts(text: str):
    return json.loads(text)


def test_plan_pull_warm_and_then_there_is_nothing_to_do(run, stand_in):
    shown = run("plan", code=ExitCode.CHANGES)
    assert "sutazai-ops models pull" in shown
    assert "it is not there: about 2.1 GB" in shown
    assert [one["step"]["act"] for one in facts(run("pull", "--json"))] == ["pull", "pull"]
    assert "done" in run("warm")
    assert set(stand_in.running) == {CHAT, VECTORS}
    assert "nothing to do" in run("plan")
    assert "every model is there" in run("pull")
    assert "whatever should be in memory is" in run("warm")


def test_list_says_what_is_there_what_is_in_memory_and_who_uses_it(run):
    assert {row["state"] for row in facts(run("list", "--json"))["models"]} == {"missing"}
    run("pull")
    run("warm", CHAT)
    chat, vectors = facts(run("list", "--json"))["models"]
    assert (chat["state"], chat["used_by"], chat["measured"]) == ("in memory", ["backend", "agent"], True)
    assert (vectors["state"], vectors["used_by"], vectors["memory"] > 274_000_000) == ("there", [], True)
    shown = run("list")
    assert "never" in shown
    assert "(not pinned)" in shown


def test_a_misspelt_model_is_refused_with_the_nearest(run):
    for words in (["plan"], ["pull"], ["warm"], ["unload"], ["bench"], ["prune"], ["lock"]):
        run("pull") if words == ["unload"] else None
        with pytest.raises(BadInput, match=r"no model 'lama3\.2:3b'") as refused:
            run(*words, "lama3.2:3b")
        if words != ["prune"]:
            assert refused.value.remedy == "did you mean 'llama3.2:3b'?"


def test_the_lock_pins_what_is_there_and_says_what_moved(run, stand_in, house):
    run("pull")
    first = facts(run("lock", "--json"))
    assert [(move["model"], move["before"]) for move in first["moved"]] == [(CHAT, ""), (VECTORS, "")]
    assert facts(run("lock", "--json"))["moved"] == []
    assert "as pinned" in run("plan", "--json", code=ExitCode.CHANGES)
    # Somebody pulls by hand what the tag means by now.
    stand_in.faults.moved.append(CHAT)
    list(stand_in.pulling(CHAT))
    shown = run("plan", code=ExitCode.CHANGES)
    assert "moved" in shown
    assert "it is left as it is" in shown
    (row,) = [one for one in facts(run("list", "--json"))["models"] if one["state"] == "moved"]
    assert row["pinned"] != row["digest"]
    (move,) = facts(run("lock", "--json", CHAT))["moved"]
    assert (move["model"], move["after"]) == (CHAT, row["digest"])
    assert "moved" not in run("plan", code=ExitCode.CHANGES)


def test_what_moved_upstream_is_taken_only_when_told_to(run, stand_in):
    run("pull")
    run("lock")
    before = stand_in._models()[CHAT]
    stand_in.faults.moved.append(CHAT)
    run("pull", CHAT)
    assert stand_in._models()[CHAT] == before
    with pytest.raises(Refused, match="nothing is taken unseen"):
        run("lock", "--take")
    (move,) = facts(run("lock", "--take", CHAT, "--json"))["moved"]
    assert move["after"] == f"sha256:{stand_in._models()[CHAT]}" != f"sha256:{before}"


def test_a_pull_that_fails_tells_why_and_ends_with_an_error(run, stand_in):
    stand_in.faults.missing.append(CHAT)
    with pytest.raises(OpsError, match="1 of 2 steps could not be done"):
        run("pull")
    assert VECTORS in stand_in._models()


def test_what_does_not_fit_is_said_with_the_figures_and_not_warmed(run, house, stand_in):
    house.write(memory="2G")
    run("pull")
    shown = run("plan", code=ExitCode.CHANGES)
    assert "does not fit" in shown
    assert "ollama has 2 GiB" in shown
    with pytest.raises(OpsError, match="ollama has 2 GiB"):
        run("warm")
    assert set(stand_in.running) == {VECTORS}


def test_prune_removes_only_what_nobody_names(run, stand_in, house):
    house.write(asked="tinyllama")
    run("pull")
    for name in ("tinyllama:latest", "stray:1b", "busy:1b"):
        list(stand_in.pulling(name))
    stand_in._load("busy:1b", {})
    kept = {one["model"]: one["because"] for one in facts(run("prune", "--dry-run", "--json"))["models"] if one["keep"]}
    assert kept == {
        CHAT: "backend names it",
        VECTORS: "the manifest has it",
        "tinyllama:latest": "agent names it",
        "busy:1b": "it is in memory",
    }
    assert "stray:1b" in stand_in._models()
    with pytest.raises(Refused, match="agent names it"):
        run("prune", "tinyllama", "--yes")
    with pytest.raises(Refused, match="nobody can be asked"):
        run("prune", "--json")
    assert facts(run("prune", "--yes", "--json"))["removed"] == ["stray:1b"]
    assert "stray:1b" not in stand_in._models()
    assert "nothing to remove" in run("prune", "--yes")


def test_unload_takes_out_of_memory_and_says_who_will_wait(run, stand_in):
    run("pull")
    run("warm")
    assert "llama3.2:3b is out of memory (used by backend, agent)" in run("unload", CHAT)
    assert set(stand_in.running) == {VECTORS}
    assert "was not in memory" in run("unload", CHAT)


def test_bench_compares_quantizations_and_puts_back_what_was_in_memory(run, stand_in):
    run("pull")
    run("warm")
    list(stand_in.pulling("llama3.2:3b-q8_0"))
    told = facts(run("bench", CHAT, "llama3.2:3b-q8_0", "--json"))
    small, large = told["measured"]
    assert small["memory"] < large["memory"]
    assert small["tokens_per_second"] > 0
    assert small["load_seconds"] is not None
    (held,) = told["agreement"]
    assert (held["model"], held["reference"]) == (CHAT, "llama3.2:3b-q8_0")
    # The stand-in names itself in its answers, so no two models answer the same.
    assert held["same"] == 0
    assert 0.5 < held["alike"] < 1
    assert {CHAT, VECTORS} <= set(stand_in.running)
    shown = run("bench", VECTORS)
    assert "768" in shown
    assert "measured, on this machine, over 8 prompts" in shown


def test_an_ollama_that_is_down_is_one_sentence(run, monkeypatch):
    monkeypatch.setenv("SUTAZAI_MODELS__ADDRESS", f"http://127.0.0.1:{free_port()}")
    for command in ("list", "plan", "pull", "warm", "prune", "lock"):
        with pytest.raises(OpsError, match="refuses the connection"):
            run(command)


def test_a_manifest_that_is_wrong_is_told_with_its_line(run, house):
    house.write(MANIFEST.replace("purpose: chat", "purpose: talk"))
    with pytest.raises(BadInput, match="purpose of the model") as refused:
        run("plan")
    assert "models.yaml:2" in refused.value.where
