"""Jobs on a Ray cluster that misbehaves as Ray does: the row and the folder stay the truth."""

from __future__ import annotations

import threading
from dataclasses import asdict
from datetime import timedelta

import httpx2
import pytest

from avion_core.actor import ALONE
from avion_core.errors import JobError
from avion_core.jobs import reconcile as module
from avion_core.jobs import worker
from avion_core.jobs.executors import EXECUTORS, Place, chosen_executor, plan, ray, ray_api
from avion_core.jobs.executors.ray import RayExecutor
from avion_core.jobs.kinds import KINDS
from avion_core.jobs.process import ProcessId
from avion_core.jobs.submit import submit, submit_new
from avion_core.store import jobs, tables
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.usecases.jobs import get_job, kill, log_tail, queue_again, start_or_wait
from tests.jobs.fake_ray import TOKEN, FakeRay, serving
from tests.jobs.toy_counting import COUNTING, CountingRequest

FAR = ProcessId("far-away", "its own boot", 5, 1.0)


@pytest.fixture
def cluster(monkeypatch):
    with serving() as fake:
        fake.choose(monkeypatch)
        yield fake


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setattr(module, "_watched", {})
    monkeypatch.setattr(ray, "_ASK_SECONDS", 0.0)
    monkeypatch.setattr(ray, "_AWAY_SECONDS", 0.0)
    monkeypatch.setattr(ray_api, "_TIMEOUT", httpx2.Timeout(0.5))
    monkeypatch.setitem(EXECUTORS, "ray", RayExecutor())
    monkeypatch.setitem(KINDS, "counting", COUNTING)
    return Home(tmp_path / "home", ALONE)


def ask_for(home: Home, images: int = 3) -> str:
    return submit_new(home, "counting", CountingRequest(images=images), who="me", device="auto")


def name_of(home: Home, job: str) -> str:
    return f"{job}-{get_job(home, job).attempt}"


def row(home: Home, job: str, **columns) -> None:
    """Write columns of a job's row, as its process would."""
    with writing(home.engine) as session:
        for name, value in columns.items():
            setattr(jobs.find_job(session, job), name, value)


def begin(home: Home, cluster: FakeRay, job: str, silent: float = 0.0) -> None:
    """Its process began on a machine far away, and was not heard from for so many seconds."""
    cluster.set(name_of(home, job), "RUNNING")
    heard = tables.now() - timedelta(seconds=silent)
    row(home, job, state="running", beats=3, heartbeat_at=heard, beat_clock=1.0, **asdict(FAR))


def test_a_job_goes_to_the_cluster_and_its_row_says_under_which_name(home, cluster):
    job = ask_for(home)
    assert cluster.requests == [
        {
            "entrypoint": f"python -m avion_core.jobs.worker --home {home.path} --job {job} --attempt 1",
            "submission_id": f"{job}-1",
            "entrypoint_num_cpus": 1.0,
            "entrypoint_num_gpus": 0,
            "runtime_env": {"env_vars": {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "RAY_JOB_STOP_WAIT_TIME_S": "60"}},
        }
    ]
    waiting = get_job(home, job)
    assert (waiting.executor, waiting.state, waiting.waiting, waiting.alive) == ("ray", "queued", False, True)
    worker.work(home, job, threading.Event(), attempt=1)  # as Ray starts it
    ended = get_job(home, job)
    assert (ended.state, ended.result) == ("finished", {"counted": 3})
    assert log_tail(home, job, 1)[0].endswith("finished")


def test_what_a_job_asks_the_cluster_for_is_set_in_the_environment(home, cluster, monkeypatch):
    monkeypatch.setenv("AVION_RAY_CPUS", "4")
    monkeypatch.setenv("AVION_RAY_GPUS", "0.5")
    assert (plan("auto"), plan("cuda"), plan("cpu")) == (Place("ray", "gpu"), Place("ray", "gpu"), Place("ray", "cpu"))
    assert plan(None) == Place("local", "network")  # what only waits for a network stays here
    assert plan("cpu", here=True) == Place("local", "cpu", "CPU")
    ask_for(home)
    assert [cluster.requests[0][f"entrypoint_num_{what}"] for what in ("cpus", "gpus")] == [4.0, 0.5]
    monkeypatch.setenv("AVION_RAY_GPUS", "two")
    with pytest.raises(JobError, match=r"AVION_RAY_GPUS cannot be used: two\. Set it to a number"):
        plan("auto")


def test_a_name_that_ray_has_already_is_the_same_job_not_a_failure(home, cluster):
    job = ask_for(home)
    row(home, job, submission=None)  # the server died before it had written this down
    submit(home, job)
    assert len(cluster.requests) == 1
    assert not get_job(home, job).waiting


def test_a_job_that_was_taken_by_a_cluster_too_slow_to_say_so_is_not_given_up(home, cluster):
    cluster.slow = 1.0
    assert get_job(home, ask_for(home)).state == "queued"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RAY_AUTH_TOKEN", "wrong", r"does not accept the token: http.* Set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"),
        ("RAY_AUTH_TOKEN", "two\nlines", r"The token for the Ray cluster cannot be one: RAY_AUTH_TOKEN\. Copy it"),
        ("RAY_AUTH_TOKEN", "", r"There is no token for the Ray cluster: /nowhere\. Set RAY_AUTH_TOKEN, or"),
        ("AVION_RAY_ADDRESS", "", r"The Ray cluster has no address\. Set AVION_RAY_ADDRESS to"),
        ("AVION_RAY_ADDRESS", "ray://head:10001", r"has no address: ray://head:10001\. Set AVION_RAY_ADDRESS"),
        ("AVION_RAY_ADDRESS", "http://127.0.0.1:9", r"cannot be reached: http://127\.0\.0\.1:9\. See whether it runs"),
        ("AVION_EXECUTOR", "slurm", r"AVION_EXECUTOR names no executor: slurm\. Set it to one of: local, ray\."),
    ],
)
def test_what_is_set_up_wrong_is_said_before_anything_waits(home, cluster, monkeypatch, name, value, said):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/nowhere")
    monkeypatch.setenv(name, value)
    with pytest.raises(JobError, match=said):
        ask_for(home)
    assert cluster.requests == []
    with writing(home.engine) as session:
        assert [(job.state, job.cause) for job in jobs.list_jobs(session)] in ([], [("failed", "start")])


def test_a_token_may_be_in_a_file(home, cluster, monkeypatch, tmp_path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    assert get_job(home, ask_for(home)).alive


def test_a_cluster_that_asks_for_no_token_is_refused(home, cluster):
    cluster.open = True
    with pytest.raises(JobError, match=r"asks for no token: http.* Start it with RAY_AUTH_MODE=token"):
        ask_for(home)
    assert cluster.requests == []


def test_something_else_at_that_address_is_no_cluster(home, cluster):
    cluster.broken = True
    with pytest.raises(JobError, match="omething other than a Ray cluster answers: http"):
        ask_for(home)


def test_a_job_that_could_not_be_handed_over_has_failed_and_can_be_resumed(home, cluster, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
    with pytest.raises(JobError):
        ask_for(home)
    failed = get_job(home, "latest")
    assert (failed.state, failed.cause, "does not accept" in (failed.error or "")) == ("failed", "start", True)
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert queue_again(home, failed.id)
    start_or_wait(home, failed.id)
    assert [request["submission_id"] for request in cluster.requests] == [f"{failed.id}-2"]


@pytest.mark.parametrize("code", [1, -9, 137])
def test_a_process_that_ended_before_it_took_the_job_says_why(home, cluster, code):
    job = ask_for(home)
    cluster.output[f"{job}-1"] = "Runtime env is setting up.\npython: No module named avion_core\n"
    cluster.set(f"{job}-1", "FAILED", "Job entrypoint command failed with exit code", code)
    failed = get_job(home, job)
    how = "exit code 1" if code == 1 else "SIGKILL, which the system sends when memory runs out"
    assert failed.error == (
        f"Its process ended before the work could begin ({how}). The last line of its log: python: No module named "
        "avion_core. Fix that and resume it."
    )
    assert log_tail(home, job) == ["Runtime env is setting up.", "python: No module named avion_core"]


def test_a_job_for_which_ray_found_no_machine_in_time_says_so(home, cluster):
    job = ask_for(home)
    cluster.set(f"{job}-1", "FAILED", "Job supervisor actor failed to start within 900.0 seconds. See the docs.")
    assert "(Ray: Job supervisor actor failed to start within 900.0 seconds)" in (get_job(home, job).error or "")


def test_a_process_that_ended_while_it_worked_is_lost_and_resumed_as_a_new_attempt(home, cluster):
    job = ask_for(home)
    begin(home, cluster, job)
    assert get_job(home, job).alive
    cluster.set(f"{job}-1", "FAILED", "The actor died.")
    lost = get_job(home, job)
    assert (lost.state, lost.error) == (
        "lost",
        "Its process ended without a message (Ray: The actor died). Resume it: what was saved is kept.",
    )
    assert queue_again(home, job)
    start_or_wait(home, job)
    assert f"{job}-2" in cluster.jobs
    with pytest.raises(JobError, match="not waiting for a process"):  # the first one comes back
        worker.work(home, job, threading.Event(), attempt=1)
    with writing(home.engine) as session:
        assert not jobs.beat(session, job, 1, 0.0, {})


def test_after_the_head_died_the_heartbeat_decides(home, cluster, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(module, "machine_seconds", lambda: clock[0])
    job = ask_for(home)
    begin(home, cluster, job, silent=90.0)
    cluster.jobs.clear()
    running = get_job(home, job)
    assert (running.state, running.alive) == ("running", None)
    row(home, job, beats=4)  # its child runs on
    clock[0] += module.WATCH_SECONDS
    assert get_job(home, job).state == "running"
    clock[0] += module.WATCH_SECONDS
    lost = get_job(home, job)
    assert lost.state == "lost"
    assert "(Ray has no record of it). Resume it" in (lost.error or "")


@pytest.mark.parametrize("how", ["away", "slow", "token"])
def test_a_job_that_waits_in_a_cluster_which_does_not_answer_is_not_given_up(home, cluster, monkeypatch, how):
    clock = [1000.0]
    monkeypatch.setattr(module, "machine_seconds", lambda: clock[0])
    job = ask_for(home)
    row(home, job, heartbeat_at=tables.now() - timedelta(hours=5))
    if how == "token":
        monkeypatch.setenv("RAY_AUTH_TOKEN", "changed")
    elif how == "away":
        monkeypatch.setenv("AVION_RAY_ADDRESS", "http://127.0.0.1:9")
    else:
        cluster.slow_looks = 0.3
        monkeypatch.setattr(ray_api, "_TIMEOUT", httpx2.Timeout(0.1))
    for _ in range(3):
        clock[0] += module.LOST_AFTER_SECONDS
        found = get_job(home, job)
        assert (found.state, found.alive) == ("queued", None)


def test_a_page_that_looks_every_second_does_not_wait_for_the_cluster_each_time(home, cluster, monkeypatch):
    monkeypatch.setattr(ray, "_ASK_SECONDS", 60.0)
    monkeypatch.setattr(ray, "_AWAY_SECONDS", 60.0)
    job = ask_for(home)
    cluster.asked.clear()
    for _ in range(5):
        get_job(home, job)
    assert cluster.asked == [f"GET /api/jobs/{job}-1"]
    other, looks = ask_for(home, 7), []
    monkeypatch.setattr(
        httpx2, "request", lambda *_, **__: looks.append(1) or (_ for _ in ()).throw(httpx2.ConnectError(""))
    )
    for _ in range(5):
        get_job(home, other)
    assert len(looks) == 1


def test_killing_waits_until_the_process_has_saved(home, cluster):
    job = ask_for(home)
    begin(home, cluster, job)
    cluster.saves = 2
    assert kill(home, job)
    assert cluster.jobs[f"{job}-1"]["status"] == "STOPPED"
    assert (get_job(home, job).state, get_job(home, job).cause) == ("stopped", "killed")


def test_killing_what_waits_in_the_cluster_leaves_it_to_find_its_attempt_taken(home, cluster):
    job = ask_for(home)
    assert kill(home, job)
    assert cluster.jobs[f"{job}-1"]["status"] == "PENDING"  # Ray ends nothing that has not begun
    with pytest.raises(JobError, match="not waiting for a process"):
        worker.work(home, job, threading.Event(), attempt=1)


def test_killing_what_ray_has_lost_ends_it_here(home, cluster):
    job = ask_for(home)
    begin(home, cluster, job)
    cluster.jobs.clear()
    assert kill(home, job)
    assert get_job(home, job).state == "stopped"


def test_a_stopped_job_is_resumed_where_jobs_are_done_now(home, cluster, monkeypatch):
    job = ask_for(home)
    with writing(home.engine) as session:
        assert jobs.ask_to_stop(session, job)
    monkeypatch.setenv("AVION_EXECUTOR", " ")
    assert chosen_executor() == "local"
    assert queue_again(home, job)
    assert get_job(home, job).executor == "local"
