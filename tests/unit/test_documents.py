"""The documents against the code: what they list is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sutazai_ops.backups import manifest, sets
from sutazai_ops.errors import ExitCode
from sutazai_ops.platform import read_platform

DOCS = Path(__file__).parents[2] / "docs"

FILES = (
    manifest.Manifest,
    manifest.Artifact,
    manifest.PostgresFacts,
    manifest.Database,
    manifest.Inventory,
    manifest.RedisFacts,
    manifest.Verification,
    manifest.RungResult,
    sets.Pin,
)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("model", FILES, ids=lambda model: model.__name__)
def test_every_field_of_a_set_is_on_its_page(model):
    text = page("backup-sets.md").partition("## The files, field by field")[2]
    assert [field for field in model.model_fields if f"`{field}`" not in text] == []


def test_every_outcome_rung_and_kind_of_a_set_is_on_its_page():
    text = page("backup-sets.md")
    assert [outcome for outcome in manifest.Outcome if f"| {outcome} |" not in text] == []
    assert re.findall(r"^\d\. \*([a-z-]+)\*", text, re.MULTILINE) == list(manifest.Rung)
    assert [kind for kind in manifest.ArtifactKind if f"`{kind}`" not in text] == []


def test_every_exit_code_is_on_the_first_page():
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page("start-here.md"), re.MULTILINE)}
    assert codes == {*map(int, ExitCode), 130}


def test_every_service_that_extend_shows_is_read(tmp_path):
    shown = re.findall(r"```yaml\n(.*?)```", page("extend.md"), re.DOTALL)
    assert shown
    for text in shown:
        (tmp_path / "core.yaml").write_text(text)
        assert [service.name for service in read_platform(tmp_path).backed_up()] == ["orders"]


@pytest.mark.parametrize("document", [*DOCS.rglob("*.md"), DOCS.parent / "README.md"], ids=lambda path: path.name)
def test_every_link_of_a_document_leads_somewhere(document):
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
