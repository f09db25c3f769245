"""Releases: the same input is the same release, and what is carried over stays what it was."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml
from releases import platform, release, service

from sutazai_ops.deployment.release import Outcome, ReleasedPhase, Releases, make_release, phase_text
from sutazai_ops.deployment.wanted import Ingredients, wanted_services
from sutazai_ops.engines.labels import RELEASE, SPEC
from sutazai_ops.errors import BadInput, Corrupt

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ORDER = ["core", "monitoring", "performance-security"]


@pytest.fixture
def shop(tmp_path):
    web = "services:\n  web: {image: 'shop/web:1.0'}\n  api: {image: 'shop/api:1.0'}\n"
    return platform(tmp_path, core=web, monitoring="services:\n  eye: {image: 'shop/eye:1.0'}\n")


def made(shop, number, *, last=None, whole=("core",), names=("web", "api")):
    wanted = wanted_services(shop, names, whole, Ingredients({name: shop.service(name).image for name in names}))
    tops = {one.phase: ReleasedPhase(project=one.project, top={}) for one in wanted}
    return make_release(number, wanted, tops, last=last, whole=whole, replaced=names, order=ORDER)


def test_the_same_input_is_the_same_bytes(shop):
    assert phase_text(made(shop, 1), "core") == phase_text(made(shop, 1, names=("api", "web")), "core")


def test_a_release_that_changes_nothing_means_the_same_as_the_last(shop):
    first = made(shop, 1)
    assert made(shop, 2, last=first).means_the_same_as(first)


def test_a_phase_that_only_overlays_is_remembered_as_rolled_out(shop):
    first = made(shop, 1, whole=("performance-security", "core"))
    assert first.whole == ("core", "performance-security")
    assert made(shop, 2, last=first, whole={"core", "performance-security"}).means_the_same_as(first)


def test_an_unchanged_service_keeps_the_number_of_the_release_in_which_it_was_new(shop, tmp_path):
    first = made(shop, 1)
    changed = "services:\n  web: {image: 'shop/web:1.1'}\n  api: {image: 'shop/api:1.0'}\n"
    second = made(platform(tmp_path, core=changed), 2, last=first)
    assert (second.services["api"].release, second.services["web"].release) == (1, 2)
    labels = yaml.safe_load(phase_text(second, "core"))["services"]["web"]["labels"]
    assert (labels[RELEASE], labels[SPEC]) == ("2", second.services["web"].spec)


def test_what_is_not_replaced_is_carried_over_as_it_was(shop):
    first = made(shop, 1)
    second = made(shop, 2, last=first, names=("eye",), whole=("core",))
    assert list(second.phases) == ["core", "monitoring"]
    assert second.of_phase("core") == first.of_phase("core")


def test_a_release_comes_back_from_its_folder_as_it_was_put_there(tmp_path):
    releases, one = Releases(tmp_path), release(service(), number=7)
    releases.write(one, "deploy", NOW)
    assert releases.read(7) == one
    assert releases.current() is None
    releases.make_current(7)
    assert releases.current() == one
    assert releases.next_number() == 8


def test_the_last_good_release_of_a_phase_is_one_in_which_it_was_good(tmp_path):
    releases = Releases(tmp_path)
    for number, outcome in ((1, Outcome.GOOD), (2, Outcome.FAILED), (3, Outcome.UNDER_WAY)):
        releases.write(release(service(), number=number), "deploy", NOW)
        releases.conclude(number, "core", outcome)
    assert releases.last_good("core", before=4).number == 1
    assert releases.last_good("core", before=1) is None
    assert releases.last_good("monitoring", before=4) is None


def test_a_release_that_is_not_there_is_told_with_those_that_are(tmp_path):
    releases = Releases(tmp_path)
    releases.write(release(service()), "deploy", NOW)
    with pytest.raises(BadInput, match="there is no release 41") as told:
        releases.read(41)
    assert "1" in told.value.remedy


def test_a_release_that_was_edited_into_nonsense_is_told_and_the_others_stay(tmp_path):
    releases = Releases(tmp_path)
    releases.write(release(service()), "deploy", NOW)
    (tmp_path / "1" / "release.json").write_text("{")
    with pytest.raises(Corrupt, match="release 1 cannot be read"):
        releases.read(1)
