"""One definition over another: as Compose merges files, held against the real `docker compose -f … -f … config`."""

from __future__ import annotations

import json

import pytest
import yaml
from compose_command import config, needs_compose
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sutazai_ops.platform.merge import CannotMerge, Override, Reset, merge_service, normal_service

PAIRS = {
    "mappings and their list forms": (
        {"environment": ["A=1", "B=2"], "labels": {"x": "1"}, "sysctls": ["a.b=1"], "build": "./here"},
        {"environment": {"B": "3", "C": None}, "labels": ["y=2", "z"], "build": {"args": ["K=v"]}},
    ),
    "what is replaced": (
        {"command": ["a", "b"], "entrypoint": "x y", "healthcheck": {"test": ["CMD", "a"], "retries": 3}},
        {"command": "c", "entrypoint": ["z"], "healthcheck": {"test": "b"}},
    ),
    "lists": (
        {"cap_add": ["A"], "dns": "1.1.1.1", "tmpfs": ["/a"], "expose": ["80"], "env_file": "a.env"},
        {"cap_add": ["B", "A"], "dns": ["8.8.8.8"], "tmpfs": "/b", "expose": ["81", "80"], "env_file": ["b.env"]},
    ),
    "volumes by their target": (
        {"volumes": ["data:/v", "/etc/a:/a:ro", "/b"]},
        {"volumes": ["more:/v", {"type": "bind", "source": "/etc/c", "target": "/a"}, "/d:/d"]},
    ),
    "secrets and configs by their target": (
        {"secrets": ["s"], "configs": ["c"]},
        {"secrets": [{"source": "s", "target": "t"}], "configs": [{"source": "c", "target": "/x"}]},
    ),
    "ports": (
        {"ports": ["80:80", "127.0.0.1:90:90"]},
        {"ports": ["81:80", "80:80", "127.0.0.1:90:90/udp"]},
    ),
    "networks and dependencies": (
        {"networks": ["front"], "depends_on": ["b"]},
        {"networks": {"back": {"aliases": ["x"]}}, "depends_on": {"c": {"condition": "service_healthy"}}},
    ),
    "logging of another driver": (
        {"logging": {"driver": "local", "options": {"max-size": "1m"}}},
        {"logging": {"driver": "json-file", "options": {"max-file": "2"}}},
    ),
    "logging of the same driver": (
        {"logging": {"driver": "local", "options": {"max-size": "1m"}}},
        {"logging": {"options": {"max-file": "2"}}},
    ),
    "limits": (
        {"deploy": {"resources": {"limits": {"memory": "1g", "cpus": "1"}}}, "ulimits": {"nofile": 5}},
        {"deploy": {"resources": {"limits": {"memory": "2g"}}}, "ulimits": {"nofile": {"soft": 1, "hard": 2}}},
    ),
    "an empty value": ({"restart": "always", "healthcheck": {"test": "a"}}, {"restart": None, "healthcheck": None}),
}
TOP = {
    "networks": {"front": {}, "back": {}},
    "volumes": {"data": {}, "more": {}},
    "secrets": {"s": {"file": "/s"}},
    "configs": {"c": {"file": "/c"}},
}


def as_compose_merges(folder, base, over) -> dict:
    others = {"b": {"image": "b"}, "c": {"image": "c"}}
    first = {"name": "p", "services": {"one": {"image": "x", **base}, **others}, **TOP}
    (folder / "first.yaml").write_text(json.dumps(first))
    (folder / "second.yaml").write_text(json.dumps({"services": {"one": over}}))
    return config(folder / "first.yaml", folder / "second.yaml")["services"]["one"]


def as_we_merge(folder, base, over) -> dict:
    others = {"b": {"image": "b"}, "c": {"image": "c"}}
    merged = {"name": "p", "services": {"one": merge_service({"image": "x", **base}, over), **others}, **TOP}
    (folder / "merged.yaml").write_text(json.dumps(merged))
    return config(folder / "merged.yaml")["services"]["one"]


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.env").write_text(f"FROM={name}\n")
    return tmp_path


@needs_compose
@pytest.mark.parametrize("name", PAIRS)
def test_compose_would_have_merged_it_so(folder, name):
    assert as_we_merge(folder, *PAIRS[name]) == as_compose_merges(folder, *PAIRS[name])


MOUNTS = ["data:/a", "more:/a", "data:/b", "/x:/c:ro"]
words = st.sampled_from(["A", "B", "C"])
services = st.fixed_dictionaries(
    {},
    optional={
        "environment": st.dictionaries(words, words) | st.lists(words.map("{}=1".format), unique=True),
        "labels": st.dictionaries(words, words) | st.lists(words, unique=True),
        "command": words | st.lists(words, min_size=1),
        "cap_add": st.lists(words, unique=True),
        "tmpfs": st.lists(words.map("/{}".format), unique=True) | words.map("/{}".format),
        "volumes": st.lists(
            st.sampled_from(["data:/a", "more:/a", "data:/b", "/x:/c:ro"]), unique_by=lambda v: v.split(":")[1]
        ),
        "ports": st.lists(st.sampled_from(["80:80", "81:80", "127.0.0.1:80:80", "80:80/udp"]), unique=True),
        "healthcheck": st.fixed_dictionaries({"test": words}, optional={"retries": st.integers(1, 9)}),
        "depends_on": st.lists(st.sampled_from("bc"), unique=True)
        | st.dictionaries(st.sampled_from("bc"), st.just({"condition": "service_healthy"})),
        "networks": st.lists(st.sampled_from(["front", "back"]), unique=True, min_size=1),
    },
)


@needs_compose
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(services, services)
def test_compose_would_have_merged_any_two_so(folder, base, over):
    assert as_we_merge(folder, base, over) == as_compose_merges(folder, base, over)


@given(services, services)
def test_to_merge_the_same_once_more_changes_nothing(base, over):
    once = merge_service(base, over)
    assert merge_service(once, over) == once


@given(services)
def test_nothing_over_a_definition_leaves_it_as_it_was(base):
    assert merge_service(base, {}) == normal_service(base)


@given(services, services)
def test_what_is_merged_stays_as_it_was_given(base, over):
    before = yaml.safe_dump([base, over])
    merge_service(base, over)
    assert yaml.safe_dump([base, over]) == before


def test_reset_takes_away_and_override_replaces():
    base = {"ports": ["80:80"], "environment": {"A": "1", "B": "2"}, "volumes": ["a:/a"], "deploy": {"replicas": 1}}
    over = {"ports": Reset(), "environment": {"A": Reset()}, "volumes": Override(["b:/b"]), "deploy": Override({})}
    assert merge_service(base, over) == {"environment": {"B": "2"}, "volumes": ["b:/b"], "deploy": {}}


def test_a_mapping_over_a_text_is_refused_with_its_place():
    with pytest.raises(CannotMerge, match=r"logging\.options"):
        merge_service({"logging": {"options": "none"}}, {"logging": {"options": {"a": "b"}}})
