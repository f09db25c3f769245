"""Has images on the host before anything is changed, several at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines.compose import daemon
from sutazai_ops.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from docker import APIClient

    from sutazai_ops.progress import Progress

AT_ONCE = 3
"""As Docker itself pulls layers (dockerd(8), max-concurrent-downloads)."""


def pull_missing(docker: APIClient, wanted: Mapping[str, str], progress: Progress) -> None:
    """Pull each image that the host lacks.

    Args:
        docker: the engine.
        wanted: image references by service.
        progress: told of each image.

    Raises:
        OpsError: naming the service and the image that cannot be had, and why.
    """
    missing = {image: service for service, image in wanted.items() if not _is_here(docker, image)}
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda one: _pull(docker, service=one[1], image=one[0], progress=progress), missing.items()))


def _is_here(docker: APIClient, image: str) -> bool:
    from docker.errors import NotFound

    with daemon.speaking(f"cannot look for the image {image}"):
        try:
            docker.inspect_image(image)  # type: ignore[no-untyped-call]
        except NotFound:
            return False
    return True


def _pull(docker: APIClient, *, service: str, image: str, progress: Progress) -> None:
    from docker.errors import APIError

    with progress.step(f"pull {image}") as advance, daemon.speaking(f"cannot pull {image} for {service}"):
        try:
            _read(docker.pull(image, stream=True, decode=True), advance)
        except (APIError, _PullFailed) as error:
            said = getattr(error, "explanation", None) or str(error)
            raise CommandFailed(
                f"the image {image} of {service} cannot be pulled: {said}",
                remedy="see whether the registry answers and the tag exists; nothing was changed",
            ) from None


class _PullFailed(Exception):
    """What a registry said in the middle of a pull."""


def _read(events: Any, advance: Callable[[int], None]) -> None:  # noqa: ANN401
    so_far: dict[str, int] = {}
    for event in events:
        if "error" in event:
            raise _PullFailed(event["error"])
        current = (event.get("progressDetail") or {}).get("current")
        if event.get("status") == "Downloading" and current:
            advance(current - so_far.get(event["id"], 0))
            so_far[event["id"]] = current
