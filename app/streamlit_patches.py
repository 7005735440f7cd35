"""A page that was left must not blank the one that was opened.

What moves by itself on a page is a fragment with a timer in the browser. When a button of such a page opens another,
the timer may tick once more before the browser hears of it. Streamlit knows that the fragment is gone and draws
nothing, but it tells the browser that a run of the old page began, and the browser drops the new page's elements.
"""

from __future__ import annotations

from functools import wraps

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData


def drop_late_ticks() -> None:
    """From now on a tick of fragments that are all gone begins no run; Streamlit has no public place to say so."""
    run_script = ScriptRunner._run_script

    @wraps(run_script)
    def run_what_is_there(self: ScriptRunner, rerun_data: RerunData) -> None:
        ticking = rerun_data.fragment_id_queue if rerun_data.is_auto_rerun else []
        if not ticking or any(map(self._fragment_storage.contains, ticking)):
            run_script(self, rerun_data)

    ScriptRunner._run_script = run_what_is_there
