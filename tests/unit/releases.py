"""Releases and containers as the tests of deployment make them: short, and right unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sutazai_ops.deployment.release import Release, ReleasedPhase, ReleasedService
from sutazai_ops.engines import Container, Health, State
from sutazai_ops.platform import Platform, read_platform

DEFINITION = {
    "image": "shop/web:1.0",
    "networks": ["front"],
    "deploy": {"resources": {"limits": {"memory": "64M", "cpus": "0.5", "pids": 50}}},
}
TOP = {"networks": {"front": {"name": "shop-front", "external": True}}}


def service(
    name: str = "web", *, phase: str = "core", spec: str = "a" * 64, release: int = 1, **more
) -> ReleasedService:
    definition = {**DEFINITION, **more.pop("definition", {})}
    return ReleasedService(name=name, phase=phase, spec=spec, release=release, definition=definition, **more)


def release(*services: ReleasedService, number: int = 1, top: dict | None = None) -> Release:
    phases = {
        one.phase: ReleasedPhase(project=f"shop-{one.phase}", top=TOP if top is None else top) for one in services
    }
    return Release(number=number, phases=phases, services={one.name: one for one in services})


def container(name: str = "web", **more) -> Container:
    right = Container(
        id=f"id of {name}",
        name=f"shop-core-{name}-1",
        project="shop-core",
        state=State.RUNNING,
        health=Health.OK,
        image="shop/web:1.0",
        image_id="sha256:1",
        spec="a" * 64,
        release=1,
        memory=64 * 1024**2,
        cpus=0.5,
        pids=50,
        networks=frozenset({"shop-front"}),
    )
    return replace(right, **more)


def platform(folder: Path, **files: str) -> Platform:
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(text)
    return read_platform(folder)
