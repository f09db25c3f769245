"""The platform that comes with the project: what every one of its services keeps to, read from its Compose files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sutazai_ops.deployment.ports import published
from sutazai_ops.deployment.secrets import secrets_of
from sutazai_ops.monitoring.scrape import out_of_reach
from sutazai_ops.platform import read_platform
from sutazai_ops.platform.phase_files import PHASES
from sutazai_ops.settings import PACKAGED_PLATFORM

GIB = 1024**3
UNITS = {"M": 1024**2, "G": GIB}
PLATFORM = read_platform(PACKAGED_PLATFORM, {"EDGE_ADDRESS": "0.0.0.0"})
EVERYTHING = [phase.name for phase in PLATFORM.phases]
SERVICES = {service.name: PLATFORM.definition(service.name, EVERYTHING) for service in PLATFORM}
FACTS = {service.name: service for service in PLATFORM}
ONE_SHOTS = [name for name, definition in SERVICES.items() if definition["restart"] == "no"]
WITHOUT_HEALTH_CHECK = {"dify-beat", *ONE_SHOTS}
OUTWARD = {"edge", "ollama", "n8n", "dify-ssrf-proxy", "alertmanager", "exporter"}
"""The way in; what pulls models; what is there to call others; Dify's one way out; and who tells people of alerts."""

each_service = pytest.mark.parametrize("name", SERVICES)
each_phase = pytest.mark.parametrize("phase", PLATFORM.phases, ids=EVERYTHING)


def test_the_six_phases_are_there_in_the_order_of_the_roll_out():
    assert tuple(EVERYTHING) == PHASES


def test_each_phase_is_a_compose_project_of_its_own():
    assert [phase.project for phase in PLATFORM.phases] == [f"sutazai-{name}" for name in PHASES]


def test_the_plans_own_services_can_be_named():
    names = "postgres,redis,ollama,backend,frontend,prometheus,grafana,loki,promtail,chromadb,qdrant,neo4j,dify,n8n"
    assert len(PLATFORM.select(names.split(","))) == len(names.split(","))


def test_there_are_eight_agents_made_from_one_template():
    agents = {name: one for name, one in SERVICES.items() if one["image"].startswith("sutazai/agent:")}
    alike = [{key: value for key, value in one.items() if key != "environment"} for one in agents.values()]
    assert len(alike) == 8
    assert all(one == alike[0] for one in alike)
    assert all(one["environment"]["AGENT_NAME"] == name for name, one in agents.items())


@each_service
def test_a_service_says_what_it_is_and_nothing_of_it_is_inferred(name):
    facts = FACTS[name]
    assert facts.description
    assert facts.owner
    assert not facts.inferred
    assert {"tier", "criticality", "backup"} <= facts.model_fields_set


@each_service
def test_a_service_is_probed_from_outside_or_is_one_that_cannot_be(name):
    assert FACTS[name].probes or name in {"dify-worker", *WITHOUT_HEALTH_CHECK}


@each_service
def test_an_image_has_a_tag_that_stays(name):
    repository, _, tag = SERVICES[name]["image"].rpartition(":")
    assert repository
    assert re.search(r"\d+\.\d+", tag)


@each_service
def test_a_service_is_limited_in_memory_processors_and_processes(name):
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert memory(limits["memory"]) > 0
    # Docker refuses more than the host has, and two is the least that the platform asks of one.
    assert 0 < float(limits["cpus"]) <= 2
    assert 0 < limits["pids"] <= 1000


def test_all_limits_together_fit_into_eighteen_and_a_half_gib():
    assert sum(memory(one["deploy"]["resources"]["limits"]["memory"]) for one in SERVICES.values()) <= 18.5 * GIB


@each_service
def test_a_service_has_a_health_check_of_its_own_or_a_reason(name):
    assert ("healthcheck" in SERVICES[name]) == (name not in WITHOUT_HEALTH_CHECK)


@each_service
def test_no_check_is_switched_off_because_waiting_for_it_would_fail(name):
    assert not SERVICES[name].get("healthcheck", {}).get("disable")


@each_service
def test_a_service_comes_back_is_reaped_has_time_to_stop_and_rotates_its_log(name):
    definition = SERVICES[name]
    assert definition["restart"] == ("no" if name in ONE_SHOTS else "unless-stopped")
    assert definition["init"] is True
    assert definition["stop_grace_period"]
    assert definition["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


@each_service
def test_a_service_has_no_right_that_it_does_not_name(name):
    definition = SERVICES[name]
    assert definition["cap_drop"] == ["ALL"]
    assert definition["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "container_name", "pid", "ipc", "devices", "userns_mode"} & definition.keys()
    assert definition.get("network_mode", "none") == "none"


@each_service
def test_dockers_socket_is_reached_by_the_proxy_alone(name):
    has_socket = "docker.sock" in str(SERVICES[name].get("volumes"))
    assert has_socket == ("docker-socket" in FACTS[name].allow) == (name == "docker-proxy")


def test_only_those_who_read_from_docker_are_on_its_network():
    on_it = {name for name, one in SERVICES.items() if "docker" in one.get("networks", ())}
    assert on_it == {"docker-proxy", "exporter", "alloy"}
    assert set(SERVICES["docker-proxy"]["networks"]) == {"docker"}


def test_the_exporter_is_on_a_network_with_every_service_that_has_a_probe():
    ours = set(SERVICES["exporter"]["networks"])
    probed = [service.name for service in PLATFORM if service.probes]
    assert [name for name in probed if not set(SERVICES[name].get("networks", ())) & ours] == []


@each_service
def test_only_a_proxy_listens_beyond_the_host(name):
    public = [port for port in published(SERVICES[name]) if not port.address.startswith("127.")]
    assert bool(public) == (FACTS[name].proxy is not None)


@each_service
def test_a_one_shot_is_waited_for(name):
    waits = [one["depends_on"][name]["condition"] for one in SERVICES.values() if name in one.get("depends_on", {})]
    assert name not in ONE_SHOTS or "service_completed_successfully" in waits


@each_service
def test_what_is_written_survives_the_container_where_losing_it_would_hurt(name):
    mounts = [str(one).partition(":")[0] for one in SERVICES[name].get("volumes", [])]
    named = {volume for phase in PLATFORM.phases for volume in phase.top.get("volumes", {})}
    assert FACTS[name].tier == "stateless" or named & set(mounts)


@each_phase
def test_every_network_that_phases_share_is_external_and_says_whether_it_leads_out(phase):
    for key, network in phase.top.get("networks", {}).items():
        shared = network.get("external", False)
        internal = network["x-sutazai"]["internal"] if shared else network["internal"]
        assert internal == (key != "outside")
        assert not shared or network["name"] == f"sutazai-{key}"


def test_only_what_has_to_leads_out():
    assert {name for name, one in SERVICES.items() if "outside" in one.get("networks", ())} == OUTWARD


def test_every_service_names_its_networks():
    assert [name for name, one in SERVICES.items() if not one.get("networks") and not one.get("network_mode")] == []


def test_the_frontend_shares_no_network_with_a_database():
    assert not set(SERVICES["frontend"]["networks"]) & set(SERVICES["postgres"]["networks"])
    assert not set(SERVICES["frontend"]["networks"]) & set(SERVICES["redis"]["networks"])


def test_core_says_how_every_shared_network_is_made_by_hand():
    head = (PACKAGED_PLATFORM / "core.yaml").read_text().partition("\nname:")[0]
    created = set(re.search(r"for net in (.+?);", head)[1].split()) | {"outside"}
    shared = {
        key
        for phase in PLATFORM.phases
        for key, network in phase.top.get("networks", {}).items()
        if network.get("external")
    }
    assert created == shared


def test_every_secret_is_a_file_that_can_be_generated():
    secrets = secrets_of(PLATFORM)
    assert [secret.name for secret in secrets.values() if secret.template is None] == []
    used = {source(one) for definition in SERVICES.values() for one in definition.get("secrets", [])}
    made_of = {"langflow-database-password", "neo4j-password", "qdrant-api-key"}
    assert used <= secrets.keys()
    assert secrets.keys() - used <= made_of


@each_service
def test_no_environment_holds_a_secret(name):
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASS|SECRET|TOKEN|_KEY|AUTH", variable):
            assert variable.endswith("FILE"), variable
            assert str(value).startswith(("/run/secrets/", "/tmp/")), variable
        assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), variable


def test_passwords_reach_only_those_who_speak_to_the_server():
    def readers(secret):
        return {name for name, one in SERVICES.items() if secret in map(source, one.get("secrets", []))}

    assert readers("postgres-password") == {"postgres", "backend", "postgres-exporter", "databases"}
    assert "frontend" not in readers("redis-password")


def test_who_needs_a_service_of_an_earlier_phase_is_on_a_network_with_it():
    for service in PLATFORM:
        for other in service.needs:
            assert set(SERVICES[service.name]["networks"]) & set(SERVICES[other]["networks"]), (service.name, other)
            assert EVERYTHING.index(FACTS[other].phase) < EVERYTHING.index(service.phase)


def test_what_is_behind_the_edge_has_a_default_there_and_is_asked_through_it():
    (edge,) = [service for service in PLATFORM if service.proxy]
    caddyfile = (PACKAGED_PLATFORM / "config/edge/Caddyfile").read_text()
    behind = [service for service in PLATFORM if service.behind]
    assert {service.name for service in behind} == {"backend", "frontend"}
    for service in behind:
        assert service.behind.proxy == edge.name
        assert re.search(rf"switch.sh.* {service.name}\b", str(edge.compose["command"]))
        assert f"import service {service.name} {service.behind.port}\n" in caddyfile
        assert [probe.through for probe in service.probes] == [None, edge.name]


def test_the_edge_is_on_a_network_with_all_that_it_leads_to():
    caddyfile = (PACKAGED_PLATFORM / "config/edge/Caddyfile").read_text()
    led_to = set(re.findall(r"(?:reverse_proxy|import service) ([\w-]+)[: ]\d+", caddyfile))
    assert {"backend", "frontend", "grafana", "langflow", "flowise", "n8n", "dify-api", "dify-web"} <= led_to
    assert [one for one in led_to if not set(SERVICES[one]["networks"]) & set(SERVICES["edge"]["networks"])] == []


def test_prometheus_reaches_all_that_it_scrapes_and_scrapes_only_what_speaks_its_format():
    assert out_of_reach(PLATFORM) == []
    scraped = {service.name for service in PLATFORM if service.metrics}
    assert {"exporter", "backend", "edge", "qdrant", "n8n", "node-exporter"} <= scraped
    # Ollama's are an open request (ollama/ollama#3144), Neo4j's are in its paid edition, Chroma sends traces alone.
    assert not scraped & {"ollama", "chromadb", "neo4j", "frontend", "postgres", "redis", "docker-proxy"}


def test_every_file_that_is_mounted_is_there():
    for definition in SERVICES.values():
        for volume in definition.get("volumes", []):
            path = str(volume).partition(":")[0]
            assert not path.startswith(str(PACKAGED_PLATFORM)) or Path(path).exists(), path


@each_service
def test_what_lives_in_memory_can_be_written_on_the_second_start_of_a_container_too(name):
    # Images have these, with modes of their own; a folder that an image lacks needs its mode said.
    in_images = {"/tmp", "/var/run/postgresql", "/var/lib/postgresql/data"}
    definition = SERVICES[name]
    is_root = definition.get("user", "0:0") in {"0:0", "root"}
    for entry in definition.get("tmpfs", []):
        path, _, options = entry.partition(":")
        assert path in in_images or is_root or "mode=" in options, entry


def test_overlays_say_why_and_replace_only_what_they_name():
    assert {(overlay.phase, overlay.service) for overlay in PLATFORM.overlays} == {
        ("performance-security", "postgres"),
        ("high-availability", "postgres"),
        ("high-availability", "redis"),
    }
    assert all(overlay.description for overlay in PLATFORM.overlays)
    before, after = PLATFORM.definition("postgres"), SERVICES["postgres"]
    changed = {key for key in after if before.get(key) != after[key]}
    assert changed == {"command", "deploy", "healthcheck"}


def memory(text: str) -> float:
    """Bytes of Compose's `512M`."""
    return float(text[:-1]) * UNITS[text[-1]]


def source(secret: str | dict[str, str]) -> str:
    """The name of the secret that an entry of `secrets:` mounts."""
    return secret if isinstance(secret, str) else secret["source"]
