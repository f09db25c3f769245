"""What the watched platform has beside the packaged one, to break: a disk, a TLS server, and replicas.

A TLS server shows certificates that this makes, and that the exporter is told to trust. Prometheus scrapes an exporter
of a PostgreSQL replica; that and one of Redis run as long as a test asks for them.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING

from docker.models.containers import Container
from projects import PROJECT_LABEL, SERVICE_LABEL

if TYPE_CHECKING:
    from .platform import Watched

SHORT_DAYS, LONG_DAYS = 3, 365
DISK_BYTES = 64 * 1024**2
SERVICES = """
name: {name}-watched
services:
  tls-server:
    image: caddy:2.11.7-alpine
    command: [caddy, run, --config, /certificate/Caddyfile, --adapter, caddyfile]
    volumes: ["{home}/certificate:/certificate:ro"]
    networks: [front]
    x-sutazai:
      tier: stateless
      backup: none
      probes: [{{kind: tcp, port: 8443, tls: tls-server.test}}]
  replica-exporter:
    image: quay.io/prometheuscommunity/postgres-exporter:v0.20.1
    user: "65534:65534"
    environment:
      DATA_SOURCE_URI: {name}-postgres-replica:5432/sutazai?sslmode=disable
      DATA_SOURCE_USER: sutazai
      DATA_SOURCE_PASS_FILE: /run/secrets/postgres-password
    secrets: [postgres-password]
    networks: [monitoring, data]
    x-sutazai:
      tier: stateless
      backup: none
      metrics: 9187
      probes: [{{kind: http, port: 9187, path: /}}]
networks:
  front: {{name: {name}-front, external: true, x-sutazai: {{internal: true}}}}
  data: {{name: {name}-data, external: true, x-sutazai: {{internal: true}}}}
  monitoring: {{name: {name}-monitoring, external: true, x-sutazai: {{internal: true}}}}
secrets:
  postgres-password:
    file: ${{SECRETS_FOLDER:-./secrets}}/postgres-password
    x-sutazai: {{generate: "{{hex:24}}"}}
"""
CADDYFILE = """
{
    admin off
    auto_https off
}
https://tls-server.test:8443 {
    tls /certificate/shown.pem /certificate/shown.key
    respond ok
}
"""
REPLICATES = """
until pg_basebackup -d "host=postgres user=sutazai password=$(cat /run/secrets/postgres-password)" -D $PGDATA -R -c fast
do sleep 1; done
chmod 0700 $PGDATA
exec postgres
"""
FOLLOWS = 'exec redis-server --replicaof redis 6379 --masterauth "$(cat /run/secrets/redis-password)"'


def add_services(platform: Path, home: Path, name: str) -> None:
    """Add a phase to the platform of this name, and have its exporter trust the certificates."""
    (platform / "watched.yaml").write_text(SERVICES.format(name=name, home=home))
    folder = home / "certificate"
    folder.mkdir()
    (folder / "Caddyfile").write_text(CADDYFILE)
    for days in (SHORT_DAYS, LONG_DAYS):
        _make_certificate(folder, days)
    (folder / "trusted.pem").write_text("".join(one.read_text() for one in sorted(folder.glob("days-*.pem"))))
    show_certificate(home, LONG_DAYS)
    file, to_docker = platform / "monitoring.yaml", "      DOCKER_HOST: tcp://docker-proxy:2375\n"
    trusting = f"{to_docker}      SSL_CERT_FILE: {folder}/trusted.pem\n"
    assert to_docker in file.read_text()
    file.write_text(file.read_text().replace(to_docker, trusting))


def show_certificate(home: Path, days: int) -> None:
    """Lay the certificate that is good for so long where the TLS server reads it when it starts."""
    for kind in ("pem", "key"):
        (home / f"certificate/shown.{kind}").write_text((home / f"certificate/days-{days}.{kind}").read_text())


def _make_certificate(folder: Path, days: int) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    about = ["-days", str(days), "-subj", f"/CN=good for {days} days", "-addext", "subjectAltName=DNS:tls-server.test"]
    files = ["-keyout", f"{folder}/days-{days}.key", "-out", f"{folder}/days-{days}.pem"]
    subprocess.run([*made, *about, *files], check=True, capture_output=True)


class SmallDisk:
    """A file system of its own at `folder`, small enough to be filled in a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Leave almost nothing free."""
        (self.folder / "fills-it").write_bytes(bytes(int(disk_usage(self.folder).free * 0.97)))

    def empty(self) -> None:
        """Free what was filled."""
        (self.folder / "fills-it").unlink()


@contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """One that is mounted until the context ends."""
    with tempfile.TemporaryDirectory(prefix="watched-", dir="/var/tmp") as made:
        image, folder = Path(made) / "image", Path(made) / "disk"
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        folder.mkdir()
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", image, folder], check=True, capture_output=True)
        # Whoever measures it is nobody.
        for one in (Path(made), folder):
            one.chmod(0o755)
        try:
            yield SmallDisk(folder)
        finally:
            subprocess.run(["umount", folder], check=True, capture_output=True)


@contextmanager
def postgres_replica(watched: Watched) -> Iterator[Container]:
    """A streaming replica of the platform's database, until the context ends."""
    allow = "echo 'host replication all all scram-sha-256' >> $PGDATA/pg_hba.conf && pg_ctl reload"
    done = watched.containers()["postgres"].exec_run(["sh", "-c", allow])
    assert done.exit_code == 0, done.output
    with _beside(watched, "postgres", "data", ["bash", "-euc", REPLICATES]) as container:
        yield container


@contextmanager
def redis_replica(watched: Watched) -> Iterator[Container]:
    """A replica of the platform's Redis, until the context ends."""
    with _beside(watched, "redis", "queue", ["sh", "-euc", FOLLOWS]) as container:
        yield container


@contextmanager
def _beside(watched: Watched, service: str, network: str, command: list[str]) -> Iterator[Container]:
    name, secret = f"{service}-replica", f"{service}-password"
    container = watched.client.containers.run(
        watched.containers()[service].image.id,
        command,
        name=f"{watched.name}-{name}",
        user=service,
        network=f"{watched.name}-{network}",
        volumes=[f"{watched.home}/secrets/{secret}:/run/secrets/{secret}:ro"],
        labels={PROJECT_LABEL: f"{watched.name}-replicas", SERVICE_LABEL: name},
        detach=True,
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)
