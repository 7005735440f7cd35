"""The jobs that this tab has seen at work, and those whose end it has still to tell."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

_SEEN, _ENDED = "_jobs_seen", "_jobs_ended"


def any_known() -> bool:
    """Whether jobs were at work at the last look, or an end is still to be told."""
    return bool(st.session_state.get(_SEEN) or ended())


def watch(active: Collection[str]) -> list[str]:
    """Take down which jobs are at work now; returns those that were at the last look and are no longer."""
    before: list[str] = st.session_state.get(_SEEN, [])
    st.session_state[_SEEN] = list(active)
    return [job for job in before if job not in active]


def note_end(job_id: str, said: str) -> None:
    """Keep the end of a job for this tab until it is looked at or dismissed."""
    st.session_state[_ENDED] = {**ended(), job_id: said}


def ended() -> dict[str, str]:
    """Job -> how it ended, the oldest first."""
    return st.session_state.get(_ENDED, {})


def forget(job_id: str) -> None:
    st.session_state[_ENDED] = {job: said for job, said in ended().items() if job != job_id}
