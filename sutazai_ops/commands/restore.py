"""`sutazai-ops restore`: plans, shows, then brings data back under new names, and swaps it in only when asked."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sutazai_ops import human
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from sutazai_ops.backups.restore import RestorePlan


class RedisLayout(StrEnum):
    """`backups.redis.data_folder.Layout`, without loading all that comes with it."""

    SNAPSHOT = "snapshot"
    APPEND_ONLY = "append-only"


def restore(
    ref: Annotated[
        str, typer.Option("--set", metavar="SET", help='An id, its beginning, "newest" or "latest-verified".')
    ] = "latest-verified",
    service: Annotated[str | None, typer.Option(help="Only this service of the set.")] = None,
    database: Annotated[str | None, typer.Option(help="Only this database.")] = None,
    into: Annotated[
        str | None, typer.Option(help="The new name; by default the old one with the time of the snapshot.")
    ] = None,
    swap: Annotated[
        bool, typer.Option("--swap", help="Then put it in the place of the live one, which is kept aside.")
    ] = False,
    layout: Annotated[
        RedisLayout | None, typer.Option(help="How the Redis keeps its data, where the set does not say.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; nothing is lost either way.")] = False,
    json: AsJson = False,
) -> None:
    """Restore one database, one Redis, or all of a set, under new names beside what is live."""
    from sutazai_ops.backups import restore as restoring
    from sutazai_ops.backups.night import Backups

    terminal, backups = Terminal(), Backups.of(open_installation())
    backup_set = backups.store.find(ref)
    plan = restoring.plan(
        backups, backup_set, restoring.Wish(service, database, into, swap, layout.value if layout else None)
    )
    if not json:
        _show(terminal, plan)
    if dry_run:
        terminal.show(plan, lambda: terminal.say("nothing was done"), json=json)
        return
    if swap and not yes:
        terminal.confirm(plan.set, losing="whoever is connected to what is swapped will be disconnected", flag="--yes")
    done = []
    with terminal.progress(json=json) as progress:
        for restoration in restoring.apply(backups, backup_set, plan, progress):
            done.append(restoration)  # noqa: PERF402  (each is done when it is yielded, and the list is for the end)

    def show() -> None:
        terminal.facts(
            {
                f"{one.step.service}  {one.step.name}": f"{one.amount:,} rows or keys in {human.duration(one.seconds)},"
                f" compared with the manifest: {_where(one.step.into, one.step.aside, swapped=one.step.swap)}"
                for one in done
            }
        )

    terminal.show({"set": plan.set, "restored": done}, show, json=json)


def _show(terminal: Terminal, plan: RestorePlan) -> None:
    terminal.say(f"restore from {plan.set}, as of {plan.taken_at:%Y-%m-%d %H:%M:%S} UTC")
    terminal.say()
    terminal.table(
        ["service", "what", "into", "size", "then"],
        [
            (
                step.service,
                step.name,
                step.into,
                human.size(step.raw_bytes),
                (f"swap: the live one becomes {step.aside}" if step.aside else "take the live name")
                if step.swap
                else "stays beside the live one",
            )
            for step in plan.steps
        ],
        right=["size"],
    )
    terminal.say()


def _where(into: str, aside: str, *, swapped: bool) -> str:
    if not swapped:
        return f"it is {into}"
    return f"it is live, and the old one is {aside}" if aside else "it is live"
