"""Certificates on real TLS servers: when they end, and what a probe thinks of them."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_servers import OVER, page, service
from small_engine import SmallEngine

from sutazai_ops import http
from sutazai_ops.engines import Endpoint
from sutazai_ops.monitoring.exporter.collectors.certificates import CertificatesCollector, end_of
from sutazai_ops.monitoring.exporter.families import check
from sutazai_ops.monitoring.probes import ProbeState, run_probe
from sutazai_ops.platform import External, Probe

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")

NAME = "shop.example"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Certificates, made once each by the days for which they are good."""
    folder = tmp_path_factory.mktemp("certificates")

    def make(days: int = 90, name: str = NAME) -> str:
        file = folder / f"{name}-{days}.pem"
        if not file.exists():
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
            subprocess.run(
                [*command, *names, "-days", str(days), "-keyout", file, "-out", folder / "part.pem"],
                check=True, capture_output=True,
            )  # fmt: skip
            file.write_text(file.read_text() + (folder / "part.pem").read_text())
        return str(file)

    return make


@contextmanager
def speaking_tls(certificate: str, before=None):
    """A server that answers a page over TLS; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    over, behave = OVER(), page()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if before:
                before(connection)
            with context.wrap_socket(connection, server_side=True) as speaking:
                behave(speaking, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]


def days_left(found) -> dict[str, float]:
    check(found.measured)
    now = datetime.now(UTC).timestamp()
    return {one.labels["service"]: (one.value - now) / 86_400 for one in found.measured}


def collect(engine, *services):
    return CertificatesCollector(engine, lambda: services, interval=30).collect()


class TestEnds:
    def test_the_end_is_that_which_the_certificate_names(self, made):
        web = service(probes=[Probe(kind="http", port=443, tls=NAME)])
        with speaking_tls(made(days=90)) as port:
            found = collect(SmallEngine(web=port), web)
        assert days_left(found) == pytest.approx({"web": 90}, abs=0.1)
        assert found.missing == ()

    def test_one_that_nobody_trusts_or_that_is_for_another_name_ends_all_the_same(self, made):
        web = service(probes=[Probe(kind="tcp", port=443, tls="another.example")])
        with speaking_tls(made(days=1)) as port:
            assert days_left(collect(SmallEngine(web=port), web)) == pytest.approx({"web": 1}, abs=0.1)

    def test_of_several_the_first_to_end_counts(self, made):
        probes = [Probe(kind="tcp", port=port, tls=NAME) for port in (443, 444)]
        with speaking_tls(made(days=90)) as late, speaking_tls(made(days=30)) as soon:

            class Two(SmallEngine):
                def endpoint(self, service, port=None):
                    return Endpoint("127.0.0.1", late if port == 443 else soon)

            assert days_left(collect(Two(), service(probes=probes))) == pytest.approx({"web": 30}, abs=0.1)

    def test_a_certificate_of_the_next_century_is_read_too(self, made):
        with speaking_tls(made(days=40_000)) as port:
            web = service(probes=[Probe(kind="tcp", port=443, tls=NAME)])
            assert days_left(collect(SmallEngine(web=port), web)) == pytest.approx({"web": 40_000}, abs=0.1)

    def test_a_postgresql_of_somebody_else_is_asked_for_tls_as_it_wants(self, made):
        def negotiate(connection) -> None:
            assert connection.recv(8) == b"\x00\x00\x00\x08\x04\xd2\x16/"
            connection.sendall(b"S")

        theirs = service("db", external=External(address="postgresql://ops@db.example"))
        with speaking_tls(made(days=7), negotiate) as port:
            assert days_left(collect(SmallEngine(db=port), theirs)) == pytest.approx({"db": 7}, abs=0.1)

    def test_one_that_speaks_no_tls_has_no_end_and_is_no_fault(self, made):
        theirs = service("db", external=External(address="postgresql://ops@db.example"))
        with speaking_tls(made(), lambda connection: (connection.recv(8), connection.sendall(b"N"))) as port:
            found = collect(SmallEngine(db=port), theirs)
        assert (found.measured, found.missing) == ((), ())

    def test_what_cannot_be_reached_is_missing(self):
        found = collect(SmallEngine(), service(probes=[Probe(kind="tcp", port=443, tls=NAME)]))
        assert found.missing == ("the certificate of web cannot be seen: web does not run",)

    @given(st.binary(max_size=200))
    def test_whatever_is_no_certificate_is_refused(self, content):
        with pytest.raises(ValueError, match=r"certificate|time data"):
            end_of(content)


class TestProbes:
    @pytest.fixture
    def trusting(self, made, monkeypatch):
        """As on a machine that trusts whoever signed it."""
        http._trusted.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", made())
        yield
        http._trusted.cache_clear()

    @pytest.mark.parametrize("kind", ["http", "tcp"])
    def test_a_good_certificate_is_right(self, made, trusting, kind):
        with speaking_tls(made()) as port:
            outcome = run_probe(service(), Probe(kind=kind, port=443, tls=NAME), SmallEngine(web=port))
        assert (outcome.state, outcome.because) == (ProbeState.OK, outcome.because)

    @pytest.mark.parametrize("kind", ["http", "tcp"])
    def test_one_for_another_name_is_wrong(self, made, trusting, kind):
        with speaking_tls(made()) as port:
            outcome = run_probe(service(), Probe(kind=kind, port=443, tls="another.example"), SmallEngine(web=port))
        assert outcome.state is ProbeState.FAILED
        assert "is not taken: Hostname mismatch" in outcome.because

    @pytest.mark.parametrize("kind", ["http", "tcp"])
    def test_one_that_nobody_here_trusts_is_wrong(self, made, kind):
        with speaking_tls(made()) as port:
            outcome = run_probe(service(), Probe(kind=kind, port=443, tls=NAME), SmallEngine(web=port))
        assert outcome.state is ProbeState.FAILED
        assert "is not taken: self-signed certificate" in outcome.because

    def test_other_kinds_take_no_tls(self):
        with pytest.raises(ValueError, match="takes no tls"):
            Probe(kind="redis", tls=NAME)
