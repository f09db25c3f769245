"""Probes of the kind `neo4j`: over HTTP, or where they name the port of Bolt, by the handshake of its drivers.

Nobody logs in. https://neo4j.com/docs/bolt/current/bolt/handshake/ says what is sent and what comes back.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.monitoring.probes.http import http_question
from sutazai_ops.monitoring.probes.outcome import right, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from sutazai_ops.engines import Endpoint, Engine
    from sutazai_ops.monitoring.probes.outcome import Judgement
    from sutazai_ops.platform import Probe, Service

BOLT_PORT = 7687
HANDSHAKE = struct.pack(">5I", 0x6060B017, 0x00080805, 0x00020404, 0x00000104, 0x00000003)
"""The magic number and four proposals: versions 5.8 down to 5.0, 4.4 down to 4.2, 4.1, and 3."""
ANSWER_BYTES = 4
NONE_OF_THESE = bytes(ANSWER_BYTES)


def neo4j_question(service: Service, probe: Probe, engine: Engine) -> Callable[[], Judgement]:
    """Whom to ask, and in which protocol; raises `OpsError` where the engine cannot say where that is."""
    if probe.port != BOLT_PORT:
        return http_question(service, probe, engine)
    endpoint = engine.endpoint(probe.through or service.name, probe.port)
    return lambda: _ask(endpoint, probe.timeout_seconds)


def _ask(endpoint: Endpoint, seconds: float) -> Judgement:
    try:
        return judge_handshake(_shake_hands(endpoint, seconds))
    except TimeoutError:
        return wrong(f"{endpoint} gives no whole answer within {human.duration(seconds)}")
    except ConnectionRefusedError:
        return wrong(f"{endpoint} refuses the connection")
    except OSError as error:
        return wrong(f"{endpoint} cannot be reached: {(error.strerror or str(error)).lower()}")


def judge_handshake(answer: bytes) -> Judgement:
    """What a server says to the handshake: two zeros, then the minor and the major version that it chose."""
    if answer == NONE_OF_THESE:
        return wrong("it speaks none of the versions 3 to 5.8 of Bolt")
    if len(answer) != ANSWER_BYTES or answer[:2] != bytes(2):
        return wrong("it does not answer as Bolt demands")
    version = f"{answer[3]}.{answer[2]}"
    return right(f"it speaks Bolt {version}", bolt=version)


def _shake_hands(endpoint: Endpoint, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    answer = b""
    with socket.create_connection((endpoint.host, endpoint.port), seconds) as connection:
        connection.sendall(HANDSHAKE)
        while len(answer) < ANSWER_BYTES:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
            received = connection.recv(ANSWER_BYTES - len(answer))
            if not received:
                break
            answer += received
    return answer
