"""`models list | plan | pull | warm | unload | prune | lock | bench | cache`: the language models of the platform."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops import human
from sutazai_ops.errors import BadInput, ExitCode, OpsError, Refused
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.models.apply import Done
    from sutazai_ops.models.bench import Agreement, Measured
    from sutazai_ops.models.fleet import Fleet, House
    from sutazai_ops.models.ollama import InMemory, Present
    from sutazai_ops.models.pins import Move
    from sutazai_ops.models.plan import Fate, Plan, Seen

app = typer.Typer(help="Pull, pin, warm and measure the language models.", no_args_is_help=True)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODEL]…", help="Only these, by name and tag; all of the manifest if none."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("cache")
def cache(
    log: Annotated[Path | None, typer.Argument(metavar="[LOG]", help="Of questions; docs/models.md says how.")] = None,
    kept: Annotated[str, typer.Option("--kept", metavar="TIME", help="How long an answer would be kept.")] = "1h",
    *,
    json: AsJson = False,
) -> None:
    """What a cache of answers would have saved, by a log of questions that an application writes."""
    from sutazai_ops.models.caching import potential, read_log
    from sutazai_ops.monitoring.duration import parse_duration

    terminal = Terminal()
    try:
        seconds = parse_duration(kept)
    except ValueError as error:
        raise BadInput(str(error), where="--kept") from None
    found = potential(read_log(log), seconds) if log else []
    rows = [[one.model, f"{one.questions:,}", f"{one.hits:,}",
             "unknown" if one.saved_seconds is None else human.duration(one.saved_seconds), one.sentence]
            for one in found]  # fmt: skip

    def show() -> None:
        if not found:
            terminal.say("unknown: nobody logs what is asked; docs/models.md says what an application has to write")
            return
        terminal.table(["model", "questions", "asked before", "time of those answers", "so"], rows)

    terminal.show([{**asdict(one), "share": one.share} for one in found], show, json=json)


@app.command("list")
def list_(*, json: AsJson = False) -> None:
    """Show the models that there should be and those that are there: digest, memory, and who uses them."""
    terminal, fleet = Terminal(), _open()
    rows = [row for house in fleet.houses() for row in _rows(fleet, house, fleet.look(house))]
    notes = fleet.strangers + _contentions(fleet)
    facts = {"models": rows, "notes": notes}
    terminal.show(facts, lambda: _show_list(terminal, rows, notes), json=json)


@app.command()
def plan(names: Names = None, *, json: AsJson = False) -> None:
    """Show what is to be pulled, warmed and decided, and why. Exit code 2: there is something to do."""
    terminal, fleet = Terminal(), _open()
    plans = [found for _, _, found in fleet.plans(names or ())]
    steps = [step for one in plans for step in one.steps]
    notes = [note for one in plans for note in one.notes] + fleet.strangers
    facts = {"steps": [asdict(step) for step in steps], "notes": notes}
    terminal.show(facts, lambda: _show_plan(terminal, plans, notes), json=json)
    if any(one.changes for one in plans):
        raise typer.Exit(ExitCode.CHANGES)


@app.command()
def pull(names: Names = None, *, json: AsJson = False) -> None:
    """Pull what is missing, and what was named and is not as pinned; each is held against its digest."""
    from sutazai_ops.models.apply import pull_all
    from sutazai_ops.models.plan import Act

    terminal, fleet = Terminal(), _open()
    # What is there with another digest than the pinned one is pulled over only where somebody says so.
    acts = (Act.PULL, Act.MOVED) if names else (Act.PULL,)
    done: list[Done] = []
    with terminal.progress(json=json) as progress:
        for house, _, found in fleet.plans(names or ()):
            done += pull_all(fleet, house, found.of(*acts), progress)
            done += _left(found, Act.NO_ROOM, *(() if names else (Act.MOVED,)))
    _tell(terminal, done, nothing="every model is there", json=json)


@app.command()
def warm(names: Names = None, *, json: AsJson = False) -> None:
    """Have in memory what the manifest wants warm, or what is named, as far as it fits."""
    from sutazai_ops.models.apply import warm_all
    from sutazai_ops.models.plan import Act

    terminal, fleet = Terminal(), _open()
    done: list[Done] = []
    with terminal.progress(json=json) as progress:
        for house in fleet.houses(names or ()):
            named = [model.model_copy(update={"warm": True}) if names else model for model in house.wanted]
            asked = replace(house, wanted=named)
            found = fleet.plan(asked)
            missing = {step.model for step in found.of(Act.PULL)}
            done += warm_all(asked, found, progress, leaving=missing)
            done += _left(found, Act.MOVED, Act.NO_ROOM)
            done += [_missing(step.model, house) for step in found.of(Act.WARM) if step.model in missing]
    _tell(terminal, done, nothing="whatever should be in memory is", json=json)


@app.command()
def unload(
    names: Annotated[list[str], typer.Argument(metavar="MODEL…", help="By name and tag.")], *, json: AsJson = False
) -> None:
    """Take models out of memory; whoever asks for one next waits for it."""
    from sutazai_ops.models.apply import unload as unload_one
    from sutazai_ops.models.manifest import in_short

    terminal, fleet = Terminal(), _open()
    gone = []
    for name in names:
        house, full = fleet.house_of(name)
        was = any(one.name == full for one in house.ollama.in_memory())
        unload_one(house.ollama, full)
        gone.append({"model": full, "server": house.server.name, "was_in_memory": was})

    def show() -> None:
        for one in gone:
            words = "is out of memory" if one["was_in_memory"] else "was not in memory"
            users = fleet.users.get(str(one["model"]))
            terminal.say(f"{one['model']} {words}{f' (used by {in_short(users)})' if users else ''}")

    terminal.show(gone, show, json=json)


@app.command()
def prune(
    names: Names = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Remove models that nobody names: not the manifest, not a service, and that are not in memory."""
    from sutazai_ops.models.plan import plan_prune

    terminal, fleet = Terminal(), _open()
    fates: list[tuple[House, Fate]] = []
    for house in fleet.houses():
        decided = plan_prune(fleet.look(house), fleet.manifest.models, fleet.users, fleet.under_way(house))
        fates += [(house, fate) for fate in decided]
    chosen = _chosen(fleet, fates, names or [])
    going = [(house, fate) for house, fate in chosen if not fate.keep]
    if not json:
        _show_fates(terminal, [fate for _, fate in chosen])
    if going and not dry_run:
        if not yes:
            terminal.agree(f"remove {human.count(len(going), 'model')}?")
        for house, fate in going:
            house.ollama.delete(fate.model)
    facts = {"models": [asdict(fate) for _, fate in chosen], "removed": [] if dry_run else [f.model for _, f in going]}
    terminal.show(facts, lambda: terminal.say(_removed([f for _, f in going], dry_run=dry_run)), json=json)


@app.command()
def lock(
    names: Names = None,
    *,
    take: Annotated[
        bool, typer.Option("--take", help="Pull what the registry has under the tag now, and pin that; names needed.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Write down the digest of each model that is there, and show what moved."""
    from sutazai_ops.models.pins import locked, moved, write_lock

    terminal, fleet = Terminal(), _open()
    if take and not names:
        raise Refused("nothing is taken unseen", remedy="name the models: sutazai-ops models lock --take MODEL")
    there: dict[str, str] = {}
    with terminal.progress(json=json) as progress:
        for house in fleet.houses(names or ()):
            if take:
                from sutazai_ops.models.apply import pull_model

                for model in house.wanted:
                    pull_model(fleet, house, model, progress, take=True)
            there |= {one.name: one.digest for one in house.ollama.present()}
    wanted = [model.name for model in fleet.manifest.select(names or ())]
    new = locked(fleet.lock, there, wanted, fleet.manifest.models)
    write_lock(new, fleet.lock_file)
    moves = moved(fleet.lock, new)
    silent = [name for name in wanted if name not in there]
    facts = {"file": fleet.lock_file, "moved": [asdict(move) for move in moves], "not_there": silent}
    terminal.show(facts, lambda: _show_lock(terminal, fleet, moves, silent), json=json)


@app.command()
def bench(
    names: Annotated[
        list[str], typer.Argument(metavar="MODEL…", help="Any that are there, whether the manifest has them.")
    ],
    *,
    json: AsJson = False,
) -> None:
    """Measure models, loaded anew, and compare several with the largest. Others leave the memory meanwhile."""
    from sutazai_ops.models.bench import PROMPTS, agreements
    from sutazai_ops.models.bench import bench as measure_all

    terminal, fleet = Terminal(), _open()
    by_house: dict[str, tuple[House, list[Present]]] = {}
    for name in dict.fromkeys(names):
        house, full = fleet.house_of(name)
        present = next(one for one in house.ollama.present() if one.name == full)
        by_house.setdefault(house.server.name, (house, []))[1].append(present)
    measured: list[Measured] = []
    with terminal.progress(json=json) as progress:
        for house, models in by_house.values():
            measured += measure_all(house.ollama, models, progress)
    held = agreements(measured)
    hidden = {"answers", "vectors"}
    facts = {
        "measured": [{k: v for k, v in asdict(one).items() if k not in hidden} for one in measured],
        "agreement": [asdict(one) for one in held],
        "prompts": len(PROMPTS),
    }
    terminal.show(facts, lambda: _show_bench(terminal, measured, held), json=json)


def _open() -> Fleet:
    from sutazai_ops.models.fleet import Fleet

    return Fleet(open_installation())


def _rows(fleet: Fleet, house: House, seen: Seen) -> list[dict[str, Any]]:
    there = {one.name: one for one in seen.present}
    loaded = {one.name: one for one in seen.loaded}
    names = list(dict.fromkeys([*(model.name for model in house.wanted), *there]))
    return [_row(fleet, house, name, there.get(name), loaded.get(name), seen.takes.get(name)) for name in names]


def _row(
    fleet: Fleet, house: House, name: str, there: Present | None, loaded: InMemory | None, takes: int | None
) -> dict[str, Any]:
    model, pin = fleet.manifest.models.get(name), fleet.pins.get(name)
    is_moved = there is not None and pin is not None and pin != there.digest
    return {
        "model": name,
        "server": house.server.name,
        "purpose": str(model.purpose) if model else "",
        "state": "missing" if there is None else "moved" if is_moved else "in memory" if loaded else "there",
        "digest": there.digest if there else None,
        "pinned": pin,
        "size": there.size if there else None,
        "quantization": there.quantization if there else None,
        "memory": takes,
        "measured": loaded is not None,
        "leaves_in": max(0.0, loaded.leaves_at - time.time()) if loaded else None,
        "warm": bool(model and model.warm),
        "used_by": fleet.users.get(name, []),
        "in_manifest": model is not None,
    }


def _show_list(terminal: Terminal, rows: Sequence[dict[str, Any]], notes: Sequence[str]) -> None:
    from sutazai_ops.models.manifest import in_short
    from sutazai_ops.models.plan import SHOWN

    if not rows:
        terminal.say("none yet, and the manifest wants none")
        return
    cells = [
        [
            row["model"],
            row["purpose"] or "not in the manifest",
            row["state"],
            _stay(row["leaves_in"]),
            human.size(row["size"]) if row["size"] else "",
            _memory(row),
            row["quantization"],
            (row["digest"] or "")[:SHOWN] + ("" if row["pinned"] or not row["digest"] else " (not pinned)"),
            in_short(row["used_by"]),
        ]
        for row in rows
    ]
    columns = ["model", "for", "state", "leaves", "disk", "memory", "quantized", "digest", "used by"]
    terminal.table(columns, cells, right=["disk", "memory"])
    for note in notes:
        terminal.say(f"\n  note  {note}")


def _stay(leaves_in: float | None) -> str:
    from sutazai_ops.monitoring.exporter.collectors.models import FOR_EVER_SECONDS

    if leaves_in is None:
        return ""
    return "never" if leaves_in > FOR_EVER_SECONDS else f"in {human.duration(leaves_in)}"


def _memory(row: dict[str, Any]) -> str:
    """What a model takes: measured where it is in memory, reckoned where it is to be."""
    if not row["memory"]:
        return ""
    return human.memory(row["memory"]) if row["measured"] else f"about {human.memory(row['memory'])}"


def _contentions(fleet: Fleet) -> list[str]:
    """What models do to each other over time; nothing where nobody has looked."""
    from sutazai_ops.models.sharing import contentions, evictions

    try:
        return [str(one) for one in contentions(evictions(fleet.here), fleet.users)]
    except OpsError:
        return []


def _show_plan(terminal: Terminal, plans: Sequence[Plan], notes: Sequence[str]) -> None:
    from sutazai_ops.models.plan import DONE_BY_US, Act

    changes = [step for one in plans for step in one.changes]
    if changes:
        terminal.table(["", "model", "why"], [[str(step.act), step.model, step.because] for step in changes])
    else:
        terminal.say("nothing to do: the models are as the manifest says")
    for note in notes:
        terminal.say(f"  note  {note}")
    acts = {step.act for step in changes}
    next_ = {
        **({"pull": "sutazai-ops models pull"} if Act.PULL in acts else {}),
        **({"warm": "sutazai-ops models warm"} if acts & (DONE_BY_US - {Act.PULL}) else {}),
        **({"take what moved": "sutazai-ops models lock MODEL"} if Act.MOVED in acts else {}),
    }
    if next_:
        terminal.say()
        terminal.facts(next_)


def _left(found: Plan, *acts: Any) -> list[Done]:  # noqa: ANN401  (members of an enum that is imported late)
    """What a person has to decide, told as what could not be done."""
    from sutazai_ops.models.apply import Done

    return [Done(step, error=step.because) for step in found.of(*acts)]


def _missing(model: str, house: House) -> Done:
    from sutazai_ops.models.apply import Done
    from sutazai_ops.models.plan import Act, Step

    step = Step(model, house.server.name, Act.WARM, "")
    return Done(step, error=f"{model} is not there: sutazai-ops models pull {model}")


def _tell(terminal: Terminal, done: Sequence[Done], *, nothing: str, json: bool) -> None:
    """Show what became of each step; raises `OpsError` where one could not be done."""

    def show() -> None:
        if not done:
            terminal.say(nothing)
            return
        rows = [
            [
                one.step.model,
                str(one.step.act),
                "failed" if one.error else "done",
                human.duration(one.seconds) if one.seconds else "",
                one.error,
            ]
            for one in done
        ]
        terminal.table(["model", "", "outcome", "took", "because"], rows, right=["took"])

    terminal.show([asdict(one) for one in done], show, json=json)
    failed = [one for one in done if one.error]
    if failed:
        first = failed[0]
        raise OpsError(
            f"{len(failed)} of {human.count(len(done), 'step')} could not be done: {first.error}",
            where=first.step.model,
            remedy="sutazai-ops models plan",
        )


def _chosen(fleet: Fleet, fates: Sequence[tuple[House, Fate]], names: Sequence[str]) -> list[tuple[House, Fate]]:
    """The named ones; raises `BadInput` for one that is not there, and `Refused` for one that is needed."""
    from sutazai_ops.models.manifest import tagged, unknown

    if not names:
        return list(fates)
    by_name = {fate.model: (house, fate) for house, fate in fates}
    for name in map(tagged, names):
        if name not in by_name:
            raise unknown(name, list(by_name), str(fleet.manifest.file))
        if by_name[name][1].keep:
            raise Refused(f"{name} is not removed: {by_name[name][1].because}")
    return [by_name[tagged(name)] for name in names]


def _show_fates(terminal: Terminal, fates: Sequence[Fate]) -> None:
    if fates:
        rows = [["keep" if one.keep else "remove", one.model, human.size(one.size), one.because] for one in fates]
        terminal.table(["", "model", "disk", "because"], rows, right=["disk"])


def _removed(going: Sequence[Fate], *, dry_run: bool) -> str:
    if not going:
        return "nothing to remove: every model is needed"
    # Layers that another model has too stay, so this is the most that became free.
    size = human.size(sum(one.size for one in going))
    return f"{'would remove' if dry_run else 'removed'} {human.count(len(going), 'model')}, at most {size}"


def _show_lock(terminal: Terminal, fleet: Fleet, moves: Sequence[Move], silent: Sequence[str]) -> None:
    from sutazai_ops.models.plan import SHOWN

    if moves:
        rows = [[move.model, move.before[:SHOWN] or "none", move.after[:SHOWN] or "none"] for move in moves]
        terminal.table(["model", "was", "is"], rows)
    else:
        terminal.say("nothing moved")
    for name in silent:
        terminal.say(f"  note  {name} is not there, so it has no digest: sutazai-ops models pull {name}")
    own = [model.name for model in fleet.manifest if model.digest is not None]
    if own:
        terminal.say(f"  note  the manifest itself pins {', '.join(own)}, which wins over this file")
    terminal.say(f"\nwritten to {fleet.lock_file}")


def _show_bench(terminal: Terminal, measured: Sequence[Measured], held: Sequence[Agreement]) -> None:
    terminal.table(
        ["model", "quantized", "disk", "memory", "load", "first token", "tokens/s", "dimension"],
        [
            [
                one.model,
                one.quantization,
                human.size(one.size),
                human.memory(one.memory) if one.memory else "",
                human.duration(one.load_seconds) if one.load_seconds is not None else "",
                f"{one.first_token_seconds:.2f} s" if one.first_token_seconds is not None else "",
                f"{one.tokens_per_second:.1f}" if one.tokens_per_second is not None else "",
                one.dimension,
            ]
            for one in measured
        ],
        right=["disk", "memory", "load", "first token", "tokens/s", "dimension"],
    )
    if held:
        terminal.say()
        rows = [[one.model, one.reference, _share(one.same), _share(one.alike), _cosine(one.cosine)] for one in held]
        terminal.table(
            ["model", "held against", "same answers", "alike", "cosine"], rows, right=["same answers", "alike"]
        )
    prompts = max((one.prompts for one in measured), default=0)
    terminal.say(f"\nmeasured, on this machine, over {human.count(prompts, 'prompt')}")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _cosine(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
