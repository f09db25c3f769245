"""The roll-out on a real engine: what it changes and what it does not, what it puts back, refuses and reports."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from build import ImageRegistry
from projects import eventually
from shop import Shop

from sutazai_ops.deployment.deploy import DeploymentFailed
from sutazai_ops.deployment.release import Outcome
from sutazai_ops.deployment.take_down import plan_take_down, take_down
from sutazai_ops.engines import Act
from sutazai_ops.errors import ExitCode, OpsError, Refused
from sutazai_ops.progress import Silent

pytestmark = pytest.mark.docker


@pytest.fixture
def shop(rolled_out: Shop) -> Iterator[Shop]:
    """The shop, put right after whatever the test did to its files."""
    texts, words = dict(rolled_out.texts), dict(rolled_out.words)
    files = {path: path.read_bytes() for path in rolled_out.folder.rglob("*") if path.is_file()}
    yield rolled_out
    rolled_out.texts, rolled_out.words = texts, words
    for path, content in files.items():
        path.write_bytes(content)
    rolled_out.deploy()


def test_each_service_is_told_as_it_becomes_well_and_how_long_that_took(shop: Shop):
    started = [what.removeprefix("start ") for what in shop.told.ended if what.startswith("start ")]
    assert sorted(started[:5]) == ["db", "edge", "page", "prepare", "teller"]
    assert started.index("prepare") < started.index("page") < started.index("teller")


def test_what_runs_as_meant_is_left_alone(shop: Shop):
    before = shop.ids()
    assert shop.changes() == {}
    assert shop.deploy().phases == ()
    assert shop.ids() == before


def test_a_new_version_of_a_page_behind_a_proxy_loses_no_request_and_a_broken_one_never_serves(shop: Shop):
    with AskedAllTheTime(shop) as answers:
        shop.write(version="1.0.1")
        assert shop.changes() == {"page": Act.RECREATE}
        shop.deploy()
        assert shop.ask("/_stcore/health").headers["X-Version"] == "1.0.1"
        shop.write(version="1.0.0", fault="fail")
        with pytest.raises(DeploymentFailed, match="runs as release"):
            shop.deploy()
        assert shop.ask().headers["X-Version"] == "1.0.1"
    assert set(answers) == {(200, "1.0.0"), (200, "1.0.1")}
    assert sum(answers.values()) > 100
    assert len(shop.pages()) == 1


class AskedAllTheTime:
    """Counts the answers to a request loop through the proxy, by status and version."""

    def __init__(self, shop: Shop) -> None:
        self.url = f"http://127.0.0.1:{shop.port}/_stcore/health"
        self.answers: Counter[tuple[object, str]] = Counter()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def __enter__(self) -> Counter[tuple[object, str]]:
        for thread in self.threads:
            thread.start()
        return self.answers

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _ask(self) -> None:
        with requests.Session() as session:
            while not self.over.wait(0.02):
                try:
                    answer = session.get(self.url, timeout=10)
                    self.answers[answer.status_code, answer.headers.get("X-Version", "")] += 1
                except requests.RequestException as error:
                    self.answers[type(error).__name__, ""] += 1


def test_a_mounted_file_that_changes_makes_exactly_its_service_anew(shop: Shop):
    before = shop.ids()
    (shop.folder / "config/teller/index.html").write_text("open until ten\n")
    (step,) = shop.deployments.prepare().plan.changes
    assert (step.service, step.act) == ("teller", Act.RECREATE)
    assert step.differences[0].field == "file teller"
    shop.deploy()
    assert {service for service, one in shop.ids().items() if before[service] != one} == {"teller"}


def test_a_secret_that_changes_makes_exactly_its_readers_anew_and_never_shows(shop: Shop):
    secret = shop.home / "secrets" / "db-password"
    old = secret.read_text()
    secret.chmod(0o600)
    secret.write_text("another-password-of-the-shop")
    secret.chmod(0o444)
    try:
        (step,) = shop.deployments.prepare().plan.changes
        assert (step.service, step.act) == ("db", Act.RECREATE)
        assert step.differences[0].field == "secret db-password"
        assert "another" not in step.why
    finally:
        secret.write_text(old)


def test_a_phase_that_fails_is_put_back_and_the_others_are_not_touched(shop: Shop):
    before = shop.ids()
    shop.replace("extras", "-p 8080", "-p 8081")
    with pytest.raises(DeploymentFailed) as told:
        shop.deploy()
    assert "phase extras did not pass, and runs as release" in told.value.what
    assert "teller" in told.value.what
    (extras,) = told.value.report.phases
    assert (extras.outcome, extras.put_back_to is not None) == (Outcome.FAILED, True)
    assert shop.changes()["teller"] is Act.RECREATE
    after = shop.ids()
    assert {service for service in before if before[service] != after[service]} == {"teller"}
    assert shop.drifts() == set()


def test_a_service_that_ends_at_once_is_told_with_its_last_words(shop: Shop):
    shop.replace("extras", "exec busybox httpd -f -p 8080 -h /etc/teller", "echo the vault is shut; exit 3")
    with pytest.raises(DeploymentFailed) as told:
        shop.deploy()
    assert "exit code 3" in told.value.what
    assert "the vault is shut" in told.value.where


def test_a_limit_changed_by_hand_is_reported_and_mended_by_the_next_deployment(shop: Shop):
    shop.containers()["db"].update(mem_limit="200m", memswap_limit="200m")
    assert shop.drifts() == {("db", "runtime")}
    (step,) = shop.deployments.prepare().plan.changes
    assert (step.service, step.why) == ("db", "what runs was changed; memory limit 256 MiB -> 200 MiB")
    report = shop.deploy()
    assert report.phases[0].backup_set, "what holds state is backed up before it is made anew"
    assert shop.drifts() == set()


def test_a_stopped_service_is_reported_and_started(shop: Shop):
    shop.containers()["teller"].stop(timeout=1)
    assert shop.drifts() == {("teller", "stopped")}
    assert shop.changes() == {"teller": Act.START}
    shop.deploy()
    assert shop.drifts() == set()


def test_a_network_taken_away_is_reported_and_mended(shop: Shop):
    shop.client.networks.get(f"{shop.name}-front").disconnect(shop.containers()["teller"])
    assert shop.drifts() == {("teller", "runtime")}
    shop.deploy()
    assert shop.drifts() == set()


def test_an_orphan_is_reported_and_never_removed(shop: Shop):
    labels = {
        "com.docker.compose.project": f"{shop.name}-core",
        "com.docker.compose.service": "stranger",
        "com.docker.compose.oneoff": "False",
    }
    stranger = shop.client.containers.run(
        f"{shop.words['registry']}/busybox:1.37.0",
        "sleep 300",
        detach=True,
        labels=labels,
        name=f"{shop.name}-stranger",
    )
    try:
        assert shop.drifts() == {("stranger", "orphan")}
        shop.deploy()
        stranger.reload()
        assert stranger.status == "running"
    finally:
        stranger.remove(force=True)


def test_a_service_that_no_file_has_any_more_goes_and_its_volume_stays(shop: Shop):
    shop.replace("extras", "    networks: [front]", "    networks: [front]\n    tmpfs: [/tmp]")
    shop.texts["extras"] += "volumes: {{pages: {{}}}}\n"
    text = shop.texts["extras"]
    shop.texts["extras"] = text.replace(
        "networks:\n  front", "  more:\n    image: {registry}/busybox:1.37.0\n    command: sleep 3600\n"
        "    volumes: ['pages:/pages']\n    network_mode: none\nnetworks:\n  front", 1
    )  # fmt: skip
    shop.write()
    shop.deploy(phases=["extras"])
    assert "more" in shop.containers()
    shop.texts["extras"] = text
    shop.write()
    assert shop.changes() == {"more": Act.REMOVE}
    shop.deploy()
    assert "more" not in shop.containers()
    assert shop.client.volumes.get(f"{shop.name}-extras_pages")


def test_naming_a_service_touches_nothing_else(shop: Shop):
    shop.write(version="1.0.1")
    (shop.folder / "config/teller/index.html").write_text("open all night\n")
    before = shop.ids()
    shop.deploy(services=["teller"])
    assert {service for service, one in shop.ids().items() if before[service] != one} == {"teller"}


def test_an_image_that_cannot_be_had_changes_nothing(shop: Shop):
    before = shop.ids()
    shop.write(version="9.9.9")
    (shop.folder / "config/teller/index.html").write_text("closed\n")
    with pytest.raises(OpsError, match=r"the image .*frontend:9\.9\.9 of page cannot be pulled"):
        shop.deploy()
    assert shop.ids() == before


def test_a_port_that_another_program_has_is_one_sentence_and_the_old_one_serves_again(shop: Shop):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        shop.replace("core", '"127.0.0.1:{port}:80"', f'"127.0.0.1:{other.getsockname()[1]}:80"')
        with pytest.raises(DeploymentFailed, match="address already in use"):
            shop.deploy()
    assert shop.ask().status_code == 200


def test_a_second_deployment_is_refused_by_name(shop: Shop):
    with (
        shop.deployments.locked("deploy of somebody else", Silent()),
        pytest.raises(Refused, match="deploy of somebody else"),
    ):
        shop.deploy()


MOMENTS: dict[str, Callable[[Shop, str], object]] = {
    "a new page stands beside the old one": lambda shop, _: len(shop.pages()) > 1,
    "the new page serves": lambda shop, _: shop.ask().headers["X-Version"] == "1.0.1",
    "Compose makes the teller anew": lambda shop, teller: shop.ids().get("teller") != teller,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_deployment_that_is_killed_loses_no_request_and_is_gone_on_with_by_the_next(shop: Shop, moment: str):
    teller = shop.ids()["teller"]
    with AskedAllTheTime(shop) as answers:
        shop.write(version="1.0.1")
        (shop.folder / "config/teller/index.html").write_text("open, after all\n")
        process = shop.ops("deploy", "--yes")
        eventually(lambda: MOMENTS[moment](shop, teller))
        process.kill()
        process.communicate()
        # At once: the Compose that the killed one had started may still be at work.
        shop.deploy()
        assert shop.drifts() == set()
        assert shop.ask().headers["X-Version"] == "1.0.1"
        assert shop.changes() == {}
    assert set(answers) == {(200, "1.0.0"), (200, "1.0.1")}
    assert len(shop.pages()) == 1


def test_of_two_deployers_at_once_one_deploys_and_the_other_is_told_who(shop: Shop):
    shop.write(version="1.0.1")
    both = [shop.ops("deploy", "--yes") for _ in range(2)]
    told = [(process.communicate()[1], process.returncode) for process in both]
    first, second = sorted(told, key=lambda one: one[1])
    assert first[1] == 0
    assert second[1] == ExitCode.REFUSED
    assert "cannot deploy: deploy (process " in second[0]
    assert shop.drifts() == set()


def test_a_release_runs_by_hand_and_changes_nothing(shop: Shop):
    before = shop.ids()
    release = shop.deployments.releases.current()
    assert release is not None
    folder = shop.home / "releases" / str(release.number)
    for phase in release.phases:
        command = ["docker", "compose", "-f", str(folder / f"{phase}.yaml"), "up", "-d"]
        subprocess.run(command, check=True, capture_output=True)
    after = shop.ids()
    # A one-shot is run again by every `up` (docker/compose#11808), in the container that it has.
    assert after == before


def test_going_back_by_hand_is_a_new_release_that_means_the_old_one(shop: Shop):
    first = shop.deployments.releases.current()
    assert first is not None
    shop.write(version="1.0.1")
    shop.deploy()
    shop.deployments.roll_back(Silent(), first.number)
    now = shop.deployments.releases.current()
    assert now is not None
    assert now.number > first.number + 1
    assert now.services == first.services
    assert shop.ask().headers["X-Version"] == "1.0.0"


def test_no_major_version_of_what_holds_state_is_crossed_on_the_way_back(shop: Shop, registry: ImageRegistry):
    registry.push("postgres:17.1-alpine", "postgres")
    first = shop.deployments.releases.current()
    assert first is not None
    shop.replace("core", "postgres:16.11-alpine", "postgres:17.1-alpine")
    shop.deploy()
    with pytest.raises(Refused, match="the older major does not open the data"):
        shop.deployments.prepare_roll_back(first.number)
    shop.replace(
        "core", "    secrets: [db-password]\n", "    secrets: [db-password]\n    command: [postgres, -c, nonsense=1]\n"
    )
    shop.replace("core", "postgres:17.1-alpine", "postgres:16.11-alpine")
    with pytest.raises(DeploymentFailed, match="db") as told:
        shop.deploy()
    (report,) = told.value.report.phases
    assert report.put_back_to is None
    assert report.backup_set
    assert "is not opened by the older" in report.because
    shop.replace("core", "    command: [postgres, -c, nonsense=1]\n", "")
    shop.deploy()


def test_no_secret_stands_in_what_inspect_shows(shop: Shop):
    secret = (shop.home / "secrets" / "db-password").read_text()
    shown = [json.dumps(one.attrs) for one in shop.containers().values()]
    assert shown
    assert not any(secret in text for text in shown)
    written = [path for path in (shop.home / "releases").rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in written)


def test_the_page_cannot_reach_the_database_and_nothing_listens_beyond_loopback(shop: Shop):
    db = shop.containers()["db"].attrs["NetworkSettings"]["Networks"][f"{shop.name}-data"]["IPAddress"]
    script = f"import socket; socket.create_connection(('{db}', 5432), timeout=2)"
    code, output = shop.containers()["page"].exec_run(["python3", "-c", script])
    assert code != 0
    assert b"timed out" in output or b"unreachable" in output
    published = [
        binding["HostIp"]
        for one in shop.containers().values()
        for bindings in (one.attrs["NetworkSettings"]["Ports"] or {}).values()
        for binding in bindings or ()
    ]
    assert set(published) == {"127.0.0.1"}


def test_taking_a_phase_down_leaves_the_others_and_every_volume(shop: Shop):
    plan = plan_take_down(shop.deployments, ["extras"], None)
    take_down(shop.deployments, plan, Silent())
    assert "teller" not in shop.containers()
    assert "db" in shop.containers()
    assert shop.client.volumes.get(f"{shop.name}-core_db-data")


def test_volumes_stay_without_a_verified_set_that_holds_them(shop: Shop, tmp_path: Path):
    deployments = shop.deployments
    settings = deployments.settings.model_copy(
        update={"backup": deployments.settings.backup.model_copy(update={"store": tmp_path})}
    )
    deployments.installation.loaded = deployments.installation.loaded.model_copy(update={"settings": settings})
    with pytest.raises(Refused, match="no verified backup set holds db"):
        plan_take_down(deployments, ["core"], "core")
