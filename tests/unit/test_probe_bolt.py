"""The handshake of Bolt: who answers it as Neo4j does, and who does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_servers import Somewhere, hang, page, reset, service, serving

from sutazai_ops.engines.daemons import free_port
from sutazai_ops.monitoring.probes import Outcome, ProbeState, run_probe
from sutazai_ops.monitoring.probes.bolt import HANDSHAKE, judge_handshake
from sutazai_ops.platform import Probe

BOLT = Probe(kind="neo4j", port=7687, timeout_seconds=0.5)


def ask(behave) -> Outcome:
    with serving(behave) as port:
        return run_probe(service(), BOLT, Somewhere(web=port))


def says(*parts: bytes):
    """Answers the handshake, and nothing else, with these parts."""

    def behave(connection, over) -> None:
        if connection.recv(64) == HANDSHAKE:
            for part in parts:
                connection.sendall(part)
                over.wait(0.02)

    return behave


def test_the_handshake_is_the_magic_number_and_four_proposals():
    assert HANDSHAKE.hex(" ", 4) == "6060b017 00080805 00020404 00000104 00000003"


@pytest.mark.parametrize("parts", [[b"\0\0\x08\x05"], [b"\0", b"\0\x08", b"\x05"]])
def test_a_server_that_speaks_bolt_is_ok_and_says_which(parts):
    outcome = ask(says(*parts))
    assert (outcome.state, outcome.because) == (ProbeState.OK, "it speaks Bolt 5.8")
    assert outcome.facts == {"bolt": "5.8"}


def test_a_server_that_speaks_none_of_our_versions_has_failed():
    assert ask(says(bytes(4))).because == "it speaks none of the versions 3 to 5.8 of Bolt"


@pytest.mark.parametrize("behave", [page(400), reset, says(b"\0\0"), says(b"HTTP/1.1 400 Bad Request")])
def test_whoever_answers_otherwise_has_failed(behave):
    assert ask(behave).state is ProbeState.FAILED


def test_whoever_is_silent_has_failed_within_the_time():
    outcome = ask(hang)
    assert (outcome.state, outcome.seconds < 1.5) == (ProbeState.FAILED, True)
    assert "within 0.5 s" in outcome.because


def test_a_closed_port_has_failed():
    assert "refuses" in run_probe(service(), BOLT, Somewhere(web=free_port())).because


@given(st.binary(max_size=8))
def test_what_is_ok_chose_a_version(answer):
    judgement = judge_handshake(answer)
    assert judgement.because
    if judgement.state is ProbeState.OK:
        assert len(answer) == 4
        assert answer[:2] == bytes(2)
        assert any(answer[2:])
