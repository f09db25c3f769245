"""`sutazai-ops status-page …`: what the platform's own users are told of incidents and maintenance, in plain words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sutazai_ops.installation import open_installation
from sutazai_ops.person import who
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.status_page.notices import Known

app = typer.Typer(help="Tell the platform's own users of incidents and maintenance.", no_args_is_help=True)

Title = Annotated[str, typer.Argument(metavar="TITLE", help="What users notice, in a few words of theirs.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What is new, in a sentence or two.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As `status-page list` shows it.")]
Body = Annotated[str, typer.Option("--text", help="What users can expect, and what they can do.", prompt="text")]
Journeys = Annotated[
    list[str] | None, typer.Option("--journey", help="What it touches, by name or title; may be given more than once.")
]
Anyway = Annotated[bool, typer.Option("--anyway", help="Write it even though it names what users do not know.")]


@app.command("post")
def post(
    title: Title,
    text: Body,
    journey: Journeys = None,
    since: Annotated[str | None, typer.Option("--since", help="When it began; now if left out.")] = None,
    anyway: Anyway = False,
    json: AsJson = False,
) -> None:
    """Tell users of an incident."""
    from sutazai_ops.status_page import notices

    installation, now = open_installation(), datetime.now(UTC)
    _refuse_inside_words(installation, [title, text], anyway=anyway)
    start = _moment(installation, since) if since else now
    told = notices.Announcement(title, text, start, journeys=_titles(installation, journey))
    _show(installation, notices.post(installation.ledger, told, now=now, by=who()), json=json)


@app.command("maintenance")
def maintenance(
    title: Title,
    text: Body,
    start: Annotated[str, typer.Option("--from", help="When it begins, as YYYY-MM-DD HH:MM in `timezone`.")],
    end: Annotated[str, typer.Option("--to", help="When it ends.")],
    journey: Journeys = None,
    anyway: Anyway = False,
    json: AsJson = False,
) -> None:
    """Tell users of maintenance to come."""
    from sutazai_ops.status_page import notices

    installation, now = open_installation(), datetime.now(UTC)
    _refuse_inside_words(installation, [title, text], anyway=anyway)
    told = notices.Announcement(
        title, text, _moment(installation, start), _moment(installation, end), _titles(installation, journey)
    )
    _show(installation, notices.announce(installation.ledger, told, now=now, by=who()), json=json)


@app.command("update")
def update(
    number: Number,
    text: Text,
    watching: Annotated[
        bool, typer.Option("--watching", help="It is mended as far as can be told, and is being watched.")
    ] = False,
    anyway: Anyway = False,
    json: AsJson = False,
) -> None:
    """Say what is new about an incident or a maintenance."""
    from sutazai_ops.status_page import notices
    from sutazai_ops.status_page.model import NoticeState

    installation = open_installation()
    _refuse_inside_words(installation, [text], anyway=anyway)
    state = NoticeState.WATCHING if watching else None
    known = notices.say(installation.ledger, number, text, state=state, now=datetime.now(UTC), by=who())
    _show(installation, known, json=json)


@app.command("resolve")
def resolve(number: Number, text: Text, anyway: Anyway = False, json: AsJson = False) -> None:
    """Say that an incident is resolved, or that maintenance is done."""
    from sutazai_ops.status_page import notices

    installation = open_installation()
    _refuse_inside_words(installation, [text], anyway=anyway)
    _show(installation, notices.end(installation.ledger, number, text, now=datetime.now(UTC), by=who()), json=json)


@app.command("cancel")
def cancel(number: Number, text: Text, anyway: Anyway = False, json: AsJson = False) -> None:
    """Say that planned maintenance will not be."""
    from sutazai_ops.status_page import notices
    from sutazai_ops.status_page.model import NoticeState

    installation = open_installation()
    _refuse_inside_words(installation, [text], anyway=anyway)
    known = notices.say(installation.ledger, number, text, state=NoticeState.CANCELLED, now=datetime.now(UTC), by=who())
    _show(installation, known, json=json)


@app.command("list")
def list_notices(json: AsJson = False) -> None:
    """Show what users are told: all that is not over, and the last ninety days."""
    from sutazai_ops.status_page import notices

    terminal, installation = Terminal(), open_installation()
    found = notices.all_known(installation.ledger, datetime.now(UTC))

    def show() -> None:
        terminal.table(
            ["number", "kind", "state", "from", "to", "title"],
            [
                (
                    one.number,
                    one.notice.kind,
                    one.notice.state,
                    f"{one.notice.start:%Y-%m-%d %H:%M}",
                    f"{one.notice.end:%Y-%m-%d %H:%M}" if one.notice.end else "",
                    one.notice.title,
                )
                for one in found
            ],
            right=["number"],
        )
        terminal.say(f"times are UTC; the page is {installation.settings.status_page_folder / 'index.html'}")

    terminal.show(found, show, json=json)


@app.command("refresh")
def refresh(json: AsJson = False) -> None:
    """Gather what the page is made of, besides the state of now, from the ledger; the exporter does the rest."""
    from sutazai_ops.deployment.meant import meant_to_run
    from sutazai_ops.slo import promises_of
    from sutazai_ops.status_page.basis import refresh_of

    terminal, installation = Terminal(), open_installation()
    objectives = promises_of(installation, meant_to_run(installation)).objectives.values()
    basis = refresh_of(installation, objectives, datetime.now(UTC))
    told = f"{len(basis.journeys or ())} journeys, {len(basis.notices)} notices"
    terminal.show(basis, lambda: terminal.say(f"{told}: {installation.settings.status_page_basis}"), json=json)


def _show(installation: Installation, known: Known, *, json: bool) -> None:
    from sutazai_ops.status_page.basis import tell

    terminal = Terminal()
    tell(installation.ledger, installation.settings.status_page_basis, datetime.now(UTC))
    said = known.notice.updates[-1]
    terminal.show(
        known,
        lambda: terminal.facts(
            {
                "notice": f"{known.number}, {known.notice.kind}: {known.notice.title}",
                "state": known.notice.state,
                "said": said.text,
                "next": ""
                if known.notice.state.is_over
                else f"sutazai-ops status-page update {known.number} TEXT, or resolve",
            }
        ),
        json=json,
    )


def _refuse_inside_words(installation: Installation, texts: list[str], *, anyway: bool) -> None:
    from sutazai_ops.status_page import notices

    if not anyway:
        notices.refuse_inside_words(texts, [service.name for service in installation.platform])


def _titles(installation: Installation, names: list[str] | None) -> list[str]:
    from sutazai_ops.slo.objectives import read_objectives
    from sutazai_ops.status_page import notices

    if not names:
        return []
    # Of the whole platform: what does not run just now may well be what is to be told of.
    objectives = read_objectives(installation.platform, installation.settings.slo.objectives)
    return notices.titles_of(names, {name: one.journey.title for name, one in objectives.items() if one.journey})


def _moment(installation: Installation, text: str) -> datetime:
    from sutazai_ops.status_page import notices

    return notices.read_moment(text, ZoneInfo(installation.settings.timezone))
