"""The pages that are made of the signals and thresholds, and what they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rulebooks import PACKAGED, rulebook, signal, threshold, with_files

from sutazai_ops.monitoring.documents import SIGNALS, stale_documents, tables, write_documents
from sutazai_ops.monitoring.runbooks import condition_in_words, runbook_pages
from sutazai_ops.monitoring.thresholds import Rulebook

DOCS = Path(__file__).parents[2] / "docs"


def shown(kind: str) -> list[str]:
    text = (DOCS / SIGNALS).read_text(encoding="utf-8")
    return re.findall(rf"```yaml {kind}\n(.*?)```", text, re.DOTALL)


def test_the_pages_are_as_the_files_make_them() -> None:
    assert stale_documents(DOCS) == [], "make them: make docs"


def test_a_page_that_was_changed_is_made_anew_and_one_that_is_made_no_more_is_gone(tmp_path: Path) -> None:
    (tmp_path / SIGNALS).write_text("# By hand\n\n## What is measured\n\nold\n")
    write_documents(tmp_path)
    (tmp_path / "runbooks" / "host_cpu_high.md").write_text("mine")
    (tmp_path / "runbooks" / "old.md").write_text("old")
    assert write_documents(tmp_path) == ["runbooks/host_cpu_high.md", "runbooks/old.md"]
    assert stale_documents(tmp_path) == []
    assert not (tmp_path / "runbooks" / "old.md").exists()
    assert (tmp_path / SIGNALS).read_text().startswith("# By hand\n\n## What is measured\n\n###")


def example(tmp_path: Path) -> Rulebook:
    return with_files(tmp_path, signals="".join(shown("signals")), thresholds="".join(shown("thresholds")))


def test_what_the_page_shows_is_read(tmp_path: Path) -> None:
    book = example(tmp_path)
    assert book.thresholds["host_cpu_high"].level == 0.95
    assert "drifted" not in book.thresholds
    assert book.thresholds["orders_pile_up"].signal == "orders_waiting"


def test_a_signal_and_a_threshold_take_under_ten_lines() -> None:
    [added], [_, told] = shown("signals"), shown("thresholds")
    assert len((added + told).splitlines()) < 10


def test_every_signal_and_every_threshold_is_in_the_tables() -> None:
    text = tables(PACKAGED)
    assert [name for name in PACKAGED.signals if f"| `{name}` |" not in text] == []
    assert [
        name for name in PACKAGED.thresholds if name != "signal_unknown" and f"runbooks/{name}.md" not in text
    ] == []


def test_a_page_says_what_it_means_how_to_look_and_how_to_mend() -> None:
    for name, page in runbook_pages(PACKAGED).items():
        if name != "README.md":
            assert re.findall(r"^#+ .*", page, re.MULTILINE) == [f"# {name[:-3]}", "## Impact", "## Look", "## Mend"]


def test_there_is_a_page_for_each_threshold_and_an_index_of_them() -> None:
    pages = runbook_pages(PACKAGED)
    assert pages.keys() == {f"{name}.md" for name in PACKAGED.thresholds} | {"README.md"}
    assert all(f"({name})" in pages["README.md"] for name in pages if name != "README.md")


def test_a_threshold_without_a_runbook_has_no_page() -> None:
    assert runbook_pages(rulebook([signal()], [threshold()])).keys() == {"README.md"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("host_cpu_high", "`host_cpu` is over 80%, for 5m"),
        ("certificate_ending", "`certificate_left` is under 10d, for 1h"),
        ("clock_jumped", "`clock_step` is over 2s"),
        ("http_slow", "`http_p95` is over 200ms, while `http_requests` is over 0.166/s, for 5m"),
    ],
)
def test_when_it_fires_is_said_in_words(name: str, words: str) -> None:
    assert condition_in_words(PACKAGED.thresholds[name], PACKAGED) == words


def known(*words: str) -> bool:
    """Whether these words begin a command: `backup verify`, `deploy --services`."""
    from typer.main import get_command

    from sutazai_ops.cli import app

    command = get_command(app)
    for word in words:
        below = getattr(command, "commands", {})
        if word.startswith("--"):
            return any(word in parameter.opts for parameter in command.params)
        if not below:
            return True
        if word not in below:
            return False
        command = below[word]
    return True


def test_every_command_of_a_page_is_one_that_there_is() -> None:
    for name, page in runbook_pages(PACKAGED).items():
        for line in re.findall(r"sutazai-ops\s+([a-z][\w -]*)", page):
            words = line.split()
            assert known(*words), f"{name}: {line}"
