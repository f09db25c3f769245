"""When certificates end: of each address at which a probe speaks TLS.

A certificate is looked at and not judged: one that has ended already, or that nobody here trusts, ends all the same at
the moment that it names. PostgreSQL is asked for TLS as its own protocol has it
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL).
"""

from __future__ import annotations

import socket
import ssl
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.measured import Measured, Round

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sutazai_ops.engines import Endpoint, Engine
    from sutazai_ops.platform import Service

SECONDS = 5.0
EVERY_SECONDS = 300.0
"""Certificates change seldom, and end to the day."""
SSL_REQUEST = struct.pack(">II", 8, 80877103)
UTC_TIME, GENERALIZED_TIME, VERSION = 0x17, 0x18, 0xA0
"""Tags of DER: ITU-T X.690; the last is the optional first field of a certificate."""


class CertificatesCollector:
    """A collector: when the certificates of services end."""

    name = "certificates"

    def __init__(
        self, engine: Engine, services: Callable[[], Sequence[Service]], *, interval: float, seconds: float = 30
    ) -> None:
        self.interval, self.seconds = max(interval, EVERY_SECONDS), seconds
        self._engine, self._services = engine, services

    def collect(self) -> Round:
        """Look at each; of several of one service the first to end counts."""
        ends: dict[str, datetime] = {}
        missing: list[str] = []
        for service in self._services():
            for ask in _questions(service, self._engine):
                try:
                    end = ask()
                except (OpsError, OSError, ValueError) as error:
                    what = error.what if isinstance(error, OpsError) else str(error)
                    missing.append(f"the certificate of {service.name} cannot be seen: {what}")
                else:
                    if end is not None:
                        ends[service.name] = min(end, ends.get(service.name, end))
        measured = [
            Measured("sutazai_certificate_expiry_timestamp_seconds", end.timestamp(), {"service": name})
            for name, end in ends.items()
        ]
        return Round(tuple(measured), tuple(missing))


def shows_certificates(service: Service) -> bool:
    """Whether a probe of it speaks TLS, or may."""
    return service.external is not None or any(probe.tls for probe in service.probes)


def _questions(service: Service, engine: Engine) -> Iterator[Callable[[], datetime | None]]:
    for probe in service.probes:
        if probe.tls:
            yield lambda probe=probe: end_of(  # type: ignore[misc]
                _shown(engine.endpoint(probe.through or service.name, probe.port), probe.tls)
            )
    if service.external:
        yield lambda: _of_external(engine.endpoint(service.name), service)


def _of_external(endpoint: Endpoint, service: Service) -> datetime | None:
    if endpoint.tls:
        return end_of(_shown(endpoint, None))
    if service.external and service.external.kind == "postgres":
        certificate = _shown(endpoint, None, before=_starts_tls)
        return end_of(certificate) if certificate else None
    return None


def _shown(endpoint: Endpoint, name: str | None, before: Callable[[socket.socket], bool] | None = None) -> bytes:
    """The certificate as the server shows it; nothing where it does not speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((endpoint.host, endpoint.port), SECONDS) as connection:
        if before is not None and not before(connection):
            return b""
        with context.wrap_socket(connection, server_hostname=name or endpoint.host) as speaking:
            return speaking.getpeercert(binary_form=True) or b""


def _starts_tls(connection: socket.socket) -> bool:
    connection.sendall(SSL_REQUEST)
    return connection.recv(1) == b"S"


def end_of(certificate: bytes) -> datetime:
    """When a certificate ends (RFC 5280, section 4.1); raises `ValueError` for what is none.

    Python's own `ssl` tells it of certificates that it trusts alone.
    """
    try:
        _, whole, _ = _part(certificate)
        _, signed, _ = _part(whole)
        tag, _, rest = _part(signed)
        if tag == VERSION:
            _, _, rest = _part(rest)
        # After the serial number: who signs how, the issuer, and from when to when it is good.
        for _ in range(2):
            _, _, rest = _part(rest)
        _, validity, _ = _part(rest)
        _, _, rest = _part(validity)
        tag, end, _ = _part(rest)
        return _moment(tag, end.decode("ascii"))
    except (IndexError, UnicodeDecodeError):
        raise ValueError("what it shows is no certificate") from None


def _part(content: bytes) -> tuple[int, bytes, bytes]:
    """The tag and the content of the first value, and what comes after it."""
    tag, length, start = content[0], content[1], 2
    if length & 0x80:
        digits = length & 0x7F
        length, start = int.from_bytes(content[2 : 2 + digits]), 2 + digits
    if start + length > len(content):
        raise IndexError
    return tag, content[start : start + length], content[start + length :]


def _moment(tag: int, text: str) -> datetime:
    # A year of two digits is one from 1950 to 2049 (RFC 5280, section 4.1.2.5.1), as for nobody but certificates.
    if tag == UTC_TIME:
        text = ("19" if text >= "5" else "20") + text
    elif tag != GENERALIZED_TIME:
        raise ValueError("what it shows is no certificate")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
