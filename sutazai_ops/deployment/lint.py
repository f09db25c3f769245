"""What a release may not be: the rules that Compose does not have and that somebody has paid for.

Each rule is a function from a release to findings, which name service and key. What would certainly fail or lose data
is refused; the rest is shown, and refused where the settings are strict. A finding that is meant stands in the
service's own file as `x-sutazai: allow: {rule: reason}`, so that an exception and its reason are read together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from sutazai_ops.deployment.ports import published
from sutazai_ops.errors import BadInput
from sutazai_ops.platform.infer import image_name
from sutazai_ops.platform.mounts import Kind, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sutazai_ops.deployment.release import Release, ReleasedService
    from sutazai_ops.platform import Platform

FATAL = frozenset({"port", "volume-path", "container-name"})
"""The rules that are never only shown: the deployment would fail half-way, or data would go with a container."""
ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104  (read, not bound)
LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1")
DATA_PATHS = {
    "postgres": ("/var/lib/postgresql", "/var/lib/postgresql/data"),
    "redis": ("/data",),
    "valkey": ("/data",),
    "chroma": ("/data",),
    "qdrant": ("/qdrant/storage",),
    "neo4j": ("/data",),
    "prometheus": ("/prometheus",),
    "grafana": ("/var/lib/grafana",),
    "loki": ("/loki",),
}
"""Where well-known images keep their data; a volume beside it is an anonymous one that a recreation leaves behind."""
CHROMA_BEFORE_1 = ("/chroma/chroma",)
"""https://docs.trychroma.com/docs/overview/migration, v1.0.0."""
POSTGRES_MOVED = 18
"""From this major on the image's volume is one level higher (docker-library/postgres#1259)."""
_LITERAL = re.compile(r"pass(word|wd)?$|secret|token$|api_?key|_key$|private_?key", re.IGNORECASE)
_IS_REFERENCE = re.compile(r"_FILE$|_PATH$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one service."""

    service: str
    rule: str
    what: str
    remedy: str


def lint(release: Release, platform: Platform) -> list[Finding]:
    """Every finding that the platform does not allow with a reason, in the order of the release."""
    return [
        finding
        for service in release.services.values()
        for rule in RULES
        for finding in rule(service, release, platform)
        if finding.rule not in _allowed(service.name, platform)
    ] + [
        finding
        for rule in RULES_OF_ALL
        for finding in rule(release)
        if finding.rule not in _allowed(finding.service, platform)
    ]


def refuse_findings(findings: Sequence[Finding], platform: Platform, *, strict: bool) -> None:
    """Raise `BadInput` for the first finding that is fatal, or for the first of all where the settings are strict."""
    refused = [finding for finding in findings if strict or finding.rule in FATAL]
    if refused:
        first = refused[0]
        more = f" ({len(refused) - 1} more of such: sutazai-ops plan shows them)" if len(refused) > 1 else ""
        service = platform.services.get(first.service)
        where = f"{service.file}, service {first.service}" if service else first.service
        raise BadInput(f"{first.service}: {first.what}{more}", where=where, remedy=first.remedy)


def _allowed(name: str, platform: Platform) -> Mapping[str, str]:
    service = platform.services.get(name)
    return service.allow if service else {}


def _one_shot_is_adopted(service: ReleasedService, release: Release, *_: object) -> Iterator[Finding]:
    # `up --wait` calls a one-shot that nobody waits for a failure (docker/compose#10596), and so does whoever runs the
    # release by hand.
    if service.one_shot and not any(_waits_for(other.definition, service.name) for other in release.services.values()):
        yield Finding(
            service.name,
            "one-shot",
            "it ends by itself, and no service waits for its end",
            f"let one depend on it: depends_on: {{{service.name}: {{condition: service_completed_successfully}}}}",
        )


def _waits_for(definition: Mapping[str, Any], name: str) -> bool:
    depends_on = definition.get("depends_on") or {}
    how = depends_on.get(name) if isinstance(depends_on, dict) else None
    return isinstance(how, dict) and how.get("condition") == "service_completed_successfully"


def _is_not_public(service: ReleasedService, _: Release, platform: Platform) -> Iterator[Finding]:
    known = platform.services.get(service.name)
    if known and known.proxy:
        return
    for port in published(service.definition):
        if not LOOPBACK.fullmatch(port.address):
            yield Finding(
                service.name,
                "public",
                f"its port {port.outside} is open on {port.address}, past the firewall (Docker's rules come before it)",
                f'publish it on the loopback: "127.0.0.1:{port.outside}:{port.inside}", and let the proxy lead to it',
            )


def _has_no_literal_secret(service: ReleasedService, _: Release, platform: Platform) -> Iterator[Finding]:
    for place, name, value in _variables(service, platform):
        if value and _LITERAL.search(name) and not _IS_REFERENCE.search(name) and not _harmless(value):
            yield Finding(
                service.name,
                "literal-secret",
                f"{place}.{name} holds a secret, which `docker inspect` shows to everybody who may call it",
                "put it into a file: a top-level secret, and the _FILE variable or a shim that reads /run/secrets",
            )


def _variables(service: ReleasedService, platform: Platform) -> Iterator[tuple[str, str, str]]:
    """Each variable that the container is given: where it is set, its name, its value."""
    for name, value in _environment(service.definition).items():
        yield "environment", name, value
    if service.name not in platform.services:
        return
    for source in sources(platform, service.name, ()):
        if source.kind is Kind.ENV_FILE and source.path.is_file():
            for name, given in dotenv_values(source.path, interpolate=False).items():
                yield f"env_file {source.path.name}", name, given or ""


def _environment(definition: Mapping[str, Any]) -> dict[str, str]:
    given = definition.get("environment") or {}
    pairs = given.items() if isinstance(given, dict) else (str(entry).partition("=")[::2] for entry in given)
    return {str(name): str(value or "") for name, value in pairs}


def _harmless(value: str) -> bool:
    return value.startswith("/") or value.lower() in {"true", "false", "none", ""} or value.isdigit()


def _mounts_no_socket(service: ReleasedService, *_: object) -> Iterator[Finding]:
    for source, target in _mounts(service.definition):
        if source.endswith("docker.sock") or target.endswith("docker.sock"):
            yield Finding(
                service.name,
                "docker-socket",
                "it mounts Docker's socket, and whoever owns it owns the host",
                "remove the mount, or put a socket proxy with an allow-list between",
            )


def _keeps_its_data(service: ReleasedService, *_: object) -> Iterator[Finding]:
    image = str(service.definition.get("image", ""))
    expected = _data_paths(image, _environment(service.definition))
    # A file or folder of the host is configuration; where there is no volume at all, the service is a client.
    targets = [
        target.rstrip("/") for source, target in _mounts(service.definition) if not source.startswith((".", "/"))
    ]
    if expected and targets and not set(expected) & set(targets):
        yield Finding(
            service.name,
            "volume-path",
            f"{image} keeps its data in {expected[0]}, where nothing is mounted: it would be lost with the container",
            f"mount the volume at {expected[0]}",
        )


def _data_paths(image: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where an image of this version keeps its data; nothing where that is not known."""
    name = image_name(image)
    found = re.match(r"\d+", image.partition("@")[0].rpartition(":")[2])
    major = int(found[0]) if found else None
    if name == "postgres" and (major is not None or "PGDATA" in environment):
        has_moved = major is None or major >= POSTGRES_MOVED
        return _postgres_paths(DATA_PATHS[name][0 if has_moved else 1], environment.get("PGDATA"))
    if name == "chroma" and major == 0:
        return CHROMA_BEFORE_1
    return DATA_PATHS.get(name, ())


def _postgres_paths(own: str, data: str | None) -> tuple[str, ...]:
    """Where a volume keeps the data, from the volume of the image itself and from PGDATA where that is set."""
    if data is None:
        return (own,)
    place = PurePosixPath(data)
    above = (place, *place.parents)
    # A volume above the image's own is hidden by an anonymous one from there on.
    is_inside = place.is_relative_to(own)
    return tuple(str(one) for one in above if not is_inside or one.is_relative_to(own))


def _mounts(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entry in definition.get("volumes") or ():
        if isinstance(entry, dict):
            yield str(entry.get("source", "")), str(entry.get("target", ""))
        else:
            source, _, rest = str(entry).partition(":")
            yield (source, rest.partition(":")[0]) if rest else ("", source)


def _has_no_fixed_name(service: ReleasedService, *_: object) -> Iterator[Finding]:
    if "container_name" in service.definition and service.start_first:
        yield Finding(
            service.name,
            "container-name",
            "a fixed container_name leaves no room for a new version beside the old one",
            "remove container_name",
        )


def _ports_are_free(release: Release) -> Iterator[Finding]:
    taken: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for service in release.services.values():
        for port in sorted(published(service.definition), key=str):
            holders = taken.setdefault((port.outside, port.protocol), [])
            others = [name for name, address in holders if name != service.name and _meet(address, port.address)]
            holders.append((service.name, port.address))
            if others:
                yield Finding(
                    service.name,
                    "port",
                    f"it publishes port {port.outside}, and {others[0]} does too",
                    "give one of them another port",
                )


def _meet(one: str, other: str) -> bool:
    """Whether what listens at one address takes the port from what listens at the other."""
    return one == other or bool(ANYWHERE & {one, other})


def _aliases_are_free(release: Release) -> Iterator[Finding]:
    """A name that two services have on one network leads to either of them, now to the one, now to the other."""
    taken: dict[tuple[str, str], str] = {}
    for service in release.services.values():
        for network, names in _names_on_networks(service, release).items():
            for name in names:
                other = taken.setdefault((network, name), service.name)
                if other != service.name:
                    yield Finding(
                        service.name,
                        "alias",
                        f"on the network {network} it is called {name}, and {other} is too: clients get now one, now"
                        " the other",
                        "give one of them another name, or allow it with the reason where that is meant",
                    )


def _names_on_networks(service: ReleasedService, release: Release) -> dict[str, list[str]]:
    """By the name of each network that it joins: what it is called there."""
    phase = release.phases[service.phase]
    joined = service.definition.get("networks") or {"default": None}
    joined = joined if isinstance(joined, dict) else dict.fromkeys(joined)
    own = [str(name) for name in (service.name, service.definition.get("container_name")) if name]
    found = {}
    for key, how in joined.items():
        known = (phase.top.get("networks") or {}).get(key) or {}
        network = str(known.get("name") or f"{phase.project}_{key}")
        found[network] = list(dict.fromkeys([*own, *map(str, (how or {}).get("aliases") or ())]))
    return found


RULES: tuple[Callable[[ReleasedService, Release, Platform], Iterator[Finding]], ...] = (
    _one_shot_is_adopted,
    _is_not_public,
    _has_no_literal_secret,
    _mounts_no_socket,
    _keeps_its_data,
    _has_no_fixed_name,
)
RULES_OF_ALL: tuple[Callable[[Release], Iterator[Finding]], ...] = (_ports_are_free, _aliases_are_free)
"""Those that hold services against each other."""
