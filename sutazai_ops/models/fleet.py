"""Every Ollama of an installation with the models that it should have: what is seen of it, and what its plan is."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sutazai_ops.deployment.release import Releases
from sutazai_ops.disk import free_bytes
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.lock import held_by
from sutazai_ops.models.manifest import consumers, not_in_manifest, read_manifest, server_of, tagged, unknown
from sutazai_ops.models.memory import reckoned, server
from sutazai_ops.models.ollama import Ollama
from sutazai_ops.models.pins import pins_of, read_lock
from sutazai_ops.models.plan import Seen, plan_models
from sutazai_ops.monitoring.exporter.collectors.models import address_of
from sutazai_ops.monitoring.servers import is_ollama

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.models.manifest import Manifest, Wanted
    from sutazai_ops.models.memory import Server
    from sutazai_ops.models.pins import Lock
    from sutazai_ops.models.plan import Plan
    from sutazai_ops.platform import Service

FOLDER = "/root/.ollama"
"""Where the image of Ollama keeps its models."""


@dataclass(frozen=True, slots=True)
class House:
    """One Ollama, and the models that it should have."""

    service: Service
    server: Server
    """What it may use."""
    ollama: Ollama
    wanted: Sequence[Wanted]


class Fleet:
    """The models of an installation."""

    def __init__(self, here: Installation) -> None:
        self.here = here

    @cached_property
    def manifest(self) -> Manifest:
        """What there should be; raises `BadInput` for a file that is wrong."""
        return read_manifest(self.here.platform, self.here.settings.models.manifest)

    @property
    def lock_file(self) -> Path:
        """The file of digests."""
        return self.here.settings.models_lock

    @cached_property
    def lock(self) -> Lock:
        """The digests that were written down."""
        return read_lock(self.lock_file)

    @property
    def pins(self) -> dict[str, str]:
        """The digest that each model has to have."""
        return pins_of(self.manifest, self.lock)

    @cached_property
    def users(self) -> dict[str, list[str]]:
        """The services that name each model."""
        return consumers(self.here.platform, self.manifest)

    @property
    def strangers(self) -> list[str]:
        """What services ask for and the manifest does not have, as sentences."""
        return not_in_manifest(self.manifest, self.users)

    def lock_of(self, house: House, model: str) -> Path:
        """The folder whose lock keeps two pulls of one model from being two."""
        return self.here.settings.home / "models" / house.server.name / re.sub(r"[^\w.\-]", "_", model)

    def under_way(self, house: House) -> list[str]:
        """The models of one Ollama that somebody is pulling."""
        return [model.name for model in house.wanted if held_by(self.lock_of(house, model.name))]

    def houses(self, names: Iterable[str] = ()) -> list[House]:
        """Every Ollama with its models, or with those of these names alone.

        Raises:
            BadInput: for a name that the manifest does not have, and where the platform has no Ollama at all.
        """
        services = [service for service in self.here.platform if is_ollama(service)]
        chosen = self.manifest.select(names)
        if not services:
            raise BadInput(
                "no service of the platform holds models",
                where=str(self.here.platform.folder),
                remedy="give one a probe of the kind ollama",
            )
        return [
            House(
                service,
                server(service.name, self._definition(service)),
                self._open(service),
                [model for model in chosen if server_of(model, services) is service],
            )
            for service in services
        ]

    def house_of(self, name: str) -> tuple[House, str]:
        """The Ollama that has a model on its disk, and the model's full name, whether the manifest knows it or not.

        Raises:
            BadInput: for one that neither has; names the nearest that there is.
        """
        known: list[str] = []
        for house in self.houses():
            there = [one.name for one in house.ollama.present()]
            if tagged(name) in there:
                return house, tagged(name)
            known += there
        raise unknown(name, [*self.manifest.models, *known], str(self.manifest.file))

    def look(self, house: House) -> Seen:
        """What one Ollama has now; raises `OpsError` where it does not answer."""
        present, loaded = house.ollama.present(), house.ollama.in_memory()
        where = house.server
        wanted = {model.name: model for model in house.wanted if model.warm}
        takes: dict[str, int] = {}
        for one in present:
            if one.name in wanted and one.name not in {other.name for other in loaded}:
                size = reckoned(one.size, house.ollama.shape(one.name), where, wanted[one.name].context)
                takes |= {} if size is None else {one.name: size}
        takes |= {one.name: one.size for one in loaded}
        return Seen(where, present, loaded, takes, self._free(house.service))

    def plan(self, house: House, seen: Seen | None = None) -> Plan:
        """What is to be done about one Ollama's models."""
        return plan_models(house.wanted, seen or self.look(house), self.pins, self.users, self.manifest.models)

    def plans(self, names: Iterable[str] = ()) -> Iterator[tuple[House, Seen, Plan]]:
        """What is to be done about each."""
        for house in self.houses(names):
            seen = self.look(house)
            yield house, seen, self.plan(house, seen)

    def _definition(self, service: Service) -> Mapping[str, Any]:
        """As it runs: what the current release means, which later phases may have changed; else what its file says."""
        release = Releases(self.here.settings.releases).current()
        released = release.services.get(service.name) if release else None
        return released.definition if released else service.compose

    def _open(self, service: Service) -> Ollama:
        address = self.here.settings.models.address or address_of(self.here.engine, service)
        return Ollama(address, service.name)

    def _free(self, service: Service) -> int | None:
        if self.here.settings.models.address:
            # What the engine could tell is the disk of another one.
            return None
        engine = self.here.engine
        with suppress(OpsError):
            return free_bytes(engine.data_folder(service.name))
        with suppress(OpsError, ValueError, IndexError):
            # POSIX: a head, and one line of size, used and free in units of 1024 bytes.
            return int(engine.execute(service.name, ["df", "-Pk", FOLDER]).splitlines()[-1].split()[-3]) * 1024
        return None
