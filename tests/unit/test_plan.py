"""What a plan decides for each service, and the reason it gives."""

from __future__ import annotations

from releases import container, release, service

from sutazai_ops.deployment.compare import Difference
from sutazai_ops.deployment.plan import make_plan
from sutazai_ops.engines import Act, State


def only_step(wanted, last, *containers, name="web"):
    (step,) = make_plan(wanted, last, {"core": {name: containers} if containers else {}}).steps
    return step


def test_a_service_that_runs_as_meant_is_unchanged():
    meant = release(service())
    plan = make_plan(meant, meant, {"core": {"web": [container()]}})
    assert [step.act for step in plan.steps] == [Act.UNCHANGED]
    assert plan.changes == ()


def test_a_service_that_never_ran_is_created():
    assert only_step(release(service()), None).act is Act.CREATE


def test_a_changed_definition_is_a_recreation_that_names_the_fields():
    before = release(service())
    after = release(service(spec="b" * 64, definition={"image": "shop/web:1.1"}), number=2)
    step = only_step(after, before, container())
    assert step.act is Act.RECREATE
    assert step.why == "image shop/web:1.0 -> shop/web:1.1"


def test_limits_have_the_same_words_whether_the_files_or_somebody_else_changed_them():
    more = {"deploy": {"resources": {"limits": {"memory": "1G", "cpus": "0.5", "pids": 80}}}}
    before, after = release(service()), release(service(spec="b" * 64, definition=more), number=2)
    assert only_step(after, before, container()).why == "memory limit 64 MiB -> 1 GiB; process limit 50 -> 80"


def test_a_secret_that_changed_is_named_and_never_shown():
    before = release(service(definition={"environment": {"API_TOKEN": "old-value"}}))
    after = release(service(spec="b" * 64, definition={"environment": {"API_TOKEN": "new-value"}}), number=2)
    why = only_step(after, before, container()).why
    assert "API_TOKEN" in why
    assert "old-value" not in why
    assert "new-value" not in why


def test_a_password_inside_an_address_is_never_shown():
    before = release(service(definition={"environment": {"STORE": "redis://:hunter2@cache/0"}}))
    after = release(service(spec="b" * 64, definition={"environment": {"STORE": "redis://:hunter3@cache/0"}}), number=2)
    assert "hunter" not in only_step(after, before, container()).why


def test_a_mounted_file_that_changed_is_named_by_its_name():
    old, new = (f"./../files/{digit * 16}/prometheus.yml:/etc/prometheus.yml:ro" for digit in "12")
    before = release(service(definition={"volumes": [old]}))
    after = release(service(spec="b" * 64, definition={"volumes": [new]}), number=2)
    assert only_step(after, before, container()).why == "file prometheus.yml 11111111 -> 22222222"


def test_a_container_of_somebody_else_is_made_anew():
    step = only_step(release(service()), None, container(spec=None, release=None))
    assert (step.act, step.because) == (Act.RECREATE, "it was not made by a release of ours")


def test_a_stopped_service_is_started_and_its_end_is_told():
    stopped = container(state=State.STOPPED, exit_code=137, out_of_memory=True)
    step = only_step(release(service()), release(service()), stopped)
    assert (step.act, step.because) == (Act.START, "it is stopped (exit code 137, out of memory)")


def test_a_one_shot_that_ended_well_is_done():
    done = container(state=State.STOPPED, exit_code=0)
    assert only_step(release(service(one_shot=True)), None, done).act is Act.UNCHANGED
    assert only_step(release(service()), None, done).act is Act.START


def test_a_limit_that_somebody_changed_by_hand_is_runtime_drift():
    step = only_step(release(service()), release(service()), container(memory=128 * 1024**2))
    assert (step.act, step.why) == (Act.RUNTIME_DRIFT, "what runs was changed; memory limit 64 MiB -> 128 MiB")


def test_a_network_that_was_taken_away_is_runtime_drift():
    step = only_step(release(service()), release(service()), container(networks=frozenset()))
    assert (step.act, step.why) == (Act.RUNTIME_DRIFT, "what runs was changed; networks shop-front -> none")


def test_a_mounted_file_that_somebody_edited_in_the_release_is_runtime_drift():
    edited = {"web": (Difference("file web.conf", "11111111", "22222222"),)}
    (step,) = make_plan(release(service()), release(service()), {"core": {"web": [container()]}}, edited=edited).steps
    assert (step.act, step.why) == (Act.RUNTIME_DRIFT, "what runs was changed; file web.conf 11111111 -> 22222222")


def test_a_copy_that_a_killed_deployment_left_is_put_right():
    left = [container(), container(id="second", name="shop-core-web-2")]
    assert only_step(release(service()), release(service()), *left).act is Act.RUNTIME_DRIFT


def test_what_no_file_has_any_more_is_removed_where_a_release_of_ours_had_it():
    last = release(service(), service("old"))
    plan = make_plan(release(service(), number=2), last, {"core": {"web": [container()], "old": [container("old")]}})
    assert [(step.service, step.act) for step in plan.changes] == [("old", Act.REMOVE)]
    assert plan.orphans == ()


def test_what_somebody_else_put_there_is_an_orphan_and_left_alone():
    stranger = container("stranger", spec=None, release=None)
    plan = make_plan(release(service()), release(service()), {"core": {"web": [container()], "stranger": [stranger]}})
    assert plan.changes == ()
    assert [orphan.service for orphan in plan.orphans] == ["stranger"]


def test_only_what_is_looked_at_is_planned():
    meant = release(service(), service("api"))
    plan = make_plan(meant, None, {"core": {}}, looked_at={"api"})
    assert [step.service for step in plan.steps] == ["api"]
