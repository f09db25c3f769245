"""Probes of the kind `tcp`: whether somebody accepts a connection. It says little, so a kind that asks is better."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.monitoring.probes.outcome import right, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from sutazai_ops.engines import Engine
    from sutazai_ops.monitoring.probes.outcome import Judgement
    from sutazai_ops.platform import Probe, Service


def tcp_question(service: Service, probe: Probe, engine: Engine) -> Callable[[], Judgement]:
    """Where to connect; raises `OpsError` where the engine cannot say where that is."""
    endpoint = engine.endpoint(probe.through or service.name, probe.port)

    def ask() -> Judgement:
        try:
            with socket.create_connection((endpoint.host, endpoint.port), probe.timeout_seconds) as connection:
                if probe.tls is None:
                    return right(f"{endpoint} accepts connections")
                with ssl.create_default_context().wrap_socket(connection, server_hostname=probe.tls):
                    return right(f"{endpoint} shows a good certificate of {probe.tls}")
        except ssl.SSLCertVerificationError as error:
            return wrong(f"the certificate of {endpoint} is not taken: {error.verify_message}")
        except TimeoutError:
            return wrong(f"{endpoint} does not accept a connection within {human.duration(probe.timeout_seconds)}")
        except ConnectionRefusedError:
            return wrong(f"{endpoint} refuses the connection")
        except OSError as error:
            return wrong(f"{endpoint} cannot be reached: {(error.strerror or str(error)).lower()}")

    return ask
