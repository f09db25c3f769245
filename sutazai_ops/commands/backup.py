"""`sutazai-ops backup …`: the night by hand, step by step or whole. The same functions that Dagster runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops import human
from sutazai_ops.errors import BadInput, Corrupt, OpsError
from sutazai_ops.installation import open_installation
from sutazai_ops.person import who
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from sutazai_ops.backups.manifest import Manifest, Verification
    from sutazai_ops.backups.night import Backups
    from sutazai_ops.backups.retention import RetentionPlan
    from sutazai_ops.backups.store import BackupSet

app = typer.Typer(help="Take, list, prove, keep and delete backup sets.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="SET", help='An id, its beginning, "newest" or "latest-verified".')]
Services = Annotated[
    str | None, typer.Option("--services", help="Only these services, separated by commas.", metavar="A,B")
]


@app.command("run")
def run_night(services: Services = None, json: AsJson = False) -> None:
    """Take a set, prove it by restoring it, then let old sets go."""
    from sutazai_ops.backups import night

    terminal, backups = Terminal(), _open()
    chosen = backups.services(split(services))
    ready = night.ready(backups, chosen)
    if not json:
        terminal.facts({"pre-flight": str(ready)})
    with terminal.progress(json=json) as progress:
        backup_set = night.take_set(backups, chosen, progress)
        rungs = night.rungs_due(backups.store.listing(), backups.settings.backup.restore_every)
        verification = night.prove_set(backups, backup_set, progress, rungs)
    manifest = backup_set.manifest()
    proven = _proof(verification, manifest)
    plan, gone = (None, []) if _bad(verification) else night.prune(backups, new_set=backup_set)
    facts = {"set": manifest.id, **proven, "deleted": gone, "refused": plan.refused if plan else ""}

    def show() -> None:
        seconds = (manifest.finished_at - manifest.started_at).total_seconds()
        lines = _proof_lines(verification, manifest)
        if plan:
            lines["kept"] = _kept_line(plan, gone)
        lines["set"] = f"{manifest.id}   {human.size(manifest.stored_bytes)}   taken in {human.duration(seconds)}"
        terminal.facts(lines)

    terminal.show(facts, show, json=json)
    _refuse_bad(verification)


@app.command("list")
def list_sets(json: AsJson = False) -> None:
    """Show every set, newest first."""
    terminal, backups = Terminal(), _open()
    listing = backups.store.listing()
    now = datetime.now(UTC)

    def show() -> None:
        terminal.table(
            ["set", "age", "size", "outcome", "restore takes", "services", "note"],
            [_row(one, now) for one in listing.sets],
            right=["age", "size", "restore takes"],
        )
        for sentence in listing.trouble:
            terminal.say(sentence)

    facts = {"sets": [_facts(one) for one in listing.sets], "complete": listing.complete, "trouble": listing.trouble}
    terminal.show(facts, show, json=json)


@app.command("show")
def show_set(ref: Which = "newest", json: AsJson = False) -> None:
    """Show what one set holds and what is known of it."""
    from sutazai_ops.backups import figures

    terminal, backups = Terminal(), _open()
    backup_set = backups.store.find(ref)
    manifest = backup_set.manifest()

    def show() -> None:
        now = datetime.now(UTC)
        terminal.facts(
            {
                "set": manifest.id,
                "taken": f"{human.since(manifest.taken_at, now)} ago ({manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC)",
                "outcome": backup_set.outcome.value,
                "pinned": f"{backup_set.pin.reason} ({backup_set.pin.by})" if backup_set.pin else "no",
                "folder": backup_set.folder,
            }
        )
        terminal.say()
        terminal.table(
            ["artifact", "stored", "raw", "sha256"],
            [
                (a.path, human.size(a.stored_bytes), human.size(a.raw_bytes), a.sha256[:16] + "…")
                for a in manifest.artifacts
            ],
            right=["stored", "raw"],
        )
        terminal.say()
        terminal.facts(_services_lines(manifest))
        if backup_set.verification:
            terminal.say()
            terminal.facts(_proof_lines(backup_set.verification, manifest))

    facts = {**_facts(backup_set), "artifacts": figures.of_artifacts(manifest), "services": manifest.services}
    terminal.show(facts, show, json=json)


@app.command("verify")
def verify_set(
    ref: Which = "newest",
    read: Annotated[bool, typer.Option("--read", help="Only read it through; do not restore it.")] = False,
    json: AsJson = False,
) -> None:
    """Prove one set: restore it into scratch servers and compare everything."""
    from sutazai_ops.backups import night
    from sutazai_ops.backups.manifest import Rung

    terminal, backups = Terminal(), _open()
    backup_set = backups.store.find(ref)
    manifest = backup_set.manifest()
    with terminal.progress(json=json) as progress:
        verification = night.prove_set(backups, backup_set, progress, night.READ_THROUGH if read else tuple(Rung))
    terminal.show(
        {"set": manifest.id, **_proof(verification, manifest)},
        lambda: terminal.facts(_proof_lines(verification, manifest)),
        json=json,
    )
    _refuse_bad(verification)


@app.command("prune")
def prune_sets(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    json: AsJson = False,
) -> None:
    """Delete the sets that no rule needs. The newest verified sets always stay."""
    from sutazai_ops.backups import night

    terminal, backups = Terminal(), _open()
    plan, gone = (night.plan_prune(backups), []) if dry_run else night.prune(backups)

    def show() -> None:
        done = "would go" if dry_run else "deleted"
        terminal.table(
            ["set", "fate", "because"],
            [(d.set, "kept" if d.keep else done, d.because) for d in plan.decisions],
        )
        terminal.say(_kept_line(plan, list(plan.deletes) if dry_run else gone))

    terminal.show({"decisions": plan.decisions, "deleted": gone, "refused": plan.refused}, show, json=json)


@app.command("pin")
def pin_set(
    ref: Which, reason: Annotated[str, typer.Option("--reason", help="Why it has to stay.", prompt=True)]
) -> None:
    """Keep a set whatever the retention says."""
    backups = _open()
    backup_set = backups.store.find(ref)
    backups.store.pin(backup_set, reason, who(), datetime.now(UTC))
    Terminal().say(f"pinned {backup_set.id}: {reason}")


@app.command("unpin")
def unpin_set(ref: Which) -> None:
    """Leave a set to the retention again."""
    backups = _open()
    backup_set = backups.store.find(ref)
    backups.store.unpin(backup_set)
    Terminal().say(f"unpinned {backup_set.id}")


@app.command("sweep")
def sweep(json: AsJson = False) -> None:
    """Remove what runs that were killed left behind: unfinished sets, scratch servers, spooled files."""
    from sutazai_ops.engines.scratch_folder import sweep_scratch

    terminal, backups = Terminal(), _open()
    with backups.store.lock("sweep"):
        gone = [*backups.store.sweep(), *(str(path) for path in sweep_scratch(backups.settings.home))]
    terminal.show({"removed": gone}, lambda: terminal.say("\n".join(gone) or "nothing was left behind"), json=json)


def split(names: str | None) -> list[str] | None:
    """The names in "a,b", or None for None; raises `BadInput` when there is none in it."""
    if names is None:
        return None
    found = [name.strip() for name in names.split(",") if name.strip()]
    if not found:
        raise BadInput("--services names no service", remedy="write them as --services postgres,redis")
    return found


def _open() -> Backups:
    from sutazai_ops.backups.night import Backups

    return Backups.of(open_installation())


def _facts(one: BackupSet) -> dict[str, Any]:
    summary = one.summary
    return {
        "set": one.id,
        "taken_at": summary.taken_at if summary else None,
        "services": summary.services if summary else [],
        "stored_bytes": summary.stored_bytes if summary else None,
        "raw_bytes": summary.raw_bytes if summary else None,
        "outcome": one.outcome,
        "recovery_seconds": one.verification.recovery_seconds if one.verification else None,
        "pin": one.pin,
        "foreign": one.foreign,
        "problem": one.problem,
        "folder": one.folder,
    }


def _row(one: BackupSet, now: datetime) -> tuple[object, ...]:
    recovery = one.verification.recovery_seconds if one.verification else None
    note = one.problem or (
        "copied from another store" if one.foreign else f"pinned: {one.pin.reason}" if one.pin else ""
    )
    if one.summary is None:
        return one.id, "", "", one.outcome.value, "", "", note
    return (
        one.id,
        human.since(one.summary.taken_at, now),
        human.size(one.summary.stored_bytes),
        one.outcome.value,
        human.duration(recovery) if recovery is not None else "not measured",
        ", ".join(one.summary.services),
        note,
    )


def _services_lines(manifest: Manifest) -> dict[str, str]:
    from sutazai_ops.backups.figures import of_service

    lines = {}
    for name in manifest.services:
        figures = of_service(manifest, name)
        counts = (f"{figures[key]:,} {key}" for key in ("databases", "tables", "rows", "keys") if key in figures)
        lines[name] = f"{figures['server_version']}: {', '.join(counts)}"
    return lines


def _proof(verification: Verification, manifest: Manifest) -> dict[str, Any]:
    from sutazai_ops.backups.figures import of_verification

    return {
        **of_verification(verification, manifest),
        "rungs": verification.rungs,
        "phases": verification.restore_seconds,
    }


def _proof_lines(verification: Verification, manifest: Manifest) -> dict[str, str]:
    from sutazai_ops.backups.manifest import Outcome

    last = verification.rungs[-1]
    if verification.outcome is not Outcome.VERIFIED:
        return {verification.outcome.value: f"{last.rung.value}: {last.detail or last.outcome}"}
    seconds = human.duration(verification.recovery_seconds or 0)
    return {
        "verified": f"restored in {seconds} into scratch servers: {manifest.rows:,} rows and {manifest.keys:,} keys,"
        " all as in the snapshot",
        "proof": "a flipped and a truncated copy were both refused",
    }


def _kept_line(plan: RetentionPlan, gone: list[str]) -> str:
    if plan.refused:
        return f"nothing is pruned: {plan.refused}"
    names = f" ({', '.join(gone)})" if gone else ""
    return f"{len(plan.decisions) - len(gone)} sets stay, {len(gone)} go{names}"


def _bad(verification: Verification) -> bool:
    from sutazai_ops.backups.manifest import Outcome

    return verification.outcome not in {Outcome.VERIFIED, Outcome.READ}


def _refuse_bad(verification: Verification) -> None:
    from sutazai_ops.backups.manifest import Outcome

    if not _bad(verification):
        return
    kind = Corrupt if verification.outcome is Outcome.CORRUPT else OpsError
    raise kind(
        f"the set {verification.set} is {verification.outcome.value}: {verification.rungs[-1].detail}",
        remedy="older sets were left alone: sutazai-ops backup list",
    )
