"""Is it alive? The one rule by which a job whose process is gone or silent is ended, whatever its kind and executor.

A process of this machine is known by its identity: while it is there, it is there, and once it is gone, the job is
lost. Silence is measured by the machine's own clock where the process is of this machine, and else by a count of
heartbeats that does not move while we watch: setting a clock neither kills a job nor revives one.
"""

from __future__ import annotations

from avion_core.jobs.executors import Standing, find_executor, local
from avion_core.jobs.kinds import KINDS, job_folder
from avion_core.jobs.log import last_line
from avion_core.jobs.process import machine_seconds, this_boot
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.jobs import ACTIVE, end_unheard, list_jobs
from avion_core.store.tables import Job, now

LOST_AFTER_SECONDS = 60.0
"""Silence after which a job counts as lost: many missed beats, so that a busy disk is not taken for death."""
WATCH_SECONDS = 5.0
"""How long the heartbeats of a process elsewhere must stand still before our eyes, besides."""

_watched: dict[str, tuple[int, int, float]] = {}
"""Job -> its attempt and heartbeats when they last moved, and our clock then."""


def reconcile(home: Home) -> list[Job]:
    """End the jobs whose process is gone or silent, and let go of children that have ended.

    Returns:
        Those that go on or wait, the newest first.
    """
    with reading(home.engine) as session:
        active = list_jobs(session, states=ACTIVE)
    gone = [(job, how) for job in active if (how := _ending(home, job))]
    local.reap()
    for job, (state, cause, error) in gone:
        with writing(home.engine) as session:
            end_unheard(session, job, state, cause=cause, error=error)
    ended = {job.id for job, _ in gone}
    return [job for job in active if job.id not in ended]


def standing(home: Home, job: Job) -> Standing:
    """Whether the job's process is there: by its identity where it is of this machine, else as its executor says."""
    here = local.LocalExecutor().state(home, job)
    return here if here.alive is not None else find_executor(job.executor).state(home, job)


def silence(job: Job) -> float:
    """Seconds since a job that was handed over was heard from."""
    if job.beat_clock is not None and job.boot and job.boot == this_boot():
        return max(0.0, machine_seconds() - job.beat_clock)
    return max(0.0, (now() - (job.heartbeat_at or job.created_at)).total_seconds())


def is_waiting(job: Job) -> bool:
    """Queued, and no process was started for it yet."""
    return job.state == "queued" and job.submission is None


def _ending(home: Home, job: Job) -> tuple[str, str, str] | None:
    """State, cause and sentence for a job whose process cannot say so itself any more; None while all is well."""
    if job.state not in ACTIVE or is_waiting(job):
        return None  # what waits for its turn waits however long
    found = standing(home, job)
    hint = KINDS[job.kind].lost_hint if job.kind in KINDS else ""
    if found.alive is False and job.state == "queued":
        said = next(iter(find_executor(job.executor).logs(home, job, 1)), "") or last_line(job_folder(home, job))
        words = f"The last line of its log: {said.removesuffix('.')}." if said else "Its log is empty."
        what = f"Its process ended before the work could begin{found.how}."
        return "failed", "start", f"{what} {words} Fix that and resume it."
    if found.alive is False:
        why = f"Its process ended without a message{found.how or ' (killed, or the machine went down)'}."
        return "lost", "lost", f"{why} {hint}"
    # A queued job whose process lives is still starting: on a busy machine that takes as long as it takes. And one that
    # was handed to a cluster may wait there for hours, whether the cluster answers just now or not.
    if job.state == "queued" and (found.alive or not found.asked):
        return None
    if (quiet := _silent(job)) is None:
        return None
    return "lost", "lost", f"No sign of life from its process for {quiet:.0f} s{found.how}. {hint}"


def _silent(job: Job) -> float | None:
    """For how long a job was not heard from, once that is too long."""
    quiet = silence(job)
    if job.beat_clock is not None and job.boot and job.boot == this_boot():
        return quiet if quiet > LOST_AFTER_SECONDS else None
    # Its clock is not ours: the wall clocks may be apart, so its heartbeats are watched besides.
    *seen, since = _watched.get(job.id, (0, 0, 0.0))
    if seen != [job.attempt, job.beats]:
        since = machine_seconds()
        _watched[job.id] = job.attempt, job.beats, since
    still = machine_seconds() - since
    # Where a clock was set back, the rows say "just now" for as long: what we watched ourselves is enough.
    gone = still > LOST_AFTER_SECONDS or (quiet > LOST_AFTER_SECONDS and still >= WATCH_SECONDS)
    return max(quiet, still) if gone else None
