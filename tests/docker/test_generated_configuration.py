"""Generated configuration as the programs that it is for read it, and the way to Docker as those go it who may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from projects import Project, eventually

from sutazai_ops.generated import write_configuration
from sutazai_ops.installation import Installation
from sutazai_ops.settings import PACKAGED_PLATFORM, AlertSettings, Loaded, Receiver, Settings

pytestmark = pytest.mark.docker

Run = Callable[..., str]


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    """What is generated for the packaged platform where three are told in three ways."""
    url = tmp_path / "url"
    url.write_text("http://127.0.0.1:1/")
    receivers = {
        "team": Receiver(kind="webhook", url_file=url),
        "chat": Receiver(kind="slack", url_file=url, severities=("page",)),
        "mail": Receiver(kind="mail", to="a@b.example", sender="c@d.example", smarthost="mail.example:25"),
    }
    alerts = AlertSettings(receivers=receivers, watchdog_url_file=url)
    here = Installation(Loaded(settings=Settings(home=tmp_path / "home", alerts=alerts), origins={}))
    write_configuration(here.settings, here.platform)
    return here.settings.generated


@pytest.fixture
def run(engine_client: docker.DockerClient, image: Callable[[str], str], generated: Path) -> Run:
    """Runs a program of an image on the generated folder, and returns what it says."""

    def do(name: str, *command: str, with_errors: bool = True) -> str:
        output: bytes = engine_client.containers.run(
            image(name),
            list(command[1:]),
            entrypoint=[command[0]],
            volumes=[f"{generated}:/generated:ro"],
            remove=True,
            network_mode="none",
            stderr=with_errors,
        )
        return output.decode()

    return do


def test_alertmanager_takes_its_configuration_and_its_templates(run):
    said = run("alertmanager", "amtool", "check-config", "/generated/alertmanager/alertmanager.yml")
    assert "SUCCESS" in said
    assert "1 templates" in said


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (("alertname=service_down", "service=postgres", "severity=page"), "team,chat,mail"),
        (("alertname=disk_full", "severity=ticket"), "team,mail"),
        (("alertname=of_somebody_else",), "team,mail"),
        (("alertname=watchdog", "severity=page"), "(outside)"),
    ],
)
def test_alerts_go_where_the_settings_say(run, labels, receivers):
    routes = ("amtool", "config", "routes", "test", "--config.file=/generated/alertmanager/alertmanager.yml")
    assert run("alertmanager", *routes, *labels, with_errors=False).strip() == receivers


def test_prometheus_takes_its_configuration(run):
    # Not the files that it names, such as secrets, which are not there.
    said = run("prometheus", "promtool", "check", "config", "--syntax-only", "/generated/prometheus/prometheus.yml")
    assert "SUCCESS" in said


@pytest.fixture
def proxy(project: Project, image: Callable[[str], str]) -> str:
    """The way to Docker as the platform has it, and a container that asks by it."""
    settings = PACKAGED_PLATFORM / "config/docker-proxy/haproxy.cfg"
    asker = {"image": image("app"), "entrypoint": ["sleep", "600"], "init": True, "networks": ["docker"]}
    project.write(
        {
            "services": {
                "docker-proxy": {
                    "image": image("haproxy"),
                    "user": "0:0",
                    "read_only": True,
                    "tmpfs": ["/tmp"],
                    "cap_drop": ["ALL"],
                    "security_opt": ["no-new-privileges:true"],
                    "networks": ["docker"],
                    "volumes": [
                        f"{settings}:/usr/local/etc/haproxy/haproxy.cfg:ro",
                        "/var/run/docker.sock:/var/run/docker.sock:ro",
                    ],
                },
                "asker": asker,
            },
            "networks": {"docker": {"internal": True}},
        }
    )
    project.compose("up", "-d")
    eventually(lambda: asked(project, "GET", "/_ping") == "200")
    return project.container("asker").id


def asked(project: Project, method: str, path: str) -> str:
    """The status with which the proxy answers a container on its network."""
    script = (
        "import http.client, sys; c = http.client.HTTPConnection('docker-proxy', 2375, timeout=10);"
        "c.request(sys.argv[1], sys.argv[2]); print(c.getresponse().status)"
    )
    command = ["python3", "-c", script, method, path]
    return project.container("asker").exec_run(command, stderr=False).output.decode().strip()


def test_by_the_proxy_the_figures_and_the_logs_of_containers_can_be_read(project, proxy):
    for path in ("/version", "/info", "/events?until=1", "/networks", "/containers/json?all=1", "/v1.45/_ping"):
        assert asked(project, "GET", path) == "200", path
    for what in ("json", "stats?stream=0&one-shot=1", "logs?stdout=1&tail=1"):
        assert asked(project, "GET", f"/containers/{proxy}/{what}") == "200", what
    image = project.container("asker").attrs["Image"]
    assert asked(project, "GET", f"/v1.45/images/{image}/json") == "200"


def test_by_the_proxy_nothing_is_started_run_changed_or_taken_out(project, proxy):
    refused = [
        ("POST", "/containers/create"),
        ("POST", f"/containers/{proxy}/exec"),
        ("POST", f"/containers/{proxy}/start"),
        ("POST", f"/containers/{proxy}/restart"),
        ("POST", f"/containers/{proxy}/kill"),
        ("POST", "/containers/json"),
        ("DELETE", f"/containers/{proxy}"),
        ("PUT", f"/containers/{proxy}/archive?path=/"),
        ("GET", f"/containers/{proxy}/archive?path=/etc/passwd"),
        ("GET", f"/containers/{proxy}/export"),
        ("GET", f"/containers/{proxy}/top"),
        ("GET", f"/containers/{proxy}/attach/ws"),
        ("GET", f"/containers/x/../{proxy}/export"),
        ("GET", f"/images/x/../../containers/{proxy}/export/../json"),
        ("GET", f"/containers/{proxy}%2Fexport"),
        ("GET", "/images/json"),
        ("GET", "/volumes"),
        ("GET", "/secrets"),
        ("POST", "/build"),
    ]
    assert {(method, path): asked(project, method, path) for method, path in refused} == dict.fromkeys(refused, "403")
    assert "/export 403" in project.container("docker-proxy").logs().decode()


def test_the_rules_are_right_and_their_tests_pass(run):
    assert "SUCCESS" in run("prometheus", "promtool", "check", "rules", "/generated/prometheus/rules/signals.yml")
    assert "SUCCESS" in run("prometheus", "promtool", "test", "rules", "/generated/rule-tests/signals.yml")
