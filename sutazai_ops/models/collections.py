"""How long the vectors are that a vector store's collections take, as the stores themselves say.

A collection takes vectors of one length, given when it was made. A model whose vectors are of another length is refused
by it at the first text that is stored, which may be weeks after somebody has changed the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sutazai_ops import http
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.models.manifest import VECTOR_STORES
from sutazai_ops.monitoring.probes.http import written
from sutazai_ops.platform.model import PROBE_PORTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Platform, Service

SECONDS = 5.0
CHROMA = "/api/v2/tenants/default_tenant/databases/default_database/collections"
"""https://docs.trychroma.com: where nobody says otherwise, one tenant has one database."""


def kind_of(service: Service) -> str | None:
    """Which vector store it is; None for none that we know to ask."""
    return next((probe.kind for probe in service.probes if probe.kind in VECTOR_STORES), None)


def lengths(here: Installation, store: str, names: Sequence[str]) -> dict[str, int | None]:
    """How long the vectors of these collections are; None for one that is not there, or takes any.

    Raises:
        OpsError: when the store does not say.
    """
    service = here.platform.service(store)
    kind = kind_of(service)
    address = written(here.engine.endpoint(service.name, PROBE_PORTS[kind or "qdrant"]), "")
    if kind == "chroma":
        listed = _ask(f"{address}{CHROMA}", {}, service.name)
        found = {one.get("name"): one.get("dimension") for one in listed} if isinstance(listed, list) else {}
        return {name: found.get(name) for name in names}
    key = _key(here.platform, service)
    return {
        name: _of_qdrant(_ask(f"{address}/collections/{quote(name, safe='')}", key, service.name)) for name in names
    }


def _of_qdrant(said: Any) -> int | None:  # noqa: ANN401
    """The length of a collection: of its one vector, or of the one kind that several have in common.

    https://api.qdrant.tech/api-reference/collections/get-collection
    """
    try:
        vectors = said["result"]["config"]["params"]["vectors"]
    except (KeyError, TypeError):
        return None
    sizes = {vectors["size"]} if "size" in vectors else {one.get("size") for one in vectors.values()}
    return sizes.pop() if len(sizes) == 1 else None


def _ask(url: str, headers: Mapping[str, str], store: str) -> Any:  # noqa: ANN401
    answer = http.get(url, seconds=SECONDS, headers=headers)
    if answer.status == http.NOT_FOUND:
        return None
    if answer.status != http.OK:
        raise OpsError(f"{store} does not tell its collections: it answers {answer.status}", where=store)
    try:
        return json.loads(answer.body)
    except ValueError:
        raise OpsError(f"{store} does not tell its collections: its answer is no JSON", where=store) from None


def _key(platform: Platform, service: Service) -> dict[str, str]:
    """What shows Qdrant who asks; nothing where it asks nobody."""
    if service.login is None or service.login.secret is None:
        return {}
    secrets = platform.phase(service.phase).top.get("secrets", {})
    file = (secrets.get(service.login.secret) or {}).get("file", "")
    try:
        return {"api-key": Path(file).read_text(encoding="utf-8").strip()}
    except OSError as error:
        raise BadInput(f"the key of {service.name} cannot be read: {error.strerror}", where=str(file)) from None
