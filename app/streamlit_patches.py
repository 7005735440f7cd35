"""A page that was left must neither blank the one that was opened, nor come back in its place.

What moves by itself on a page is a fragment with a timer in the browser. When a button of such a page opens another,
the timer may tick once more before the browser hears of it. Two things go wrong then in Streamlit:

- The fragment is gone. It draws nothing, but tells the browser that a run of the old page began, and the browser drops
  the new page's elements.
- The fragment is on both pages, as the status line is. It is drawn as part of the old page, which is the current one
  again from then on: the next run of the whole app shows the page that was left.
"""

from __future__ import annotations

from functools import wraps

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData


def drop_late_ticks() -> None:
    """From now on no tick begins a run if its fragments are gone or its page was left; the next tick knows better.

    Streamlit has no public place to say so.
    """
    run_script = ScriptRunner._run_script

    @wraps(run_script)
    def run_what_is_there(self: ScriptRunner, rerun_data: RerunData) -> None:
        if not rerun_data.is_auto_rerun or not rerun_data.fragment_id_queue:
            run_script(self, rerun_data)
            return
        there = any(map(self._fragment_storage.contains, rerun_data.fragment_id_queue))
        now = self._pages_manager.current_page_script_hash
        if there and rerun_data.page_script_hash in ("", now):
            run_script(self, rerun_data)

    ScriptRunner._run_script = run_what_is_there
