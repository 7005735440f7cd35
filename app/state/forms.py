"""What forms were opened on, so that nobody writes over what somebody else has saved since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import streamlit as st

from app.state import drafts
from avion_core.errors import EditedMeanwhileError

T = TypeVar("T")


@dataclass
class Form(Generic[T]):
    """A form on the screen. Its fields are keyed by `key`: they keep what was typed, whatever is saved meanwhile."""

    name: str
    begun: T
    """What the fields began from."""
    opened: T
    """What its author has seen as saved: the version that a use case compares with."""
    number: int = 0
    refused: EditedMeanwhileError | None = None
    """Why the last attempt to save did not go through, with both texts."""

    @property
    def key(self) -> str:
        return f"{self.name}@{self.number}"

    @property
    def save_key(self) -> str:
        """Another button after a refusal: a press of the one before shall not reach past what was just shown."""
        return f"{self.key}_save" if self.refused is None else f"{self.key}_over_{hash(str(self.refused.now))}"

    def refuse(self, error: EditedMeanwhileError, opened: T) -> None:
        """Both texts are shown now; saving again may write over what is there, which is `opened` from now on."""
        self.refused, self.opened = error, opened

    def start_again(self) -> None:
        """Callback: let the fields begin from what is saved."""
        drafts.forget(f"{self.key}_")
        self.number, self.refused = self.number + 1, None

    def follow(self, now: T, *, typed: bool) -> None:
        """Show what holds now, which somebody else may have saved since, as long as nothing was typed here."""
        if self.begun != now and not typed:
            self.start_again()
            st.rerun(scope="app")


def open_form(name: str, now: T) -> Form[T]:
    """The form of this name, begun from `now` unless it is on the screen already."""
    form: Form[T] = st.session_state.setdefault(f"_form_{name}", Form(name, now, now))
    if not any(str(key).startswith(form.key) for key in st.session_state):
        form.begun = form.opened = now
        form.refused = None
    return form
