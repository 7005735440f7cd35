"""People who share a studio: invite links, passwords, signed-in browsers and roles.

Alone nobody signs in: as long as there is no account, whoever reaches the studio on this machine is `ALONE`. The first
account closes the studio to everybody else, on every way in.

Secrets (of invite links and of browsers) are 256 random bits, of which the database keeps the SHA-256 alone; passwords
are kept as argon2id hashes (argon2-cffi, its recommended parameters).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error
from sqlalchemy.orm import Session

from avion_core.actor import ALONE, ROLES, Actor, Role
from avion_core.errors import AccountError, EditedMeanwhileError
from avion_core.store import accounts as account_rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Account, Invite, SignIn, now
from avion_core.usecases.people.throttle import Throttle
from avion_core.usecases.policies import ADMINISTER, demand, use_case

INVITE_DAYS = 7
SIGN_IN_DAYS = 30
SHORTEST_PASSWORD, _LONGEST_PASSWORD = 10, 200
_NAME = re.compile(r"\w[\w .'@+-]{0,39}(?<! )")

_hasher = PasswordHasher()
_by_name = Throttle(limit=10, window=15 * 60)
_by_address = Throttle(limit=20, window=15 * 60)


@dataclass(frozen=True)
class AccountView:
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True)
class InviteView:
    """A link that still waits for its person; `resets` names the account whose password it changes, if any."""

    id: int
    role: str
    made_by: str
    expires_at: datetime
    resets: str | None


@use_case
def accounts_are_on(home: Home) -> bool:
    """Whether people sign in here: from the first account on."""
    with reading(home.engine) as session:
        return account_rows.any_account(session)


@use_case
def list_accounts(home: Home) -> list[AccountView]:
    """Every account, the oldest first."""
    with reading(home.engine) as session:
        return [AccountView(a.name, a.role, a.created_at, a.disabled_at) for a in account_rows.all_accounts(session)]


@use_case
def list_invites(home: Home) -> list[InviteView]:
    """Links that could still be used, the newest first. The links themselves are not known any more."""
    with reading(home.engine) as session:
        return [
            _view(session, invite) for invite in account_rows.open_invites(session) if _maker_still_may(session, invite)
        ]


@use_case
def add_account(home: Home, name: str, password: str, role: str) -> Actor:
    """Make an account without a link; for whoever has this machine's command line.

    Raises:
        AccountError: the name is taken or cannot be used, the password is too short, no such role, or the first
            account would not be an admin's.
    """
    checked = _check_role(role)
    hashed = _new_password(name, password)
    with writing(home.engine) as session:
        account = _add(session, name, hashed, checked)
        return Actor(account.name, account.role)


@use_case
def invite(home: Home, role: str) -> str:
    """The secret of a link by which one person makes an account of that role, within `INVITE_DAYS`.

    Raises:
        AccountError: no such role, or the first account would not be an admin's.
    """
    checked = _check_role(role)
    with reading(home.engine) as session:
        _begin_with_an_admin(session, checked)
    return _make_invite(home, Invite(role=checked, made_by=home.actor.name))


@use_case
def reset_password(home: Home, name: str) -> str:
    """The secret of a link by which the account's owner chooses a new password.

    Raises:
        AccountError: no such account.
        RightsError: it is not one's own, and one may not manage accounts.
    """
    who = home.actor.name
    with reading(home.engine) as session:
        account = _find(session, name)
    if account.name != who:
        demand(home.actor, ADMINISTER)
    return _make_invite(home, Invite(role=account.role, made_by=who, resets=account.id))


@use_case
def withdraw_invite(home: Home, invite_id: int) -> None:
    """Make a link worthless before anybody uses it."""
    with writing(home.engine) as session:
        found = session.get(Invite, invite_id)
        if found is not None and found.account_id is None:
            session.delete(found)


@use_case
def read_invite(home: Home, secret: str) -> InviteView:
    """What a link offers, without using it up.

    Raises:
        AccountError: it was used, has expired, was withdrawn, never existed, or its maker may make none any more.
    """
    with reading(home.engine) as session:
        return _view(session, _open_invite(session, secret))


@use_case
def accept_invite(home: Home, secret: str, name: str, password: str) -> str:
    """Use a link up: make the account, or give an account its new password. The browser is signed in at once.

    Args:
        name: the new account's; a link that changes a password knows whose it is.

    Returns:
        The browser's secret.

    Raises:
        AccountError: the link, the name or the password cannot be used; the link is not used up then.
    """
    offered = read_invite(home, secret)
    hashed = _new_password(offered.resets or name, password)
    with writing(home.engine) as session:
        found = _open_invite(session, secret)
        if found.resets:
            account = session.get_one(Account, found.resets)
            account.password_hash = hashed
            account_rows.end_resets(session, account.id)
            account_rows.end_sign_ins(session, account_id=account.id)
        else:
            account = _add(session, name, hashed, found.role)
        found.account_id = account.id
        _refuse_disabled(account)
        return _remember_browser(session, account)


@use_case
def sign_in(home: Home, name: str, password: str, address: str) -> str:
    """Sign a browser in.

    Args:
        address: where the request came from; too many wrong passwords close the name and the address for a while.

    Returns:
        The browser's secret.

    Raises:
        AccountError: wrong name or password (which of the two is not said), too many tries, or a disabled account.
    """
    key = account_rows.name_key(name)
    if seconds := _by_address.admit(address):
        raise _too_many(seconds)
    if seconds := _by_name.admit(key):
        _by_address.take_back(address)
        raise _too_many(seconds)
    with reading(home.engine) as session:
        account = account_rows.account_named(session, name)
    if not _fits(account.password_hash if account else _nobody(), password) or account is None:
        raise AccountError(
            "name or password is wrong", "Try again, or ask an admin for a link that gives you a new password."
        )
    _by_name.forgive(key)
    # The address keeps its other tries: whoever has an account could else clear them between guesses at others'.
    _by_address.take_back(address)
    _refuse_disabled(account)
    with writing(home.engine) as session:
        if _hasher.check_needs_rehash(account.password_hash):
            session.get_one(Account, account.id).password_hash = _hasher.hash(password)
        return _remember_browser(session, account)


@use_case
def person_of(home: Home, secret: str | None) -> Actor | None:
    """Who holds a browser's secret; `ALONE` where there is no account yet, None where a sign-in is needed."""
    with reading(home.engine) as session:
        account = account_rows.signed_in(session, _hash(secret)) if secret else None
        if account is not None:
            return Actor(account.name, account.role)
        return None if account_rows.any_account(session) else ALONE


@use_case
def sign_out(home: Home, secret: str) -> None:
    """Make a browser's secret worthless."""
    with writing(home.engine) as session:
        account_rows.end_sign_ins(session, secret_hash=_hash(secret))


@use_case
def set_role(home: Home, name: str, role: str, *, opened: str | None = None) -> None:
    """Give an account another role, at once.

    Args:
        opened: the role that whoever decides was shown; None asks for no comparison.

    Raises:
        AccountError: no such account or role, or nobody would be admin any more.
        EditedMeanwhileError: somebody else gave them another role than the one that was shown.
    """
    checked = _check_role(role)
    with writing(home.engine) as session:
        account = _find(session, name)
        if opened is not None and account.role not in (opened, checked):
            raise EditedMeanwhileError(
                f"{name} was made {account.role} meanwhile, by somebody else",
                "Their role stays as it is; choose again if it should be another.",
                yours={"role": role},
                now={"role": account.role},
            )
        account.role = checked
        _keep_an_admin(session)


@use_case
def set_disabled(home: Home, name: str, disabled: bool) -> None:
    """Close an account and sign its browsers out, or open it again. What its owner did stays.

    Raises:
        AccountError: no such account, or nobody would be admin any more.
    """
    with writing(home.engine) as session:
        account = _find(session, name)
        account.disabled_at = now() if disabled else None
        if disabled:
            account_rows.end_sign_ins(session, account_id=account.id)
        _keep_an_admin(session)


@use_case
def cookie_name(home: Home) -> str:
    """The name of the cookie with the browser's secret: browsers do not tell ports apart, so each home has its own."""
    return f"avion_{hashlib.sha256(str(home.path).encode()).hexdigest()[:8]}"


def _make_invite(home: Home, invite_row: Invite) -> str:
    secret = secrets.token_urlsafe(32)
    invite_row.secret_hash = _hash(secret)
    invite_row.expires_at = now() + timedelta(days=INVITE_DAYS)
    with writing(home.engine) as session:
        session.add(invite_row)
    return secret


def _remember_browser(session: Session, account: Account) -> str:
    account_rows.prune(session)
    secret = secrets.token_urlsafe(32)
    expires = now() + timedelta(days=SIGN_IN_DAYS)
    session.add(SignIn(secret_hash=_hash(secret), account_id=account.id, expires_at=expires))
    return secret


def _add(session: Session, name: str, hashed: str, role: Role) -> Account:
    name = name.strip()
    if not _NAME.fullmatch(name) or name.lower() == ALONE.name:
        raise AccountError(
            "this name cannot be used",
            f"Use up to 40 letters, digits, spaces and . ' @ + - _, and not “{ALONE.name}”.",
            value=name,
        )
    _begin_with_an_admin(session, role)
    if account_rows.account_named(session, name) is not None:
        raise AccountError("an account with this name already exists", "Choose another name.", value=name)
    account = Account(name=name, role=role, password_hash=hashed)
    session.add(account)
    session.flush()
    return account


def _find(session: Session, name: str) -> Account:
    account = account_rows.account_named(session, name)
    if account is None:
        names = ", ".join(found.name for found in account_rows.all_accounts(session)) or "none yet"
        raise AccountError("there is no such account", f"Existing accounts: {names}.", value=name)
    return account


def _open_invite(session: Session, secret: str) -> Invite:
    found = account_rows.open_invite(session, _hash(secret))
    if found is None or not _maker_still_may(session, found):
        raise AccountError("this link has been used or has expired", "Ask an admin of the studio for a new one.")
    return found


def _maker_still_may(session: Session, found: Invite) -> bool:
    """A link is worth what its maker is: an admin who was disabled or demoted leaves no way in behind.

    A maker without an account has this machine's command line, or worked here before there were accounts.
    """
    maker = account_rows.account_named(session, found.made_by)
    if maker is None:
        return True
    return maker.disabled_at is None and (maker.role in ADMINISTER.holders or found.resets == maker.id)


def _view(session: Session, found: Invite) -> InviteView:
    resets = session.get_one(Account, found.resets).name if found.resets else None
    return InviteView(found.id, found.role, found.made_by, found.expires_at, resets)


def _check_role(role: str) -> Role:
    for known in ROLES:
        if role == known:
            return known
    raise AccountError("there is no such role", f"Choose one of: {', '.join(ROLES)}.", value=role)


def _begin_with_an_admin(session: Session, role: Role) -> None:
    if role != "admin" and not account_rows.any_account(session):
        raise AccountError("the first account must be an admin's", "Create the admin's account first.", value=role)


def _keep_an_admin(session: Session) -> None:
    session.flush()
    if not account_rows.count_enabled_admins(session):
        raise AccountError("this is the last admin", "Make somebody else an admin first.")


def _refuse_disabled(account: Account) -> None:
    if account.disabled_at is not None:
        raise AccountError("this account is disabled", "Ask an admin of the studio.", value=account.name)


def _new_password(name: str, password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD or password.lower() == name.strip().lower():
        raise AccountError(
            "this password cannot be used",
            f"Use {SHORTEST_PASSWORD} characters or more (a sentence is fine), and not your name.",
        )
    return _hasher.hash(password)


def _too_many(seconds: float) -> AccountError:
    return AccountError("too many wrong passwords", f"Try again in {max(1, round(seconds / 60))} min.")


def _fits(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except Argon2Error:
        return False


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash to compare with where there is no such name: the answer takes as long, so it does not tell who exists."""
    return _hasher.hash(secrets.token_urlsafe(32))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
