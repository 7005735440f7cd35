"""Queries on accounts, invite links and signed-in browsers."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from avion_core.store.tables import Account, Invite, SignIn, now


def any_account(session: Session) -> bool:
    """Whether people sign in here at all."""
    return session.scalar(select(Account.id).limit(1)) is not None


def name_key(name: str) -> str:
    """What two ways to type one person's name have in common: "Ana" and " ana " are the same."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def account_named(session: Session, name: str) -> Account | None:
    """The account of that name, however it is typed."""
    # Compared here and not by the database: SQLite's lower() leaves all but ASCII letters as they are.
    wanted = name_key(name)
    return next((account for account in all_accounts(session) if name_key(account.name) == wanted), None)


def all_accounts(session: Session) -> Sequence[Account]:
    """Every account, the oldest first."""
    return session.scalars(select(Account).order_by(Account.created_at, Account.name)).all()


def count_enabled_admins(session: Session) -> int:
    """How many people could still let others in."""
    query = select(func.count()).where(Account.role == "admin", Account.disabled_at.is_(None))
    return session.scalar(query) or 0


def open_invite(session: Session, secret_hash: str) -> Invite | None:
    """The unused link with that secret, until it expires; locked against a second use at the same moment."""
    query = select(Invite).where(
        Invite.secret_hash == secret_hash, Invite.account_id.is_(None), Invite.expires_at > now()
    )
    return session.scalar(query.with_for_update())


def end_resets(session: Session, account_id: str) -> None:
    """Make every link worthless that would give this account another password."""
    session.execute(delete(Invite).where(Invite.resets == account_id, Invite.account_id.is_(None)))


def open_invites(session: Session) -> Sequence[Invite]:
    """Links that could still be used, the newest first."""
    query = select(Invite).where(Invite.account_id.is_(None), Invite.expires_at > now())
    return session.scalars(query.order_by(Invite.id.desc())).all()


def signed_in(session: Session, secret_hash: str) -> Account | None:
    """The enabled account of the browser that holds this secret."""
    query = select(Account).join(SignIn, SignIn.account_id == Account.id)
    return session.scalar(
        query.where(
            SignIn.secret_hash == secret_hash,
            SignIn.ended_at.is_(None),
            SignIn.expires_at > now(),
            Account.disabled_at.is_(None),
        )
    )


def prune(session: Session) -> None:
    """Delete the links that nobody can use any more, and the browsers that are signed in no longer."""
    session.execute(delete(Invite).where(or_(Invite.account_id.is_not(None), Invite.expires_at <= now())))
    session.execute(delete(SignIn).where(or_(SignIn.ended_at.is_not(None), SignIn.expires_at <= now())))


def end_sign_ins(session: Session, *, account_id: str | None = None, secret_hash: str | None = None) -> None:
    """Sign out every browser of an account, or the one browser that holds a secret."""
    mine = SignIn.account_id == account_id if account_id else SignIn.secret_hash == secret_hash
    session.execute(update(SignIn).where(mine, SignIn.ended_at.is_(None)).values(ended_at=now()))
