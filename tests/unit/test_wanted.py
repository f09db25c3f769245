"""What services shall be: their definitions in a release, and the hash of all that they are made of."""

from __future__ import annotations

import copy
import random

import pytest
import yaml
from compose_command import config, needs_compose
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.deployment.files import Files, plan_files
from sutazai_ops.deployment.limits import Limits, limits, size
from sutazai_ops.deployment.wanted import Ingredients, spec, wanted_services, wanted_top
from sutazai_ops.errors import BadInput
from sutazai_ops.platform import External, read_platform, with_external

FILES = {
    "core.yaml": """
services:
  db: {image: "postgres:16", secrets: [password], volumes: ["data:/var/lib/postgresql/data"]}
  migrate: {image: migrate, depends_on: [db], command: "echo $$HOME"}
  web:
    image: web
    depends_on: {migrate: {condition: service_completed_successfully}}
    volumes: ["./config/web:/etc/web:ro"]
    configs: [motd]
    x-sutazai: {behind: {proxy: edge, port: 80}}
  edge: {image: caddy, ports: ["80:80"], x-sutazai: {proxy: {upstreams: /u, reload: [caddy, reload]}}}
  job: {image: job, restart: "no"}
volumes: {data: {}}
secrets: {password: {file: ./password, x-sutazai: {generate: "{hex:8}"}}}
configs: {motd: {file: ./motd}}
""",
    "monitoring.yaml": """
services:
  watch:
    image: watch
    depends_on: {db: {condition: service_healthy, required: false}}
    env_file: watch.env
    build: ./watch
    x-sutazai: {needs: [web]}
""",
    "config/web/web.conf": "a",
    "motd": "hello",
    "watch.env": "A=1",
}


@pytest.fixture
def wanted(tmp_path):
    def wanted(files=FILES, folder="one", versions=None, **images):
        for name, text in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        platform = read_platform(tmp_path / folder)
        phases = [phase.name for phase in platform.phases]
        services = list(platform.services)
        made_of = Ingredients(images, plan_files(platform, services, phases), versions or {})
        return {one.name: one for one in wanted_services(platform, services, phases, made_of)}

    return wanted


def specs(wanted) -> dict[str, str]:
    return {name: one.spec for name, one in wanted.items()}


def changed(before, after) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_the_same_files_elsewhere_give_the_same_hashes(wanted):
    assert specs(wanted()) == specs(wanted(folder="two/deeper"))


@pytest.mark.parametrize(
    ("name", "text", "made_anew"),
    [
        ("config/web/web.conf", "b", {"web"}),
        ("config/web/more.conf", "", {"web"}),
        ("motd", "bye", {"web"}),
        ("watch.env", "A=2", {"watch"}),
        ("core.yaml", FILES["core.yaml"].replace("restart:", "init: true, restart:"), {"job"}),
        ("core.yaml", FILES["core.yaml"] + "# nothing but a remark\n", set()),
    ],
)
def test_a_change_makes_exactly_the_services_anew_that_it_is_about(wanted, name, text, made_anew):
    before = specs(wanted())
    assert changed(before, specs(wanted({**FILES, name: text}))) == made_anew


def test_a_new_secret_makes_its_readers_anew_and_nobody_else(wanted):
    before, after = wanted(versions={"password": "one"}), wanted(versions={"password": "two"})
    assert changed(specs(before), specs(after)) == {"db"}
    assert after["db"].definition["labels"] == {"sutazai.secret.password": "two"}


def test_another_image_makes_a_service_anew(wanted):
    after = wanted(job="registry.example/job@sha256:00")
    assert changed(specs(wanted()), specs(after)) == {"job"}
    assert after["job"].definition["image"] == after["job"].image == "registry.example/job@sha256:00"


def test_what_is_built_here_has_the_name_that_compose_gives_it(wanted):
    assert wanted(FILES | {"monitoring.yaml": "services: {watch: {build: .}}"})["watch"].image == "one-monitoring-watch"


def test_a_service_waits_in_its_file_only_for_what_stands_there(wanted):
    one = wanted()["watch"]
    assert "depends_on" not in one.definition
    assert one.depends_on == ("web",)


def test_nobody_waits_in_a_file_for_what_somebody_else_runs(wanted, tmp_path):
    wanted()
    there = {"db": External(address="postgresql://u@db.example")}
    platform = with_external(read_platform(tmp_path / "one"), there)
    (one,) = wanted_services(platform, ["migrate"], ["core"], Ingredients())
    assert "depends_on" not in one.definition


def test_a_one_shot_is_one_that_is_awaited_to_its_end_or_never_restarted(wanted):
    assert {name for name, one in wanted().items() if one.one_shot} == {"migrate", "job"}


@pytest.mark.parametrize(
    ("more", "first"),
    [
        ("", True),
        (", ports: ['80:80']", False),
        (", volumes: ['data:/data']", False),
        (", volumes: ['data:/data:ro', {type: tmpfs, target: /t}]", True),
        (", container_name: web", False),
        (", deploy: {update_config: {order: stop-first}}", False),
        (", volumes: ['data:/data'], deploy: {update_config: {order: start-first}}", True),
        (", network_mode: host", False),
    ],
)
def test_a_new_version_starts_first_only_where_two_can_run_and_a_proxy_chooses(wanted, more, first):
    text = f"""
services:
  edge: {{image: caddy, x-sutazai: {{proxy: {{upstreams: /u, reload: [r]}}}}}}
  web: {{image: web, x-sutazai: {{behind: {{proxy: edge, port: 80}}}}{more}}}
volumes: {{data: {{}}}}
"""
    assert wanted({"core.yaml": text})["web"].start_first is first


def test_a_stateful_service_behind_a_proxy_never_starts_first(wanted):
    text = """
services:
  edge: {image: caddy, x-sutazai: {proxy: {upstreams: /u, reload: [r]}}}
  web: {image: web, x-sutazai: {tier: stateful, behind: {proxy: edge, port: 80}}}
"""
    assert not wanted({"core.yaml": text})["web"].start_first


@needs_compose
def test_compose_takes_what_a_release_would_say_and_finds_no_variable_in_it(wanted, tmp_path):
    ones = wanted()
    platform = read_platform(tmp_path / "one")
    release = tmp_path / "releases/1/core.yaml"
    release.parent.mkdir(parents=True)
    content = {
        "name": "p",
        "services": {one.name: dict(one.definition) for one in ones.values() if one.phase == "core"},
        **wanted_top(platform, "core", ["core"], plan_files(platform, ["web"], ["core"])),
    }
    release.write_text(yaml.safe_dump(content))
    found = config(release)
    assert found["services"]["migrate"]["command"] == ["echo", "$$HOME"]
    assert found["services"]["web"]["volumes"][0]["source"].startswith(str(tmp_path / "releases/files"))
    assert found["configs"]["motd"]["file"].startswith(str(tmp_path / "releases/files"))


leaves = st.text(max_size=5) | st.integers() | st.booleans() | st.none()
trees = st.recursive(
    leaves,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=4),
    max_leaves=10,
)
definitions = st.dictionaries(st.text(min_size=1, max_size=8), trees, min_size=1, max_size=5)


def shuffled(value, order: random.Random):
    if isinstance(value, dict):
        return {key: shuffled(value[key], order) for key in order.sample(list(value), len(value))}
    return [shuffled(entry, order) for entry in value] if isinstance(value, list) else value


def places(value, above=()):
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for key, one in below for place in places(one, (*above, key))]
    return found or [above]


@given(definitions, st.randoms(use_true_random=False))
def test_no_order_of_keys_changes_a_hash(tmp_path_factory, definition, order):
    folder = tmp_path_factory.getbasetemp()
    assert spec(shuffled(definition, order), {}, folder) == spec(definition, {}, folder)


@given(definitions, st.data())
def test_every_leaf_that_changes_changes_the_hash(tmp_path_factory, definition, data):
    folder = tmp_path_factory.getbasetemp()
    other = copy.deepcopy(definition)
    *above, last = data.draw(st.sampled_from(places(definition)))
    holder = other
    for key in above:
        holder = holder[key]
    holder[last] = {"it was": holder[last]}
    assert spec(other, {}, folder) != spec(definition, {}, folder)


@given(st.permutations(["db", "migrate", "web", "edge", "job", "watch"]))
def test_neither_the_order_nor_the_company_of_services_changes_a_hash(tmp_path_factory, order):
    folder = tmp_path_factory.mktemp("platform")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    platform = read_platform(folder)
    together = wanted_services(platform, order, ["monitoring", "core"], Ingredients())
    assert [one.name for one in together] == list(platform.services)
    for one in together:
        (alone,) = wanted_services(platform, [one.name], ["core", "monitoring"], Ingredients(files=Files()))
        assert alone.spec == one.spec


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("512M", 512 * 1024**2),
        ("1g", 1024**3),
        ("1gb", 1024**3),
        ("1GiB", 1024**3),
        ("1.5k", 1536),
        ("10b", 10),
        (7, 7),
    ],
)
def test_a_size_is_read_as_compose_reads_it(text, number):
    assert size(text) == number


def test_limits_are_read_from_both_places_where_compose_takes_them():
    deploy = {"deploy": {"resources": {"limits": {"memory": "1g", "cpus": "0.5", "pids": "100"}}}}
    assert limits(deploy) == Limits(1024**3, 0.5, 100)
    assert limits({"mem_limit": "1g", "cpus": 0.5, "pids_limit": 100}) == limits(deploy)
    assert limits({"mem_limit": 0, "pids_limit": -1}) == limits({}) == Limits()


def test_a_limit_that_is_no_number_is_refused():
    with pytest.raises(BadInput, match="512 apples"):
        limits({"mem_limit": "512 apples"})
