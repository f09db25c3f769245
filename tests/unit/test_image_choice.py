"""Which image each service runs: the file's, the settings' instead of it, and the digest it was locked to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.deployment.images import (
    Lock,
    Move,
    ask,
    choose,
    chosen,
    lock_text,
    moved,
    read_lock,
    references,
    write_lock,
)
from sutazai_ops.errors import BadInput, OpsError, Unreachable
from sutazai_ops.platform import read_platform
from sutazai_ops.progress import Silent
from sutazai_ops.settings import PACKAGED_PLATFORM, ImageSettings, Settings

MIRROR = "registry.example:5000/mirror"
ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")


@pytest.mark.parametrize(
    ("image", "mirrored"),
    [
        ("postgres:16", "postgres:16"),
        ("prom/prometheus:v3", "prom/prometheus:v3"),
        ("docker.io/library/redis:7", "redis:7"),
        ("docker.io/prom/prometheus", "prom/prometheus"),
        ("ghcr.io/google/cadvisor:1", "google/cadvisor:1"),
        ("docker.n8n.io/n8nio/n8n:2", "n8nio/n8n:2"),
        ("localhost/own:1", "own:1"),
        ("registry.other:5000/a/b:1@sha256:00", "a/b:1@sha256:00"),
    ],
)
def test_a_mirror_stands_in_the_place_of_the_registry(image, mirrored):
    assert choose("one", image, ImageSettings(mirror=MIRROR)) == f"{MIRROR}/{mirrored}"


@given(
    st.from_regex(r"([a-z0-9]{1,8}\.[a-z]{2,3}/)?([a-z0-9]{1,8}/){0,2}[a-z0-9]{1,8}(:[a-z0-9]{1,5})?", fullmatch=True)
)
def test_what_comes_from_the_mirror_already_stays_as_it_is(image):
    settings = ImageSettings(mirror=MIRROR)
    once = choose("one", image, settings)
    assert choose("one", once, settings) == once


def test_a_replacement_by_service_wins_over_one_by_image_and_both_over_the_mirror():
    replace = {"web": "own/web:1", "postgres:16": "own/postgres:16"}
    settings = ImageSettings(mirror=MIRROR, replace=replace)
    assert choose("web", "postgres:16", settings) == "own/web:1"
    assert choose("db", "postgres:16", settings) == "own/postgres:16"
    assert choose("db", "postgres:17", settings) == f"{MIRROR}/postgres:17"


@pytest.fixture
def platform(tmp_path):
    (tmp_path / "core.yaml").write_text(
        "services: {db: {image: 'postgres:16'}, own: {build: .}, tagged: {build: ., image: 'own:1'},"
        " pinned: {image: 'x:1@sha256:00'}, theirs: {image: 'redis:7', x-sutazai: {external: {address: 'redis://r'}}}}"
    )
    return read_platform(tmp_path)


def test_what_is_built_here_and_what_runs_elsewhere_comes_from_no_mirror(platform):
    found = references(platform, ImageSettings(mirror=MIRROR))
    assert found == {"db": f"{MIRROR}/postgres:16", "tagged": "own:1", "pinned": f"{MIRROR}/x:1@sha256:00"}


def test_a_release_names_the_digest_where_it_is_known_and_never_two(platform):
    lock = Lock(images={"postgres:16": ONE, "own:1": "unresolved: nobody answered", "x:1@sha256:00": TWO})
    assert chosen(platform, ImageSettings(), lock) == {
        "db": f"postgres:16@{ONE}",
        "tagged": "own:1",
        "pinned": "x:1@sha256:00",
    }


def test_a_replacement_of_nothing_is_refused_with_the_nearest(platform):
    with pytest.raises(BadInput) as told:
        chosen(platform, ImageSettings(replace={"postgres:61": "x"}), Lock())
    assert "'postgres:16'" in told.value.remedy


class Shelf:
    """A registry that knows some digests, and is down for all else."""

    def __init__(self, error: OpsError | None = None, **digests: str) -> None:
        self.digests = digests
        self.error = error or Unreachable("it does not answer:\n 10.0.0.1 is silent")

    def digest(self, reference: str) -> str:
        if reference not in self.digests:
            raise self.error
        return self.digests[reference]


def test_a_registry_that_is_down_leaves_the_old_digest_and_says_so():
    old = Lock(images={"a": ONE})
    asked = ask(["a", "b"], old, Shelf(), Silent())
    assert asked.lock.images["a"] == ONE
    assert asked.lock.images["b"] == "unresolved: no registry was reachable when this was written"
    assert asked.silent == dict.fromkeys("ab", "it does not answer: 10.0.0.1 is silent")
    assert moved(old, asked.lock) == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("manifest unknown", "manifest unknown"),
        ("Get https://r/v2/: dial tcp: lookup r on 10.0.0.1:53: no such host", "no registry was reachable"),
        ("net/http: request canceled (Client.Timeout exceeded)", "no registry was reachable"),
    ],
)
def test_the_lock_keeps_a_reason_that_is_about_the_image(said, kept):
    asked = ask(["a"], Lock(), Shelf(OpsError(said)), Silent())
    assert kept in asked.lock.images["a"]
    assert asked.silent == {"a": said}


def test_what_moved_is_told_with_both_digests():
    old = Lock(images={"a": ONE, "b": "unresolved: down", "c": ONE, "gone": TWO})
    asked = ask(["a", "b", "c"], old.only(["a", "b", "c"]), Shelf(a=TWO, b=ONE, c=ONE), Silent())
    assert moved(old, asked.lock) == [Move("a", ONE, TWO), Move("b", "", ONE), Move("gone", TWO, "")]


def test_what_is_not_asked_for_stays_as_it_was():
    old = Lock(images={"a": ONE, "b": ONE})
    assert ask(["a"], old, Shelf(a=TWO, b=TWO), Silent()).lock.images == {"a": TWO, "b": ONE}


def test_a_lock_is_read_as_it_was_written_and_always_written_the_same(tmp_path):
    lock = Lock(images={"b:1": ONE, "a": 'unresolved: it said: "no" # really'})
    write_lock(lock, tmp_path / "new/images.lock.yaml")
    assert read_lock(tmp_path / "new/images.lock.yaml") == lock
    assert lock_text(lock) == lock_text(Lock(images=dict(reversed(lock.images.items()))))
    assert read_lock(tmp_path / "none.yaml") == Lock()


@pytest.mark.parametrize(
    "text", ["images: {a: sha256:00}", "images: {a: latest}", "image: {}", "[1]", "images: {a: [", "\0"]
)
def test_what_is_no_lock_is_refused_with_its_file(tmp_path, text):
    (tmp_path / "lock.yaml").write_text(text)
    with pytest.raises(BadInput, match="no lock") as told:
        read_lock(tmp_path / "lock.yaml")
    assert "lock.yaml" in told.value.where


def test_a_lock_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OpsError, match="cannot write"):
        write_lock(Lock(), tmp_path / "file/images.lock.yaml")


def test_the_lock_stands_beside_the_platform_and_in_the_home_folder_where_the_platform_is_packaged(tmp_path):
    theirs = Settings(home=tmp_path, platform=tmp_path / "own")
    assert theirs.images_lock == tmp_path / "own/images.lock.yaml"
    packaged = Settings(home=tmp_path)
    assert packaged.images_lock == PACKAGED_PLATFORM / "images.lock.yaml"
    (tmp_path / "images.lock.yaml").write_text("")
    assert packaged.images_lock == tmp_path / "images.lock.yaml"


def test_the_packaged_lock_names_every_image_of_the_packaged_platform():
    packaged = references(read_platform(PACKAGED_PLATFORM), ImageSettings())
    lock = read_lock(PACKAGED_PLATFORM / "images.lock.yaml")
    assert [image for image in packaged.values() if image not in lock.images] == []
