"""What is generated for an installation, kept until something that it is made of changes.

Generating takes longer than all else that is done when Dagster loads its definitions or somebody asks for a plan. What
was made is therefore kept with a digest of everything that it follows from: this program's own files, the settings, the
platform, and the YAML files that either names. A cache that cannot be read or written costs time, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sutazai_ops.disk import write_whole
from sutazai_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sutazai_ops.generated_folder import Files
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Settings

PROGRAM = Path(__file__).parent
YAML = (".yaml", ".yml")


def kept_or_made(settings: Settings, platform: Platform, make: Callable[[], Files]) -> Files:
    """What `make` made the last time if it would make the same now, else what it makes now; raises as it does."""
    cache = settings.home / "cache" / "configuration.json"
    digest = _digest(settings, platform)
    kept = _kept(cache, digest)
    if kept is not None:
        return kept
    files = make()
    # Whoever needs no configuration needs no folder for it either.
    if files:
        _keep(cache, digest, files)
    return files


def _digest(settings: Settings, platform: Platform) -> str:
    """Of all that the files follow from."""
    digest = hashlib.sha256()
    for part in (settings.model_dump_json(), platform.model_dump_json(), *_program(), *_named(settings, platform)):
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()


def _program() -> Iterator[str]:
    """Each file of this program as it stands on the disk: whoever works on it changes no version."""
    for path in sorted(PROGRAM.rglob("*")):
        if path.suffix in {".py", *YAML}:
            facts = path.stat()
            yield f"{path} {facts.st_size} {facts.st_mtime_ns}"


def _named(settings: Settings, platform: Platform) -> Iterator[str]:
    """The YAML files that the settings name, and those beside the platform."""
    for path in (*_paths(settings.model_dump()), *sorted(platform.folder.iterdir())):
        if path.suffix in YAML:
            yield f"{path} {_content(path)}"


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        # Whoever needs it says what is wrong with it.
        return ""


def _paths(value: Any) -> Iterator[Path]:  # noqa: ANN401
    below: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    for one in below:
        yield from _paths(one)
    if isinstance(value, Path):
        yield value


def _kept(cache: Path, digest: str) -> Files | None:
    try:
        kept = json.loads(cache.read_bytes())
        files: Files = kept["files"]
        return files if kept["made_of"] == digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(cache: Path, digest: str, files: Files) -> None:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cache, json.dumps({"made_of": digest, "files": files}).encode())
    except (OSError, OpsError):
        # The next one makes it anew, which is all that is lost.
        return
