"""A Redis that speaks TLS only, as somebody else's server: Debian's own, with a certificate of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sutazai_ops.engines import daemons
from sutazai_ops.errors import ExitCode

pytestmark = [pytest.mark.servers, pytest.mark.debian]

PASSWORD = "only-over-tls"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    made = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
    ]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def port(certificate):
    port = daemons.free_port()
    command = [
        "redis-server", "--port", "0", "--tls-port", str(port), "--tls-cert-file", certificate / "cert.pem",
        "--tls-key-file", certificate / "key.pem", "--tls-ca-cert-file", certificate / "cert.pem",
        "--tls-auth-clients", "no", "--requirepass", PASSWORD, "--repl-diskless-sync-delay", "0", "--save", "",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=certificate, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("Ready to accept connections" in line for line in server.stdout)
            yield port
        finally:
            server.terminate()


@pytest.fixture
def run(tmp_path, port):
    (tmp_path / "password").touch(mode=0o600)
    (tmp_path / "password").write_text(PASSWORD)

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("SUTAZAI_", "SSL_CERT"))}
        named = {
            "SUTAZAI_HOME": str(tmp_path / "home"),
            "SUTAZAI_ENGINE": "embedded",
            "SUTAZAI_EXTERNAL__REDIS__ADDRESS": f"rediss://localhost:{port}",
            "SUTAZAI_EXTERNAL__REDIS__PASSWORD_FILE": str(tmp_path / "password"),
        }
        command = [sys.executable, "-m", "sutazai_ops.cli", *words]
        return subprocess.run(command, env=clean | named | variables, capture_output=True, text=True, check=False)

    return run


def test_a_redis_that_speaks_tls_only_is_backed_up_and_proved(run, certificate):
    done = run("backup", "run", "--services", "redis", "--json", SSL_CERT_FILE=str(certificate / "cert.pem"))
    assert done.returncode == ExitCode.DONE, done.stderr
    listed = json.loads(run("backup", "list", "--json").stdout)
    assert [one["outcome"] for one in listed["sets"]] == ["verified"]


def test_a_certificate_that_nobody_vouches_for_is_refused_in_one_sentence(run):
    done = run("backup", "run", "--services", "redis")
    assert done.returncode == ExitCode.CANNOT
    assert "certificate" in done.stderr
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr
