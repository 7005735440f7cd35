"""Jobs: long work of every kind, one of them live below the list."""

from __future__ import annotations

from app import shell
from app.components.jobs.job_list import filtered_jobs, job_selector, job_table
from app.components.jobs.one_job import one_job, start_form
from app.kit.guard import empty_state


def page() -> None:
    start_form()
    found = filtered_jobs()
    if not found.statuses:
        with empty_state("list_alt", "No job yet", "Trainings, maps and generations are listed here, with their logs."):
            shell.go_button("Train a student", "launch", "rocket_launch")
        return
    if not found.rows:
        shell.nothing_passes("No job passes these filters.", {"job_kinds": [], "job_states": []})
        return
    job_table(found)
    one_job(job_selector(found))


page()
