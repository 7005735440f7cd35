"""The rows a person has selected to judge together, and the verdict that waits for its confirmation."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:  # it brings the models' library along
    from avion_core.usecases.curation import Decision

_ASKED_VERDICT = "_asked_verdict"
_SELECTION = "_selection_name"


@dataclass(frozen=True)
class Asked:
    """A verdict on several descriptions (or one description's new wording) that waits for its confirmation."""

    verdict: Decision
    ids: tuple[str, ...]
    batch: str
    """Sent again with the same name, the verdicts are the same ones and nothing is added."""
    text: str = ""
    """Of a new wording: the words that it starts from."""


def asked_verdict() -> Asked | None:
    return st.session_state.get(_ASKED_VERDICT)


def ask_verdict(asked: Asked | None) -> None:
    st.session_state[_ASKED_VERDICT] = asked


def name() -> str:
    """A name for the selection that is being made; a table drawn under a new name has nothing selected."""
    return st.session_state.setdefault(_SELECTION, uuid.uuid4().hex[:16])


def forget() -> None:
    st.session_state[_SELECTION] = uuid.uuid4().hex[:16]
    st.session_state[_ASKED_VERDICT] = None
