"""The same home for somebody else: what a test does as a second person."""

from __future__ import annotations

from avion_core.actor import Actor
from avion_core.store.accounts import account_named
from avion_core.store.database import reading
from avion_core.store.home import Home


def by(name: str, home: Home) -> Home:
    """The home as that person has it open: in the role of their account, or else as an admin."""
    with reading(home.engine) as session:
        account = account_named(session, name)
    return home.acting_as(Actor(name, account.role if account else "admin"))
