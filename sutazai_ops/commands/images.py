"""`images list` and `images lock`: which image each service runs, and the digests that releases name."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from sutazai_ops.deployment.images import Asked, Move

app = typer.Typer(help="Show and lock the images that services run.", no_args_is_help=True)

DIGEST_SHOWN = 19
"""Characters: `sha256:` and twelve digits, as Docker shows one."""


@app.command("list")
def list_(*, json: AsJson = False) -> None:
    """Show the image of each service, and its digest where that is locked. Touches no server."""
    from sutazai_ops.deployment.images import read_lock, references, refuse_unused

    terminal = Terminal()
    here = open_installation()
    refuse_unused(here.platform, here.settings.images)
    lock = read_lock(here.settings.images_lock)
    rows = [
        {
            "phase": here.platform.service(name).phase,
            "service": name,
            "image": reference,
            "instead_of": image if (image := here.platform.service(name).image) != reference else None,
            "digest": lock.digest(reference),
            "note": lock.images.get(reference, "not locked") if lock.digest(reference) is None else "",
        }
        for name, reference in references(here.platform, here.settings.images).items()
    ]
    columns = ["phase", "service", "image", "digest"]
    cells = [[row["phase"], row["service"], row["image"], _short(row["digest"] or row["note"] or "")] for row in rows]
    terminal.show(rows, lambda: terminal.table(columns, cells), json=json)


@app.command()
def lock(
    services: Annotated[list[str] | None, typer.Option("--service", help="Only its image; can be given again.")] = None,
    *,
    json: AsJson = False,
) -> None:
    """Ask the registries for the digest of each image, write them down, and show what moved."""
    from sutazai_ops.deployment.images import (
        DockerRegistry,
        ask,
        lock_to_write,
        moved,
        read_lock,
        references,
        write_lock,
    )

    terminal = Terminal()
    here = open_installation()
    wanted = {service.name for service in here.platform.select(services)}
    known = references(here.platform, here.settings.images)
    old = read_lock(here.settings.images_lock)
    asked_for = [reference for name, reference in known.items() if name in wanted and "@" not in reference]
    with terminal.progress(json=json) as progress:
        asked = ask(asked_for, old.only(known.values()), DockerRegistry(), progress)
    file = lock_to_write(here.settings)
    write_lock(asked.lock, file)
    moves = moved(old, asked.lock)
    facts = {"file": file, "moved": [asdict(move) for move in moves], "silent": asked.silent}
    terminal.show(facts, lambda: _show_lock(terminal, file, moves, asked), json=json)


def _show_lock(terminal: Terminal, file: Path, moves: list[Move], asked: Asked) -> None:
    if moves:
        rows = [[move.reference, _short(move.before or "none"), _short(move.after or "none")] for move in moves]
        terminal.table(["image", "was", "is"], rows)
    else:
        terminal.say("nothing moved")
    if asked.silent:
        terminal.say()
        kept = [
            [reference, "as it was" if asked.lock.digest(reference) else "unresolved", why]
            for reference, why in asked.silent.items()
        ]
        terminal.table(["not told", "digest", "because"], kept)
    terminal.say(f"\nwritten to {file}")


def _short(digest: str) -> str:
    return digest[:DIGEST_SHOWN] if digest.startswith("sha256:") else digest
