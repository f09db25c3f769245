"""Having Ollama take a model out of memory that would leave soonest by itself, since nobody asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops import http
from sutazai_ops.errors import OpsError, Refused
from sutazai_ops.monitoring.exporter.collectors.models import (
    FOR_EVER_SECONDS,
    address_of,
    loaded_models,
)
from sutazai_ops.monitoring.servers import is_ollama

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.monitoring.exporter.collectors.models import Loaded

SECONDS = 30.0


def unload_model(here: Installation, incident: IncidentEntry) -> str:
    """Unload one, never one that was told to stay; raises `Refused` where there is none."""
    servers = [one for one in here.platform if is_ollama(one) and incident.target in {one.name, "host"}]
    for service in servers or filter(is_ollama, here.platform):
        address = address_of(here.engine, service)
        if model := least_asked(loaded_models(address)):
            unload(address, model)
            return f"{service.name} took the model {model.name} out of memory"
    raise Refused("no model is in memory that may leave it")


def least_asked(models: list[Loaded]) -> Loaded | None:
    """The one that leaves soonest; None where all were told to stay."""
    leaving = [one for one in models if one.leaves_in <= FOR_EVER_SECONDS]
    return min(leaving, key=lambda one: one.leaves_in, default=None)


def unload(address: str, model: Loaded) -> None:
    """Ask for nothing and for no time in memory: https://github.com/ollama/ollama/blob/main/docs/api.md#unload-a-model."""
    asked = {"model": model.name, "keep_alive": 0, "stream": False}
    answer = http.post(f"{address}/api/generate", asked, seconds=SECONDS)
    if answer.status != http.OK:
        raise OpsError(f"Ollama does not unload {model.name}: it answers {answer.status}", where=address)
