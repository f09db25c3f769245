"""The lint's rules: each red for what it is there for, and quiet beside it."""

from __future__ import annotations

import pytest
from releases import platform, release, service

from sutazai_ops.deployment.lint import lint, refuse_findings
from sutazai_ops.errors import BadInput

HOLDS = "/var/lib/postgresql/data"
QUIET = "services: {web: {image: shop/web}}\n"


@pytest.fixture
def rules(tmp_path):
    def found(*services, text: str = QUIET) -> set[tuple[str, str]]:
        return {(one.service, one.rule) for one in lint(release(*services), platform(tmp_path, core=text))}

    return found


@pytest.mark.parametrize(
    ("rule", "definition"),
    [
        ("public", {"ports": ["8080:80"]}),
        ("public", {"ports": [{"target": 80, "published": "8080"}]}),
        ("literal-secret", {"environment": {"API_TOKEN": "abc"}}),
        ("literal-secret", {"environment": ["DB_PASSWORD=abc"]}),
        ("docker-socket", {"volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"]}),
        ("volume-path", {"image": "postgres:18.6", "volumes": ["data:/var/lib/postgresql/data"]}),
        ("volume-path", {"image": "postgres:16.11-alpine", "volumes": ["data:/var/lib/postgresql"]}),
        ("volume-path", {"image": "registry.example:5000/chroma:1.5.9", "volumes": ["data:/chroma/chroma"]}),
        ("volume-path", {"image": "chromadb/chroma:0.6.3", "volumes": ["data:/data"]}),
        (
            "volume-path",
            {"image": "postgres:16", "environment": {"PGDATA": "/pg"}, "volumes": ["data:/var/lib/postgresql/data"]},
        ),
        (
            "volume-path",
            {"image": "postgres:16", "environment": {"PGDATA": f"{HOLDS}/16"}, "volumes": ["data:/var/lib/postgresql"]},
        ),
    ],
)
def test_each_rule_is_red_for_what_it_is_there_for(rules, rule, definition):
    assert rules(service(definition=definition)) == {("web", rule)}


@pytest.mark.parametrize(
    "definition",
    [
        {"ports": ["127.0.0.1:8080:80"]},
        {"environment": {"DB_PASSWORD_FILE": "/run/secrets/db", "TOKEN_CACHE": "yes", "API_KEY": ""}},
        {"volumes": ["/srv/pages:/pages:ro"]},
        {"image": "postgres:18.6", "volumes": ["data:/var/lib/postgresql"]},
        {"image": "postgres:16.11-alpine", "volumes": ["data:/var/lib/postgresql/data"]},
        {"image": "postgres:16.11-alpine", "volumes": ["./query.sql:/query.sql:ro"]},
        {"image": "postgres:16", "environment": ["PGDATA=/srv/pg/data"], "volumes": ["data:/srv/pg"]},
        {"image": "postgres:18", "environment": [f"PGDATA={HOLDS}"], "volumes": [f"data:{HOLDS}"]},
        {"image": "postgres:16", "environment": [f"PGDATA={HOLDS}/16"], "volumes": [f"data:{HOLDS}"]},
        {"image": "postgres:latest", "environment": ["PGDATA=/srv/pg"], "volumes": ["data:/srv/pg"]},
        {"image": "chromadb/chroma:0.6.3", "volumes": ["data:/chroma/chroma"]},
        {"image": "chromadb/chroma:1.5.9", "volumes": ["data:/data/"]},
    ],
)
def test_and_quiet_beside_it(rules, definition):
    assert rules(service(definition=definition)) == set()


def test_a_one_shot_that_nobody_waits_for_is_found(rules):
    adopted = {"depends_on": {"web": {"condition": "service_completed_successfully"}}}
    assert rules(service(one_shot=True)) == {("web", "one-shot")}
    assert rules(service(one_shot=True), service("api", definition=adopted)) == set()


def test_two_services_on_one_port_are_found(rules):
    ports = {"ports": ["127.0.0.1:8080:80"]}
    assert rules(service(definition=ports), service("api", definition=ports)) == {("api", "port")}


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:8080:80", "10.0.0.5:8080:80", False),
        ("127.0.0.1:8080:80", "0.0.0.0:8080:80", True),
        ("127.0.0.1:8080:80", "8080:80", True),
        ("127.0.0.1:8080:80/tcp", "127.0.0.1:8080:80/udp", False),
    ],
)
def test_a_port_is_taken_at_its_address_alone(rules, one, other, clash):
    found = rules(service(definition={"ports": [one]}), service("api", definition={"ports": [other]}))
    assert (("api", "port") in found) == clash


def test_a_name_that_two_services_have_on_one_network_is_found(rules):
    named = {"networks": {"front": {"aliases": ["api"]}}}
    assert rules(service(definition=named), service("api")) == {("api", "alias")}
    elsewhere = {"networks": {"back": {"aliases": ["api"]}}}
    assert rules(service(definition=elsewhere), service("api")) == set()


def test_two_phases_meet_on_an_external_network_and_not_on_their_own(rules):
    named = {"networks": {"front": {"aliases": ["api"]}}}
    assert rules(service(definition=named), service("api", phase="later")) == {("api", "alias")}
    alone = {"networks": {"default": {"aliases": ["api"]}}}
    assert rules(service(definition=alone), service("api", phase="later", definition={"networks": []})) == set()


def test_a_secret_in_an_env_file_is_found_by_its_file(tmp_path):
    (tmp_path / "web.env").write_text("API_TOKEN=abc\nNAME=web\n")
    files = platform(tmp_path, core="services: {web: {image: shop/web, env_file: web.env}}\n")
    (found,) = lint(release(service()), files)
    assert (found.rule, found.what.partition(" holds")[0]) == ("literal-secret", "env_file web.env.API_TOKEN")
    assert "abc" not in found.what


def test_a_fixed_name_leaves_no_room_for_a_copy(rules):
    assert rules(service(start_first=True, definition={"container_name": "web"})) == {("web", "container-name")}
    assert rules(service(definition={"container_name": "web"})) == set()


def test_an_exception_stands_in_the_file_with_its_reason(rules):
    text = "services: {web: {image: shop/web, x-sutazai: {allow: {public: it is the way in}}}}\n"
    assert rules(service(definition={"ports": ["80:80"]}), text=text) == set()


def test_the_proxy_may_be_public(rules):
    text = "services: {web: {image: shop/web, x-sutazai: {proxy: {upstreams: /etc/up, reload: [reload]}}}}\n"
    assert rules(service(definition={"ports": ["80:80"]}), text=text) == set()


def test_what_would_lose_data_is_refused_and_the_rest_only_where_it_is_strict(tmp_path):
    shop = platform(tmp_path, core=QUIET)
    public = lint(release(service(definition={"ports": ["80:80"]})), shop)
    refuse_findings(public, shop, strict=False)
    with pytest.raises(BadInput, match=r"web: its port 80 is open on 0\.0\.0\.0"):
        refuse_findings(public, shop, strict=True)
    loses = lint(release(service(definition={"image": "postgres:18.6", "volumes": ["d:/data"]})), shop)
    with pytest.raises(BadInput, match="it would be lost with the container"):
        refuse_findings(loses, shop, strict=False)
