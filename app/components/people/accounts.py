"""Who is here: the gate's page inside the app, the name in the sidebar, and the forms of the settings page."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.kit.guard import guard, plain
from app.state import notices, studio, visitor, widgets
from avion_core.actor import ALONE, ROLES, Actor
from avion_core.usecases import policies
from avion_core.usecases.installation.serving import invite_link
from avion_core.usecases.people import accounts
from avion_core.usecases.people.accounts import AccountView, InviteView

_SIGN_IN = "/account/sign-in"
ROLE_HELP = "\n\n".join(
    f"**{role}** may {', '.join(right.what for right in policies.RIGHTS if role in right.holders)}." for role in ROLES
)


def sign_in_page() -> None:
    """What a browser sees that was signed out while it was open, or came in past the form."""
    st.title("Sign in")
    with st.container(border=True, width=560):
        st.markdown("This studio is shared, and this browser is not signed in. Nothing you saved is lost.")
        # Streamlit's own links open a new tab.
        st.html(f'<a href="{_SIGN_IN}" target="_self" style="color: inherit; font-weight: 600">Sign in</a>')
        st.caption("If no sign-in form appears, the server was started without it: start it with `avion app`.")


def person_in_sidebar(person: Actor) -> None:
    """The name and role of who is signed in, with the way out; nothing where nobody signs in."""
    if person == ALONE:
        return
    with st.sidebar.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/person: **{plain(person.name)}** · {person.role}", width="stretch")
        if st.button("Sign out", type="tertiary", icon=":material/logout:"):
            visitor.sign_out()
            st.rerun()


def people(person: Actor) -> None:
    """Accounts and links, for an admin to manage; before there are any, how to begin."""
    found = accounts.list_accounts(studio.home())
    if not found:
        st.markdown(
            "You work alone: nobody signs in, and the studio can be reached from this machine only. To share it with "
            "colleagues on your local network, stop the server and start it with"
        )
        st.code("avion app --lan", language="bash")
        st.caption("It prints a link for the first admin account. From then on everybody signs in.")
        return
    for account in found:
        _account(account, person)
    _invite_form(person)
    with st.expander("What each role may do", icon=":material/badge:"):
        st.markdown(ROLE_HELP)
    for waiting in accounts.list_invites(studio.home()):
        _invite(waiting)


def team() -> None:
    """Who else works here, to read."""
    rows = [(one.name, one.role) for one in accounts.list_accounts(studio.home()) if one.disabled_at is None]
    st.dataframe(pd.DataFrame(rows, columns=["name", "role"]), hide_index=True, alt="People of this studio", width=420)


def own_account(person: Actor) -> None:
    st.markdown(f"You are **{plain(person.name)}**, {person.role}.")
    st.caption(ROLE_HELP)
    if st.button("Change my password", icon=":material/password:"):
        _show_link(accounts.reset_password(studio.home(), person.name), "Open it to choose a new password")


def _account(account: AccountView, person: Actor) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        off = ":orange-badge[disabled]" if account.disabled_at else ""
        you = " (you)" if account.name == person.name else ""
        st.markdown(f"**{plain(account.name)}**{you} {off}", width="stretch")
        key = f"role_{account.name}_{account.role}"
        st.selectbox(
            f"Role of {plain(account.name)}",
            policies.ROLES,
            index=policies.ROLES.index(account.role),
            key=key,
            # Before the run: where their role was changed meanwhile, the run has another choice in this one's place.
            on_change=_set_role,
            args=(account.name, account.role, key),
            label_visibility="collapsed",
            width=160,
        )
        if st.button(
            "Reset password", key=f"reset_{account.name}", help="Creates a link with which they choose a new password."
        ):
            secret = accounts.reset_password(studio.home(), account.name)
            _show_link(secret, f"Give this link to {plain(account.name)}")
        if st.button("Enable" if account.disabled_at else "Disable", key=f"disable_{account.name}"):
            accounts.set_disabled(studio.home(), account.name, account.disabled_at is None)
            st.rerun()


def _set_role(name: str, shown: str, key: str) -> None:
    """Callback: the role that was chosen, unless somebody else chose another one since this page was drawn."""
    chosen = widgets.typed(key)
    widgets.fill(key, shown)  # where it is refused
    with guard():
        accounts.set_role(studio.home(), name, chosen, opened=shown)
        notices.say_after_rerun(f"{name} is {chosen} now")


def _invite_form(person: Actor) -> None:
    with st.form("invite", border=True):
        role = st.selectbox(
            "Invite a colleague as",
            policies.ROLES,
            index=policies.ROLES.index("reviewer"),
            key="invite_role",
        )
        if st.form_submit_button("Create an invite link", icon=":material/person_add:", type="primary"):
            _show_link(accounts.invite(studio.home(), role), "Give this link to one person")


def _invite(waiting: InviteView) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        purpose = f"new password for {plain(waiting.resets)}" if waiting.resets else f"invite for a {waiting.role}"
        until = waiting.expires_at.astimezone().strftime("%d %b %H:%M")
        st.markdown(
            f":material/link: {purpose}, created by {plain(waiting.made_by)}, valid until {until}", width="stretch"
        )
        if st.button("Withdraw", key=f"withdraw_{waiting.id}"):
            accounts.withdraw_invite(studio.home(), waiting.id)
            st.rerun()


def _show_link(secret: str, text: str) -> None:
    st.success(f"{text}. It is shown only now, works once, and expires in {accounts.INVITE_DAYS} days.")
    st.code(invite_link(studio.home(), secret, visitor.address()), language=None, wrap_lines=True)
