"""What was typed or chosen and is not saved yet: leaving a page, or a refresh of the browser, loses none of it.

Streamlit forgets a widget's value when its page is left, and everything when the browser is refreshed. Values of the
widgets named here are kept in the session, and a copy in the browser's tab, which also knows what was typed into a form
and not sent (app/outbox/drafts.js). Only what differs from what a widget was first drawn with is a draft.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from avion_core.errors import AvionError
from avion_core.reading import Subject, parse_json

KEY = "drafts"

_DRAFTS = "_drafts"
_DRAFT = Subject("a draft")
_KEPT = re.compile(
    r"launch_[^:]+:(?!protocol\.projects).+|sweep_(shots|seeds)_\w+|run_name|preset"
    r"|(card|name|rules)_.+@\d+_(?!save$|over_|discard$).+"
    r"|import_(pasted|path|writer|split|way)|new_(name|folder|source|modality)"
)
_FORM_NUMBER = re.compile(r"@\d+")
_CLASS_SIGN = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass
class Drafts:
    """The drafts of this session, by name: a widget's key without its form's number."""

    values: dict[str, str] = field(default_factory=dict)
    """Name -> value as JSON: 1.0 must come back as a float."""
    keys: dict[str, str] = field(default_factory=dict)
    """Name -> the widget's key."""
    pages: dict[str, str] = field(default_factory=dict)
    """Name -> the page that has its widget."""
    waiting: set[str] = field(default_factory=set)
    """Names that were filled in and whose page was not drawn since. They are filled in at each run until then: the
    browser is told of a value only in the run that sets it."""
    first: dict[str, str] = field(default_factory=dict)
    """Name -> the value that it was first drawn with, as JSON."""
    forgotten: dict[str, int] = field(default_factory=dict)
    """Name -> the run in which it was saved or discarded."""
    pending: set[str] = field(default_factory=set)
    """Names whose widgets were drawn before their draft was known: the next run fills them in."""
    taken: int = 0
    """The number of the newest drafts that the browser sent."""
    run: int = 0

    @property
    def fresh(self) -> bool:
        """The browser has not been heard in this session."""
        return self.taken == 0


def of_this_session() -> Drafts:
    return st.session_state.setdefault(_DRAFTS, Drafts())


def bring_back() -> None:
    """Before a page is drawn: widgets get back what was typed into them."""
    drafts = of_this_session()
    drafts.run += 1
    for name, key in list(drafts.keys.items()):
        value = _as_json(st.session_state[key]) if key in st.session_state else None
        if name in drafts.pending or name in drafts.waiting:
            if value is None or value in (drafts.first.get(name), drafts.values.get(name)):
                continue
            # Somebody typed before the draft was filled in, and the run that was to fill it in was broken off for it.
            drafts.pending.discard(name)
            drafts.waiting.discard(name)
        if key in st.session_state:
            if value is not None and value != drafts.first.get(name):
                drafts.values[name] = value
            else:
                drafts.values.pop(name, None)
        elif name not in drafts.values:  # nothing was changed, and its page was left
            for known in (drafts.keys, drafts.pages, drafts.first):
                known.pop(name, None)
    sent = (st.session_state.get(KEY) or {}).get("sent") or {}
    if sent.get("number", 0) > drafts.taken:
        # What was changed since the page was opened is newer than what the browser kept from before.
        newer = {name for name in drafts.values if drafts.keys.get(name) in st.session_state} if drafts.fresh else set()
        drafts.taken = sent["number"]
        for name, value in (sent.get("values") or {}).items():
            if _is_json(value) and name not in newer and drafts.forgotten.get(name, 0) <= sent.get("run", 0):
                drafts.values[name] = value
                drafts.pending.add(name)
    for name, value in list(drafts.values.items()):
        key = drafts.keys.get(name)
        wanted = name in drafts.pending or name in drafts.waiting
        if key is None or (not wanted and key in st.session_state):
            continue
        drafts.pending.discard(name)
        drafts.waiting.add(name)
        if type(json.loads(value)) is type(json.loads(drafts.first[name])):
            st.session_state[key] = json.loads(value)
        else:  # another widget goes by this name now
            del drafts.values[name]
            drafts.waiting.discard(name)


def note_widgets(page: str) -> bool:
    """After a page was drawn: which widgets it has; True where one of them has a draft that it was drawn without."""
    drafts = of_this_session()
    drafts.waiting -= {name for name in drafts.waiting if drafts.pages.get(name) == page}
    for key in map(str, st.session_state):
        if not _KEPT.fullmatch(key):
            continue
        name = _FORM_NUMBER.sub("@", key)
        if drafts.keys.get(name) == key:
            continue
        value = _as_json(st.session_state[key])
        if value is not None:
            drafts.keys[name] = key
            drafts.pages[name] = page
            drafts.first[name] = value
            if drafts.values.get(name, value) != value:
                drafts.pending.add(name)
    return any(name in drafts.keys for name in drafts.pending)


def forget(prefix: str) -> None:
    """Widgets whose keys begin like this were saved, or given up."""
    drafts = of_this_session()
    for name, key in list(drafts.keys.items()):
        if key.startswith(prefix):
            drafts.forgotten[name] = drafts.run
            for known in (drafts.values, drafts.keys, drafts.pages, drafts.first):
                known.pop(name, None)
            for asked in (drafts.pending, drafts.waiting):
                asked.discard(name)


def css_classes() -> dict[str, str]:
    """CSS class of each widget's element -> the name of its draft."""
    return {f"st-key-{_CLASS_SIGN.sub('-', key)}": name for name, key in of_this_session().keys.items()}


def _as_json(value: Any) -> str | None:
    """A value as JSON; None for what is no value that somebody typed or chose."""
    plain = isinstance(value, str | int | float | bool | list | tuple)
    return json.dumps(value) if plain else None


def _is_json(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) <= 200_000 and _as_json(parse_json(value, _DRAFT)) is not None
    except AvionError:
        return False
