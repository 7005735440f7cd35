"""What is computed at present, in the sidebar of every page: how far it is, with a button to stop it; and its end."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.jobs.notification import ask_and_notify
from app.kit import background
from app.kit.guard import plain
from app.kit.job_panel import how_far
from app.state import address, run_choice, studio, visitor, watched_jobs
from avion_core.usecases.job_control import may_control, stop_job
from avion_core.usecases.jobs import JobView, active_jobs, get_job
from avion_core.usecases.projects.summaries import project_names
from avion_core.wording import counted

_EVERY_SECONDS = 2.0
_SHOWN = 2


def status_line() -> None:
    """Draw it; it moves by itself while something goes on, and costs one short query where nothing does."""
    if active_jobs(studio.home()) or background.under_way() or watched_jobs.any_known():
        with st.sidebar:
            st.fragment(_draw, run_every=_EVERY_SECONDS)()


def _draw() -> None:
    home = studio.home()
    jobs, works = active_jobs(home), background.under_way()
    for job_id in watched_jobs.watch([job.id for job in jobs]):
        job = get_job(home, job_id)
        said = f"{job.doing} · {job.status}"
        watched_jobs.note_end(job_id, said)
        st.toast(plain(said), icon=":material/notifications:")
    ended = watched_jobs.ended()
    if not (jobs or works or ended):
        return
    with st.container(border=True, gap="xxsmall", key="status_line"):
        for work in works[:1]:
            _work(work, len(works) - 1)
        _jobs(sorted(jobs, key=lambda job: job.waiting))
        for job_id, said in ended.items():
            _ended(job_id, said)
        ask_and_notify(ended, asks=bool(jobs))


def _work(work: background.Work, waiting: int) -> None:
    far = background.how_far(work.share, work.remaining_seconds, "starting")
    after = f"; {counted(waiting, 'page waits', 'pages wait')} for it" if waiting else ""
    if _line(work.title, f"{far}{after}", "cancel", key="cancel_beside", tip="Cancel"):
        background.cancel(work)
        st.rerun()


def _jobs(jobs: list[JobView]) -> None:
    """The first of them, and how many more there are; those at work come first."""
    projects = project_names(studio.home()) if jobs else {}
    for job in jobs[:_SHOWN]:
        elsewhere = job.project_id not in (None, address.project_id())
        far = f"{how_far(job)} · {projects.get(job.project_id or '', '')}" if elsewhere else how_far(job)
        may = may_control(visitor.signed_in(), job) and not job.stopping
        key = f"status_stop_{job.id}"
        if _line(job.doing, far, "stop_circle", key=key, tip="Save and stop", disabled=not may):
            stop_job(studio.home(), job.id)
            st.rerun()
    if len(jobs) > _SHOWN:
        st.caption(f"and {counted(len(jobs) - _SHOWN, 'job')} more")
    if jobs and st.button("See all jobs", key="see_jobs", type="tertiary", icon=":material/list_alt:"):
        shell.go("jobs")


def _ended(job_id: str, said: str) -> None:
    if _line("", said, "close", key=f"forget_{job_id}", tip="Dismiss"):
        watched_jobs.forget(job_id)
        st.rerun()
    if st.button("See it", key=f"see_end_{job_id}", type="tertiary", icon=":material/open_in_new:"):
        watched_jobs.forget(job_id)
        _open(get_job(studio.home(), job_id))


def _line(title: str, text: str, icon: str, *, key: str, tip: str, disabled: bool = False) -> bool:
    """A title, a line below it and a small button beside them; whether that was pressed."""
    words, button = st.columns([5, 1], gap="xxsmall", vertical_alignment="center")
    heading = f"**{plain(title)}**  \n" if title else ""
    words.markdown(f"{heading}:small[{plain(text)}]")
    return button.button("", icon=f":material/{icon}:", key=key, type="tertiary", help=tip, disabled=disabled)


def _open(job: JobView) -> None:
    """The page that shows a job: its run's, or that of all jobs."""
    if job.project_id:
        address.choose(address.PROJECT, job.project_id)
    if job.kind == "training":
        run_choice.show([job.id])
        shell.go("evaluation" if job.state == "finished" else "runs")
    address.choose(address.JOB, job.id)
    shell.go("jobs")
