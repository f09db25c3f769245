"""What the images of `tests/images` promise to the tests that break things with them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

import docker
import psycopg
import pytest
import redis
import requests
import yaml
from build import ImageRegistry
from projects import WITHIN_SECONDS, Project, eventually
from recipes import PROFILES, image_of

from sutazai_ops.settings import PACKAGED_PLATFORM

pytestmark = pytest.mark.docker

HARDENED: Mapping[str, object] = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "read_only": True,
    "init": True,
    "stop_grace_period": "5s",
}
BASH_PROBE = (
    "exec 3<>/dev/tcp/127.0.0.1/$$0 && printf 'GET %s HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' $$1 >&3"
    " && read -t 4 -r l <&3 && [[ $$l == *' 200 '* ]]"
)
NODE_PROBE = "fetch('http://127.0.0.1:5678/healthz/readiness').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"
PYTHON_PROBE = "import urllib.request as u;u.urlopen('http://127.0.0.1:7860/health_check',timeout=4)"


def by_bash(port: int, path: str) -> list[str]:
    return ["CMD", "bash", "-c", BASH_PROBE, str(port), path]


def by_wget(port: int, path: str) -> list[str]:
    return ["CMD", "wget", "-q", "--spider", f"http://127.0.0.1:{port}{path}"]


def by_curl(port: int, path: str) -> list[str]:
    return ["CMD", "curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{port}{path}"]


# The checks that were found to work in the real images.
CHECKS = {
    "ollama": ["CMD", "ollama", "list"],
    "grafana": by_wget(3000, "/api/health"),
    "loki": ["CMD", "/usr/bin/loki", "-health"],
    "alloy": by_bash(12345, "/-/ready"),
    "chroma": by_bash(8000, "/api/v2/heartbeat"),
    "qdrant": by_bash(6333, "/readyz"),
    "neo4j": by_wget(7474, "/"),
    "langflow": ["CMD", "python", "-c", PYTHON_PROBE],
    "flowise": by_curl(3000, "/api/v1/ping"),
    "n8n": ["CMD", "node", "-e", NODE_PROBE],
    "runners": by_wget(5680, "/healthz"),
    "dify-api": by_curl(5001, "/health"),
    "dify-web": by_wget(3000, "/"),
    "dify-plugin-daemon": by_bash(5002, "/health/check"),
    "dify-sandbox": by_curl(8194, "/health"),
    "prometheus": ["CMD", "promtool", "check", "healthy", "--url=http://127.0.0.1:9090"],
    "alertmanager": by_wget(9093, "/-/ready"),
    "node-exporter": by_wget(9100, "/"),
    "postgres-exporter": by_wget(9187, "/"),
    "redis-exporter": by_wget(9121, "/health"),
    "caddy": by_wget(80, "/"),
}
COMMANDS = {"alloy": ["run", "--server.http.listen-addr=0.0.0.0:12345", "/etc/alloy/config.alloy"]}


@pytest.fixture
def core(project: Project, registry: ImageRegistry, secrets: Mapping[str, str]) -> Project:
    """The platform's own core phase: as it stands, but for where images come from and how often health is asked."""
    content = yaml.safe_load((PACKAGED_PLATFORM / "core.yaml").read_text())
    images = {
        reference: registry.push(reference) for reference in {one["image"] for one in content["services"].values()}
    }
    for service in content["services"].values():
        service["image"] = images[service["image"]]
        service["healthcheck"]["interval"] = "1s"
    # Networks of this project alone, in place of those that all phases share.
    content["networks"] = {name: {"internal": True} for name in content["networks"]}
    project.write(content)
    return project


def test_the_platforms_own_definition_of_postgres_runs_and_asks_for_the_password_of_the_file(core, secrets):
    core.compose("up", "-d", "postgres")
    where = {"host": core.address("postgres"), "user": "sutazai", "dbname": "sutazai"}
    known = {**where, "password": secrets["postgres-password"]}
    eventually(lambda: not psycopg.connect(**known).close(), psycopg.OperationalError)
    with psycopg.connect(**known) as connection:
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**where, password="another")
    assert "uid=70" in core.compose("exec", "postgres", "id").stdout


def test_the_platforms_own_definition_of_redis_runs_and_asks_for_the_password_of_the_file(core, secrets):
    core.compose("up", "-d", "redis")
    server = redis.Redis(core.address("redis"), password=secrets["redis-password"])
    eventually(server.ping, redis.ConnectionError)
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(core.address("redis")).ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(core.address("redis"), password="another").ping()


def test_a_redis_that_was_stopped_comes_back_in_the_same_container(core, secrets):
    core.compose("up", "-d", "redis")
    for _ in range(2):
        core.container("redis").restart(timeout=10)
        eventually(
            lambda: redis.Redis(core.address("redis"), password=secrets["redis-password"]).ping(), redis.ConnectionError
        )


def test_a_task_that_is_posted_is_done_by_an_agent_and_shown_by_the_frontend(core):
    core.compose("up", "--wait", "frontend", "qa-validator")
    core.compose("exec", "ollama", "ollama", "pull", "llama3.2:3b")
    backend = f"http://{core.address('backend')}:8000"

    posted = requests.post(f"{backend}/tasks", json={"prompt": "add two and two"}, timeout=5)
    assert posted.status_code == 202
    assert posted.headers["X-Version"] == posted.json()["version"] == "1.0.0"
    task = f"{backend}/tasks/{posted.json()['id']}"
    eventually(lambda: requests.get(task, timeout=5).json()["state"] == "done")
    done = requests.get(task, timeout=5).json()
    assert (done["agent"], "add two and two" in done["result"]) == ("qa-validator", True)

    figures = requests.get(f"{backend}/metrics", timeout=5).text
    assert 'http_requests_total{endpoint="/tasks",method="POST",status="202"} 1.0' in figures
    assert 'http_request_duration_seconds_bucket{endpoint="/tasks/{id}",le="0.2",method="GET"}' in figures
    assert "agent_tasks_total" in requests.get(f"http://{core.address('qa-validator')}:8080/metrics", timeout=5).text
    page = requests.get(f"http://{core.address('frontend')}:8501/", timeout=5)
    assert (page.status_code, "1.0.0" in page.text) == (200, True)

    # Health is asked of the dependencies at that moment.
    core.compose("stop", "redis")
    ill = requests.get(f"{backend}/health", timeout=10)
    assert ill.status_code == 503
    assert {name: told["status"] for name, told in ill.json()["dependencies"].items()} == {
        "postgres": "ok",
        "redis": "failed",
        "ollama": "ok",
    }
    assert core.container("backend").exec_run(["id", "-u"]).output.strip() == b"1000"


@pytest.fixture
def frontend(project: Project, image: Callable[[str], str]) -> Callable[..., str]:
    """Starts an application that depends on nothing, and returns its address."""

    def start(**more: object) -> str:
        project.write({"services": {"frontend": {**HARDENED, "image": image("frontend"), **more}}})
        project.compose("up", "-d")
        return f"http://{project.address('frontend')}:8501"

    return start


def test_an_application_that_is_told_to_fail_at_its_start_says_500(frontend):
    url = frontend(environment={"FAULT": "fail"})
    eventually(lambda: requests.get(f"{url}/health", timeout=5).status_code == 500)


def test_an_application_fails_and_heals_while_it_runs(frontend):
    url = frontend()
    eventually(lambda: requests.get(f"{url}/health", timeout=5).ok)
    requests.post(f"{url}/faults", json={"fault": "fail"}, timeout=5)
    assert requests.get(f"{url}/health", timeout=5).status_code == 500
    requests.post(f"{url}/faults", json={"fault": None}, timeout=5)
    assert requests.get(f"{url}/health", timeout=5).status_code == 200


def test_an_application_that_hangs_answers_nothing(frontend):
    url = frontend(environment={"FAULT": "hang"})
    eventually(lambda: requests.get(f"{url}/metrics", timeout=5).ok)
    with pytest.raises(requests.Timeout):
        requests.get(f"{url}/health", timeout=0.5)


def test_an_application_that_crashes_at_its_start_is_restarted_again_and_again(frontend, project):
    frontend(environment={"FAULT": "crash"}, restart="always")
    eventually(lambda: project.container("frontend").attrs["RestartCount"] > 1)


def test_an_application_that_is_told_to_crash_answers_and_ends(frontend, project):
    url = frontend()
    eventually(lambda: requests.get(f"{url}/health", timeout=5).ok)
    assert requests.post(f"{url}/faults", json={"fault": "crash"}, timeout=5).ok
    assert project.container("frontend").wait(timeout=WITHIN_SECONDS)["StatusCode"] == 1


def test_an_application_that_leaks_is_killed_at_its_memory_limit(frontend, project):
    frontend(environment={"FAULT": "leak"}, deploy={"resources": {"limits": {"memory": "64M"}}})
    assert project.container("frontend").wait(timeout=WITHIN_SECONDS)["StatusCode"] == 137
    assert project.container("frontend").attrs["State"]["OOMKilled"]


def test_an_application_that_is_stopped_finishes_the_request_in_flight(frontend, project):
    url = frontend()
    eventually(lambda: requests.get(f"{url}/health", timeout=5).ok)
    idle = requests.Session()
    idle.get(f"{url}/health", timeout=5)
    where = (project.address("frontend"), 8501)
    with socket.create_connection(where, timeout=WITHIN_SECONDS) as asking:
        asking.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n{")
        eventually(lambda: "http_requests_in_progress 1.0" in requests.get(f"{url}/metrics", timeout=5).text)
        project.container("frontend").kill("SIGTERM")
        eventually(lambda: refuses(where))
        asking.sendall(b"   ")
        answer = asking.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 200")
    assert "Connection: close" in answer
    assert project.container("frontend").wait(timeout=WITHIN_SECONDS)["StatusCode"] == 0


def refuses(where: tuple[str, int]) -> bool:
    try:
        socket.create_connection(where, timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_every_image_is_healthy_by_the_check_that_works_in_the_real_one(project, image):
    assert set(PROFILES) <= set(CHECKS), "a stand-in has no check here"
    services = {
        name: {
            "image": image(name),
            "init": True,
            "stop_grace_period": "2s",
            "command": COMMANDS.get(name),
            "healthcheck": {"test": check, "interval": "1s", "timeout": "5s", "retries": 30},
        }
        for name, check in CHECKS.items()
    }
    project.write({"services": services})
    project.compose("up", "--wait")


@pytest.mark.parametrize(
    ("name", "command"), [("ollama", "curl"), ("chroma", "curl"), ("qdrant", "wget"), ("loki", "sh"), ("n8n", "wget")]
)
def test_what_the_real_image_lacks_no_health_check_finds_here(engine_client, image, name, command):
    container = engine_client.containers.create(image(name), entrypoint=[command, "--help"])
    try:
        with pytest.raises(docker.errors.APIError, match="executable file not found"):
            container.start()
    finally:
        container.remove(v=True, force=True)


def test_a_stand_in_says_that_it_is_one_in_its_label_and_in_every_answer(project, image, engine_client):
    for name in PROFILES:
        labels = engine_client.images.get(image(name)).labels
        assert labels["org.sutazai.stand-in"] == "true"
        assert labels["org.sutazai.stand-in.for"] == PROFILES[name]["image"]
    project.write({"services": {"qdrant": {"image": image("qdrant"), "init": True}}})
    project.compose("up", "-d")
    url = f"http://{project.address('qdrant')}:6333"
    eventually(lambda: requests.get(f"{url}/readyz", timeout=5).ok)
    assert requests.get(f"{url}/no-such-page", timeout=5).headers["Server"] == "stand-in (qdrant)"


def test_real_servers_are_not_labelled_as_stand_ins(engine_client, image):
    for name in ("postgres", "redis", "prometheus", "caddy"):
        assert "org.sutazai.stand-in" not in engine_client.images.get(image(name)).labels


def test_what_a_stand_in_keeps_outlives_its_container(project, image):
    project.write(
        {
            "services": {"chroma": {**HARDENED, "image": image("chroma"), "volumes": ["kept:/data"]}},
            "volumes": {"kept": None},
        }
    )
    starts = []
    for _ in range(2):
        project.compose("up", "-d", "--force-recreate")
        url = f"http://{project.address('chroma')}:8000"
        eventually(lambda url=url: requests.get(f"{url}/api/v2/heartbeat", timeout=5).ok)
        starts.append(requests.get(f"{url}/stand-in", timeout=5).json()["starts"])
    assert starts == [1, 2]


def test_a_moved_tag_has_another_digest_and_a_registry_that_is_down_gives_nothing(registry, engine_client):
    where = registry.push("sutazai/frontend:moved")
    first = engine_client.images.pull(where).attrs["RepoDigests"]
    registry.push("sutazai/frontend:moved", environment={"FAULT": "fail"})
    second = engine_client.images.pull(where).attrs["RepoDigests"]
    assert first != second
    registry.stop()
    try:
        with pytest.raises(docker.errors.APIError, match="connection refused"):
            engine_client.images.pull(where)
    finally:
        registry.start()
    assert engine_client.images.pull(where).attrs["RepoDigests"] == second


def test_an_image_that_is_built_is_not_built_again(engine_client, image):
    built = engine_client.images.get(image("postgres")).attrs["Created"]
    assert engine_client.images.get(image("postgres")).attrs["Created"] == built
    assert image("postgres") == image_of("postgres")
