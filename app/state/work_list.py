"""A person's place in a list they work through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class ReviewDesk:
    """One person's place in a list of a project's descriptions.

    The order is frozen while the filters stay as they are, so that judging a text neither moves nor hides the next
    one.
    """

    project: str
    signature: tuple[Any, ...]
    order: list[str]
    cursor: str = ""
    places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = {item: place for place, item in enumerate(self.order)}
        if self.cursor not in self.places:
            self.cursor = self.order[0] if self.order else ""

    @property
    def place(self) -> int:
        """Index of the cursor; the length of the list once everything was seen."""
        return self.places.get(self.cursor, len(self.order))

    def after(self, item: str) -> str:
        """The text that follows `item`; "" after the last."""
        following = self.places.get(item, -1) + 1
        return self.order[following] if following < len(self.order) else ""
