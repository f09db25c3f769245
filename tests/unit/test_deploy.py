"""What a deployment does in which order, what it puts back, and what it means to run afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_engine import RecordedEngine

from sutazai_ops.deployment.deploy import DeploymentFailed
from sutazai_ops.deployment.deployments import Deployments
from sutazai_ops.deployment.release import Outcome
from sutazai_ops.deployment.take_down import plan_take_down, take_down
from sutazai_ops.engines import Act, Capacity, Network, NoEngine
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import DeploySettings, Loaded, Settings

CORE = """
name: shop-core
services:
  db: {{image: "shop/db:1.0"}}
  web: {{image: "shop/web:{web}", depends_on: [db]}}
"""
MONITORING = "name: shop-monitoring\nservices:\n  eye: {{image: 'shop/eye:{eye}'}}\n"


class Shop:
    """A platform of two phases on a recorded engine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "platform", folder / "home"
        self.folder.mkdir()
        self.engine: RecordedEngine | None = None
        self.write()

    def write(self, *, web: str = "1.0", eye: str = "1.0", more: str = "") -> None:
        (self.folder / "core.yaml").write_text(CORE.format(web=web) + more)
        (self.folder / "monitoring.yaml").write_text(MONITORING.format(eye=eye))

    @property
    def deployments(self) -> Deployments:
        settings = Settings(home=self.home, platform=self.folder, deploy=DeploySettings(settle_seconds=0))
        installation = Installation(Loaded(settings=settings, origins={}))
        if self.engine is None:
            self.engine = RecordedEngine(installation.platform)
        self.engine.platform = installation.platform
        installation.__dict__["engine"] = self.engine
        return Deployments.of(installation)

    def deploy(self, **selection):
        return self.deployments.deploy(Silent(), **selection)

    def running(self) -> dict[str, str]:
        assert self.engine is not None
        return {name: ones[-1].image for services in self.engine.projects.values() for name, ones in services.items()}

    def meant(self) -> dict[str, str]:
        current = self.deployments.releases.current()
        return {one.name: one.definition["image"] for one in current.services.values()} if current else {}


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(tmp_path)


def test_phases_go_one_after_the_other_and_in_a_phase_what_others_depend_on_first(shop):
    report = shop.deploy()
    assert [phase.phase for phase in report.phases] == ["core", "monitoring"]
    assert shop.engine.done == ["bring db", "bring web", "bring eye"]
    assert shop.meant() == shop.running()


def test_a_second_deployment_does_nothing_and_makes_no_release(shop):
    shop.deploy()
    assert shop.deploy().phases == ()
    assert shop.deployments.releases.numbers() == [1]


def test_what_compose_does_not_take_is_told_with_the_persons_own_file_and_makes_no_release(shop):
    """It named a file in the folder of releases, which nobody had written, and used up a number."""
    shop.deploy()
    shop.write(web="2.0")
    shop.engine.refused["core"] = "services.web.mem_limit is no size"
    with pytest.raises(BadInput, match="mem_limit") as told:
        shop.deploy()
    assert told.value.where == str(shop.folder / "core.yaml")
    assert shop.deployments.releases.numbers() == [1]
    shop.engine.refused.clear()
    shop.deploy()
    assert shop.meant() == shop.running()
    assert shop.deployments.releases.numbers() == [2, 1]


def test_a_release_that_anything_was_made_of_is_never_discarded(shop):
    shop.deploy()
    shop.write(web="2.0")
    shop.deploy()
    for number in (1, 2):
        shop.deployments.releases.discard(number)
    assert shop.deployments.releases.numbers() == [2, 1]


def test_a_phase_that_fails_is_put_back_as_a_release_of_its_own(shop):
    shop.deploy()
    shop.write(web="2.0")
    shop.engine.broken.add("shop/web:2.0")
    with pytest.raises(DeploymentFailed, match="phase core did not pass, and runs as release 1 again") as told:
        shop.deploy()
    assert told.value.where.endswith("its last words")
    assert shop.running()["web"] == "shop/web:1.0"
    assert shop.meant() == shop.running()
    assert [shop.deployments.releases.record(n).outcomes.get("core") for n in (1, 2, 3)] == [
        Outcome.GOOD, Outcome.FAILED, Outcome.GOOD,
    ]  # fmt: skip


def test_what_went_well_before_the_failure_stays(shop):
    shop.deploy()
    shop.write(web="2.0", eye="2.0")
    shop.engine.broken.add("shop/eye:2.0")
    with pytest.raises(DeploymentFailed, match="phase monitoring did not pass"):
        shop.deploy()
    assert shop.running() == {"db": "shop/db:1.0", "web": "shop/web:2.0", "eye": "shop/eye:1.0"}
    assert shop.meant() == shop.running()


def test_phases_after_the_failure_are_not_begun(shop):
    shop.deploy()
    shop.write(web="2.0", eye="2.0")
    shop.engine.broken.add("shop/web:2.0")
    with pytest.raises(DeploymentFailed):
        shop.deploy()
    assert shop.running()["eye"] == "shop/eye:1.0"


def test_the_first_time_there_is_nothing_to_go_back_to_and_nothing_is_torn_down(shop):
    shop.write(web="2.0")
    shop.deployments  # noqa: B018  (makes the engine)
    shop.engine.broken.add("shop/web:2.0")
    with pytest.raises(DeploymentFailed, match="phase core did not pass") as told:
        shop.deploy()
    assert "no earlier release of core" in told.value.report.phases[-1].because
    assert shop.running() == {"db": "shop/db:1.0", "web": "shop/web:2.0"}
    shop.write()
    shop.deploy()
    assert shop.meant() == shop.running()


def test_a_precondition_that_fails_late_leaves_what_is_done_and_means_it(shop):
    shop.deploy()
    shop.write(web="2.0", eye="2.0")
    bring = shop.engine.bring

    def refuse_eye(order, progress):
        shop.engine.observe_project = lambda project: (_ for _ in ()).throw(OpsError("the engine is gone"))
        return bring(order, progress)

    shop.engine.bring = refuse_eye
    with pytest.raises(OpsError):
        shop.deploy(phases=["core"])
    del shop.engine.observe_project, shop.engine.bring
    shop.deploy()
    assert shop.meant() == shop.running()


def test_an_image_that_is_missing_in_the_last_phase_changes_nothing_in_the_first(shop):
    shop.deploy()
    shop.engine.done.clear()
    shop.write(web="2.0", eye="2.0")
    shop.engine.missing.add("shop/eye:2.0")
    with pytest.raises(OpsError, match="cannot be pulled"):
        shop.deploy()
    assert shop.engine.done == []
    assert shop.meant() == shop.running()


def test_naming_a_service_leaves_the_changes_of_the_others_for_later(shop):
    shop.deploy()
    shop.write(web="2.0", eye="2.0")
    shop.deploy(services=["web"])
    assert shop.running() == {"db": "shop/db:1.0", "web": "shop/web:2.0", "eye": "shop/eye:1.0"}
    assert {step.service for step in shop.deployments.prepare().plan.changes} == {"eye"}


def test_networks_that_are_joined_have_to_be_there_whoever_makes_them(shop):
    shop.write(
        more="  agent: {image: 'shop/agent:1.0', networks: [front, theirs]}\n"
        "networks:\n"
        "  front: {external: true, name: shop-front, x-sutazai: {internal: true}}\n"
        "  theirs: {external: true, name: their-own}\n"
        "  nobody: {external: true}\n"
    )
    wanted: list[Network] = []
    shop.deploy()
    shop.engine.ensure_networks = wanted.extend
    shop.write(web="2.0", more=(shop.folder / "core.yaml").read_text().partition("depends_on: [db]}\n")[2])
    shop.deploy()
    assert set(wanted) == {Network("shop-front", internal=True), Network("their-own", internal=None)}


class Killed(BaseException):
    """In the place of SIGKILL: nobody catches it."""


KILLABLE = ("ensure_networks", "check", "pull", "observe", "observe_project", "bring", "remove")


def kill_at(shop: Shop, call: int) -> None:
    """End the deployment at that call of the engine: before it for an even number, and after it for an odd one."""
    calls = iter(range(0, 10_000, 2))

    def counted(act):
        def counts(*arguments):
            now = next(calls)
            if now == call:
                raise Killed
            answer = act(*arguments)
            if now + 1 == call:
                raise Killed
            return answer

        return counts

    for name in KILLABLE:
        setattr(shop.engine, name, counted(getattr(shop.engine, name)))


def revive(shop: Shop) -> None:
    for name in KILLABLE:
        delattr(shop.engine, name)


@pytest.mark.parametrize("broken", [None, "shop/eye:2.0"])
def test_wherever_a_deployment_is_killed_the_next_one_converges(tmp_path, broken):
    for call in range(200):
        (tmp_path / str(call)).mkdir()
        shop = Shop(tmp_path / str(call))
        shop.deploy()
        shop.write(web="2.0", eye="2.0")
        if broken:
            shop.engine.broken.add(broken)
        kill_at(shop, call)
        try:
            shop.deploy()
            break
        except Killed:
            pass
        except DeploymentFailed:
            break
        finally:
            revive(shop)
        shop.engine.broken.clear()
        shop.deploy()
        assert shop.meant() == shop.running() == {"db": "shop/db:1.0", "web": "shop/web:2.0", "eye": "shop/eye:2.0"}
        assert shop.deployments.prepare().plan.changes == ()
        assert shop.deployments.look_for_drift()[1] == []
    assert call > 20, "it was killed at every call there is"


def test_what_a_killed_deployment_has_brought_is_meant_when_the_next_one_fails(shop):
    shop.deploy()
    shop.write(web="2.0", eye="2.0")
    bring = shop.engine.bring

    def kill_before_eye(order, progress):
        if "eye" in order.services:
            raise Killed
        return bring(order, progress)

    shop.engine.bring = kill_before_eye
    with pytest.raises(Killed):
        shop.deploy()
    shop.engine.bring = bring
    shop.engine.broken.add("shop/eye:2.0")
    with pytest.raises(DeploymentFailed, match="phase monitoring did not pass, and runs as release 1 again"):
        shop.deploy()
    assert shop.running() == {"db": "shop/db:1.0", "web": "shop/web:2.0", "eye": "shop/eye:1.0"}
    assert shop.meant() == shop.running()


def test_an_engine_that_goes_away_is_one_sentence_and_no_roll_back(shop):
    shop.deploy()
    shop.write(web="2.0")

    def gone(order, progress):
        raise NoEngine("no Docker engine answers", remedy="start it")

    shop.engine.bring = gone
    with pytest.raises(NoEngine, match="the engine went away while core was being rolled out") as told:
        shop.deploy()
    assert "deploy again" in told.value.remedy
    assert shop.deployments.releases.numbers() == [2, 1]
    del shop.engine.bring
    shop.deploy()
    assert shop.meant() == shop.running()


def test_a_new_phase_that_fails_stays_as_it_came_up_and_is_what_is_meant(shop):
    shop.deploy(phases=["core"])
    shop.write(web="2.0", eye="2.0")
    shop.engine.broken.add("shop/eye:2.0")
    with pytest.raises(DeploymentFailed, match="no earlier release of monitoring to go back to"):
        shop.deploy()
    assert shop.running() == {"db": "shop/db:1.0", "web": "shop/web:2.0", "eye": "shop/eye:2.0"}
    assert shop.meant() == shop.running()


def test_a_failed_service_that_was_named_leaves_what_else_has_drifted_in_its_phase(shop):
    shop.deploy()
    shop.write(web="2.0")
    shop.engine.broken.add("shop/web:2.0")
    shop.engine.stop("db")
    shop.engine.done.clear()
    with pytest.raises(DeploymentFailed):
        shop.deploy(services=["web"])
    assert set(shop.engine.done) == {"bring web"}


def test_a_service_that_is_stopped_is_started(shop):
    shop.deploy()
    shop.engine.stop("db")
    (step,) = shop.deployments.prepare().plan.changes
    assert (step.service, step.act) == ("db", Act.START)


def test_a_phase_whose_last_service_no_file_has_any_more_goes(shop):
    shop.deploy()
    (shop.folder / "monitoring.yaml").write_text("name: shop-monitoring\nservices:\n  ear: {image: 'shop/ear:1.0'}\n")
    shop.deploy()
    assert shop.running() == {"db": "shop/db:1.0", "web": "shop/web:1.0", "ear": "shop/ear:1.0"}


def test_going_back_means_the_old_release_in_a_new_one(shop):
    shop.deploy()
    shop.write(web="2.0")
    shop.deploy()
    shop.deployments.roll_back(Silent(), 1)
    assert shop.running()["web"] == "shop/web:1.0"
    assert shop.deployments.releases.current().number == 3


def test_a_mounted_file_that_was_edited_in_the_release_is_drift_and_put_right(shop):
    (shop.folder / "eye.conf").write_text("open\n")
    file = shop.folder / "monitoring.yaml"
    file.write_text(file.read_text().replace("eye:1.0'", "eye:1.0', volumes: ['./eye.conf:/etc/eye.conf:ro']"))
    shop.deploy()
    (copy,) = shop.deployments.releases.folder.glob("files/*/eye.conf")
    copy.write_text("shut\n")
    assert [str(drift.kind) for drift in shop.deployments.look_for_drift()[1]] == ["files"]
    (step,) = shop.deployments.prepare().plan.changes
    assert (step.service, step.act) == ("eye", Act.RUNTIME_DRIFT)
    shop.deploy()
    assert copy.read_text() == "open\n"
    assert shop.deployments.look_for_drift()[1] == []
    file.write_text(file.read_text().replace("eye.conf:ro", "eye.conf:ro', '/var/eye"))
    shop.deploy()
    copy.unlink()
    with pytest.raises(Refused, match=r"release 1 mounts eye\.conf into eye, and its copy is not there"):
        shop.deployments.prepare_roll_back(1)


def test_a_config_that_was_edited_in_the_release_is_drift_and_put_right(shop):
    (shop.folder / "eye.conf").write_text("open\n")
    file = shop.folder / "monitoring.yaml"
    text = file.read_text().replace("eye:1.0'", "eye:1.0', configs: [{source: eye, target: /etc/eye.conf}]")
    file.write_text(f"{text}configs: {{eye: {{file: ./eye.conf}}}}\n")
    shop.deploy()
    (copy,) = shop.deployments.releases.folder.glob("files/*/eye.conf")
    copy.write_text("shut\n")
    assert [(drift.service, str(drift.kind)) for drift in shop.deployments.look_for_drift()[1]] == [("eye", "files")]
    shop.deploy()
    assert copy.read_text() == "open\n"
    assert shop.deployments.look_for_drift()[1] == []


def test_a_plan_says_how_services_are_made_anew_and_that_limits_do_not_fit(shop):
    shop.engine = None
    (shop.folder / "core.yaml").write_text(BEHIND.format(web="1.0", db="1.0"))
    shop.deploy()
    (shop.folder / "core.yaml").write_text(BEHIND.format(web="2.0", db="2.0"))
    shop.engine.capacity = lambda: Capacity(memory=2**30, cpus=2)
    notes = shop.deployments.prepare().notes
    assert "web is started beside the old one, and edge switched then: no request is lost" in notes
    assert "db is backed up, and the backup proved, before it is made anew" in notes
    assert any("this would be refused: the memory limits of all services add up to 2 GiB" in note for note in notes)


BEHIND = """
name: shop-core
services:
  db: {{image: "postgres:{db}", mem_limit: 2g, x-sutazai: {{probes: []}}}}
  web: {{image: "shop/web:{web}", x-sutazai: {{behind: {{proxy: edge, port: 80}}}}}}
  edge: {{image: "shop/edge:1.0", x-sutazai: {{proxy: {{upstreams: /etc/up, reload: [reload]}}}}}}
"""


def test_what_is_taken_down_is_not_meant_any_more_and_comes_back_with_the_next_deployment(shop):
    shop.deploy()
    plan = plan_take_down(shop.deployments, ["monitoring"], None)
    assert plan.running == ("eye",)
    take_down(shop.deployments, plan, Silent())
    assert shop.running() == shop.meant() == {"db": "shop/db:1.0", "web": "shop/web:1.0"}
    assert shop.deployments.look_for_drift()[1] == []
    record = shop.deployments.releases.record(shop.deployments.releases.current().number)
    assert record.because == "down monitoring"
    shop.deploy()
    assert shop.running() == shop.meant() == {"db": "shop/db:1.0", "web": "shop/web:1.0", "eye": "shop/eye:1.0"}


def test_taking_everything_down_means_nothing_and_is_done_once(shop):
    shop.deploy()
    for _ in range(2):
        take_down(shop.deployments, plan_take_down(shop.deployments, None, None), Silent())
    assert shop.running() == shop.meant() == {}
    assert shop.deployments.releases.numbers() == [2, 1]
    shop.deploy(services=["web"])
    assert shop.running() == {"db": "shop/db:1.0", "web": "shop/web:1.0"}


def test_a_phase_that_was_taken_down_and_fails_as_it_comes_back_is_left_as_it_came_up(shop):
    shop.deploy()
    take_down(shop.deployments, plan_take_down(shop.deployments, ["monitoring"], None), Silent())
    shop.write(eye="2.0")
    shop.engine.broken.add("shop/eye:2.0")
    with pytest.raises(DeploymentFailed, match="there is no earlier release of monitoring to go back to"):
        shop.deploy()
    assert shop.running()["eye"] == "shop/eye:2.0"


def test_a_phase_whose_project_would_be_another_one_is_refused_until_it_is_taken_down(shop):
    shop.deploy()
    file = shop.folder / "monitoring.yaml"
    file.write_text(file.read_text().replace("shop-monitoring", "store-monitoring"))
    with pytest.raises(Refused, match="runs as the project shop-monitoring, and its file now says store-monitoring"):
        shop.deploy()
    assert shop.deployments.releases.numbers() == [1]
    take_down(shop.deployments, plan_take_down(shop.deployments, ["monitoring"], None), Silent())
    assert "take down shop-monitoring" in shop.engine.done
    shop.deploy()
    assert shop.meant() == shop.running()


def test_every_phase_is_written_down_in_the_ledger(shop):
    shop.deploy()
    rows = shop.deployments.installation.ledger.recent_deployments(10)
    assert {(row.phase, row.release, row.outcome) for row in rows} == {("core", 1, "good"), ("monitoring", 1, "good")}
