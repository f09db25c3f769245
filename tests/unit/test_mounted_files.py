"""Files that services mount: what is copied, to where, and what is left alone."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from sutazai_ops.deployment.files import LARGEST, changed_copies, copy_files, plan_files, with_copies
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.platform import read_platform
from sutazai_ops.platform.mounts import Kind, sources


@pytest.fixture
def releases(tmp_path):
    return tmp_path / "home/releases"


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "platform").mkdir()

    def plan(service: str, more: str = ""):
        (tmp_path / "platform/core.yaml").write_text(f"services:\n  one: {{image: x, {service}}}\n{more}")
        platform = read_platform(tmp_path / "platform")
        return plan_files(platform, ["one"], ["core"])

    return plan


def write(tmp_path, name: str, text: str = "text"):
    path = tmp_path / "platform" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


READ_ONLY = "volumes: ['./conf:/etc/conf:ro']"


def test_a_file_that_has_not_changed_keeps_its_path_and_a_changed_one_gets_a_new_one(tmp_path, plan, releases):
    conf = write(tmp_path, "conf", "one")
    first, again = plan(READ_ONLY), plan(READ_ONLY)
    assert first == again
    copy_files(first.all_copies(), releases)
    conf.write_text("two")
    second = plan(READ_ONLY)
    copy_files(second.all_copies(), releases)
    old, new = (releases / "files" / files.copies[conf].place for files in (first, second))
    assert (old.read_text(), new.read_text()) == ("one", "two")


def test_a_folder_is_copied_whole_and_readable_to_containers_and_to_nobody_else_of_the_host(tmp_path, plan, releases):
    write(tmp_path, "conf/a/one.conf").chmod(0o600)
    write(tmp_path, "conf/run.sh").chmod(0o700)
    (tmp_path / "platform/conf/empty").mkdir()
    files = plan(READ_ONLY)
    copy_files(files.all_copies(), releases)
    (copied,) = (releases / "files" / copy.place for copy in files.all_copies())
    assert mode(copied / "a") == mode(copied / "run.sh") == 0o755
    assert mode(copied / "a/one.conf") == 0o644
    assert (copied / "empty").is_dir()
    assert mode(releases / "files") == 0o700


@pytest.mark.parametrize("change", ["content", "name", "execute", "empty folder"])
def test_any_change_in_a_folder_changes_its_path(tmp_path, plan, change):
    one = write(tmp_path, "conf/one")
    before = plan(READ_ONLY)
    match change:
        case "content":
            one.write_text("other")
        case "name":
            one.rename(one.with_name("two"))
        case "execute":
            one.chmod(0o755)
        case _:
            (one.parent / "empty").mkdir()
    assert plan(READ_ONLY).all_copies()[0].place != before.all_copies()[0].place


def test_an_env_file_is_copied_for_its_owner_alone_even_where_it_is_mounted_too(tmp_path, plan, releases):
    env = write(tmp_path, "app.env", "TOKEN=1")
    files = plan("env_file: app.env, volumes: ['./app.env:/app.env:ro']")
    copy_files(files.all_copies(), releases)
    assert mode(releases / "files" / files.env_files[env].place) == 0o600
    assert mode(releases / "files" / files.copies[env].place) == 0o644


def test_a_definition_names_the_copies_as_a_release_reaches_them(tmp_path, plan):
    conf, env, more = write(tmp_path, "conf"), write(tmp_path, "app.env"), write(tmp_path, "more")
    entries = "['./conf:/etc/conf:ro', {type: bind, source: ./more, target: /m, read_only: true}, '/etc:/host', 'v:/v']"
    files = plan(f"env_file: [{{path: app.env, required: true}}], volumes: {entries}")
    platform = read_platform(tmp_path / "platform")
    definition = with_copies(platform.definition("one"), files)
    assert definition["env_file"] == [{"path": f"../files/{files.env_files[env].place}"}]
    assert definition["volumes"] == [
        f"../files/{files.copies[conf].place}:/etc/conf:ro",
        {"type": "bind", "source": f"../files/{files.copies[more].place}", "target": "/m", "read_only": True},
        "/etc:/host",
        "v:/v",
    ]


def test_what_a_service_may_write_stays_where_it_is(tmp_path, plan):
    write(tmp_path, "data/file")
    files = plan("volumes: ['./data:/data']")
    assert files.all_copies() == []
    assert [left.because for left in files.left] == ["the service may write it"]
    assert files.digests == {}


def test_a_single_file_that_may_be_written_stays_too_but_its_content_counts(tmp_path, plan):
    conf = write(tmp_path, "app.conf", "one")
    before = plan("volumes: ['./app.conf:/app.conf']")
    assert before.all_copies() == []
    conf.write_text("two")
    assert plan("volumes: ['./app.conf:/app.conf']").digests[conf] != before.digests[conf]


def test_what_stands_elsewhere_on_the_host_is_named_and_left(plan):
    files = plan("volumes: ['/proc:/host/proc:ro', '/not/there:/x:ro']")
    assert files.all_copies() == []
    assert {str(left.source) for left in files.left} == {"/proc", "/not/there"}


def test_what_is_large_is_data_and_stays(tmp_path, plan):
    with write(tmp_path, "conf").open("wb") as file:
        file.truncate(LARGEST + 1)
    files = plan(READ_ONLY)
    assert files.all_copies() == []
    assert "64 MiB" in files.left[0].because


@pytest.mark.parametrize(
    ("service", "more", "key"),
    [
        (READ_ONLY, "", "volumes"),
        ("env_file: conf", "", "env_file"),
        ("configs: [c]", "configs: {c: {file: ./conf}}", "configs"),
    ],
)
def test_a_file_that_is_not_there_is_refused_by_file_service_and_key(plan, service, more, key):
    with pytest.raises(BadInput) as told:
        plan(service, more)
    for part in ("platform/conf", "core.yaml", "service one", key):
        assert part in str(told.value)


def test_an_env_file_that_need_not_be_there_is_left_out(tmp_path, plan):
    files = plan("env_file: [{path: none.env, required: false}]")
    definition = read_platform(tmp_path / "platform").definition("one")
    assert with_copies(definition, files)["env_file"] == []


def test_a_socket_in_a_folder_is_refused(tmp_path, plan, monkeypatch):
    (tmp_path / "platform/conf").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    try:
        monkeypatch.chdir(tmp_path)  # a path of a socket is short
        listener.bind("platform/conf/s")
        with pytest.raises(BadInput, match="neither a file nor a folder"):
            plan(READ_ONLY)
    finally:
        listener.close()


def test_a_link_into_the_folder_above_is_refused(tmp_path, plan):
    (tmp_path / "platform/conf").mkdir()
    (tmp_path / "platform/conf/up").symlink_to(tmp_path / "platform/conf")
    with pytest.raises(BadInput, match="link"):
        plan(READ_ONLY)


def test_a_file_that_changes_after_the_plan_is_refused_and_leaves_nothing(tmp_path, plan, releases):
    conf = write(tmp_path, "conf", "one")
    files = plan(READ_ONLY)
    conf.write_text("two")
    with pytest.raises(Refused, match="changed while"):
        copy_files(files.all_copies(), releases)
    assert [path for path in (releases / "files").rglob("*") if path.is_file()] == []


def test_copying_again_changes_nothing(tmp_path, plan, releases):
    write(tmp_path, "conf/one")
    files = plan(READ_ONLY)
    copy_files(files.all_copies(), releases)
    before = {path: path.stat().st_ino for path in releases.rglob("*")}
    copy_files(files.all_copies(), releases)
    assert {path: path.stat().st_ino for path in releases.rglob("*")} == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path, plan, releases):
    write(tmp_path, "conf")
    releases.parent.mkdir()
    releases.write_text("a file in the way")
    with pytest.raises(OpsError, match="cannot copy conf"):
        copy_files(plan(READ_ONLY).all_copies(), releases)


def test_a_copy_that_was_edited_or_taken_away_is_found(tmp_path, plan, releases):
    conf, env = write(tmp_path, "conf"), write(tmp_path, "app.env")
    files = plan("env_file: app.env, volumes: ['./conf:/etc/conf:ro', '/etc:/host']")
    definition = with_copies(read_platform(tmp_path / "platform").definition("one"), files)
    copy_files(files.all_copies(), releases)
    assert list(changed_copies(definition, releases)) == []
    (releases / "files" / files.copies[conf].place).write_text("edited")
    (releases / "files" / files.env_files[env].place).unlink()
    found = {name: what for name, _, what in changed_copies(definition, releases)}
    assert found["app.env"] == "not there, or not readable"
    assert set(found) == {"conf", "app.env"}


def test_every_source_of_a_service_is_known_with_its_kind(tmp_path, plan):
    write(tmp_path, "conf")
    service = "env_file: conf, configs: [c], volumes: ['./conf:/c:rw', 'v:/v', '/anonymous']"
    plan(service, "configs: {c: {file: ./conf}}\nvolumes: {v: {}}")
    found = list(sources(read_platform(tmp_path / "platform"), "one", []))
    assert [(one.kind, one.writable) for one in found] == [
        (Kind.ENV_FILE, False),
        (Kind.MOUNT, True),
        (Kind.CONFIG, False),
    ]


def test_a_config_of_a_neighbour_keeps_its_place_when_only_one_service_is_looked_at(tmp_path, plan):
    conf = write(tmp_path, "conf")
    files = plan(
        "restart: always", "  two: {image: x, configs: [c]}\nconfigs: {c: {file: ./conf}, none: {file: ./none}}"
    )
    platform = read_platform(tmp_path / "platform")
    assert files.copies[conf] == plan_files(platform, ["one", "two"], ["core"]).copies[conf]


def test_a_platform_that_is_named_by_a_roundabout_way_is_copied_all_the_same(tmp_path, plan):
    conf = write(tmp_path, "conf")
    plan(READ_ONLY)
    platform = read_platform(tmp_path / "home/../platform")
    assert list(plan_files(platform, ["one"], []).copies) == [conf]


def test_a_name_that_is_no_text_is_copied_too(tmp_path, plan, releases):
    write(tmp_path, "conf/one")
    Path(os.fsdecode(os.fsencode(tmp_path / "platform/conf") + b"/\xff")).write_text("odd")
    copy_files(plan(READ_ONLY).all_copies(), releases)
    assert len([path for path in releases.rglob("*") if path.is_file()]) == 2
