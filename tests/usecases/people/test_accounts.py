"""Accounts: links, passwords, browsers, roles, and every refusal's sentence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from avion_core.actor import ALONE, ROLES, STRANGER, Actor
from avion_core.errors import AccountError, RightsError
from avion_core.store.database import reading, writing
from avion_core.store.tables import Account, Invite, SignIn, now
from avion_core.usecases import policies
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts
from avion_core.usecases.people.throttle import Throttle
from tests.acting import by

PASSWORD = "nine harbours at dusk"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts._nobody.cache_clear()
    monkeypatch.setattr(accounts, "_by_name", Throttle(10, 900))
    monkeypatch.setattr(accounts, "_by_address", Throttle(20, 900))
    return Home(tmp_path / "home", ALONE)


@pytest.fixture
def ana(home) -> str:
    """Ana is admin; her browser's secret."""
    return accounts.accept_invite(home, accounts.invite(by("terminal", home), "admin"), "Ana", PASSWORD)


def test_alone_nobody_signs_in(home):
    assert accounts.person_of(home, None) == ALONE
    accounts.invite(by("terminal", home), "admin")
    assert not accounts.accounts_are_on(home)


def test_the_first_account_closes_the_studio(home, ana):
    assert accounts.accounts_are_on(home)
    assert accounts.person_of(home, ana) == Actor("Ana", "admin")
    assert accounts.person_of(home, None) is None
    assert accounts.person_of(home, "guessed") is None


def test_only_hashes_are_kept(home, ana):
    link = accounts.invite(by("Ana", home), "reviewer")
    with reading(home.engine) as session:
        kept = [*session.scalars(select(Invite.secret_hash)), *session.scalars(select(SignIn.secret_hash))]
        hashed = session.scalars(select(Account.password_hash)).one()
    assert ana not in kept
    assert link not in kept
    assert hashed.startswith("$argon2id$")


def test_a_link_works_once(home, ana):
    link = accounts.invite(by("Ana", home), "reviewer")
    assert accounts.read_invite(home, link).role == "reviewer"
    assert [invite.made_by for invite in accounts.list_invites(home)] == ["Ana"]
    accounts.accept_invite(home, link, "Ben", PASSWORD)
    assert accounts.list_invites(home) == []
    with pytest.raises(AccountError, match=r"has been used or has expired\. Ask an admin of the studio for a new one"):
        accounts.accept_invite(home, link, "Cleo", PASSWORD)


def test_a_link_that_was_refused_can_be_used_again(home, ana):
    link = accounts.invite(by("Ana", home), "reviewer")
    with pytest.raises(AccountError):
        accounts.accept_invite(home, link, "ana", PASSWORD)
    accounts.accept_invite(home, link, "Ben", PASSWORD)
    assert [account.name for account in accounts.list_accounts(home)] == ["Ana", "Ben"]


def test_links_expire_and_can_be_withdrawn(home, ana):
    expired, withdrawn = (accounts.invite(by("Ana", home), "reviewer") for _ in range(2))
    accounts.withdraw_invite(home, accounts.read_invite(home, withdrawn).id)
    with writing(home.engine) as session:
        session.execute(update(Invite).values(expires_at=now() - timedelta(seconds=1)))
    for link in (expired, withdrawn, "never made"):
        with pytest.raises(AccountError, match="has been used or has expired"):
            accounts.read_invite(home, link)


@pytest.mark.parametrize("name", ["", "me", "Me", "<b>Ana</b>", "a" * 41, "[x](y)", "two\nlines", "ana"])
def test_names_that_cannot_be_used(home, ana, name):
    link = accounts.invite(by("Ana", home), "reviewer")
    with pytest.raises(
        AccountError, match=r"(?s)name cannot be used.*Use up to 40 letters|with this name already exists: ana\."
    ):
        accounts.accept_invite(home, link, name, PASSWORD)


@pytest.mark.parametrize("password", ["short", "x" * 201, "Benjamin Beech"])
def test_passwords_that_cannot_be_used(home, ana, password):
    link = accounts.invite(by("Ana", home), "reviewer")
    with pytest.raises(AccountError, match=r"password cannot be used\. Use 10 characters or more") as raised:
        accounts.accept_invite(home, link, "Benjamin Beech", password)
    assert password not in str(raised.value)


def test_a_role_must_exist(home):
    with pytest.raises(AccountError, match=r"no such role: boss\. Choose one of: admin, adjudicator, reviewer\."):
        accounts.invite(by("terminal", home), "boss")


def test_the_first_account_is_an_admins(home):
    for begin in (
        lambda: accounts.invite(by("terminal", home), "reviewer"),
        lambda: accounts.add_account(home, "Ben", PASSWORD, "adjudicator"),
    ):
        with pytest.raises(
            AccountError, match=r"first account must be an admin's: \w+\. Create the admin's account first\."
        ):
            begin()
    assert not accounts.accounts_are_on(home)


def test_sign_in_and_out(home, ana):
    browser = accounts.sign_in(home, " ANA ", PASSWORD, "here")
    assert accounts.person_of(home, browser) == Actor("Ana", "admin")
    accounts.sign_out(home, browser)
    assert accounts.person_of(home, browser) is None
    assert accounts.person_of(home, ana) is not None  # another browser stays


def test_a_sign_in_expires(home, ana):
    with writing(home.engine) as session:
        session.execute(update(SignIn).values(expires_at=now() - timedelta(seconds=1)))
    assert accounts.person_of(home, ana) is None


@pytest.mark.parametrize(("name", "password"), [("Ana", "wrong"), ("Nobody", PASSWORD)])
def test_wrong_name_and_wrong_password_read_the_same(home, ana, name, password):
    with pytest.raises(AccountError, match=r"^Name or password is wrong\. Try again, or ask an admin"):
        accounts.sign_in(home, name, password, "here")


def test_guessing_is_slowed_down(home, ana):
    for number in range(10):
        with pytest.raises(AccountError, match="is wrong"):
            accounts.sign_in(home, "Ana", "guess", f"host {number}")
    with pytest.raises(AccountError, match=r"Too many wrong passwords\. Try again in 15 min\."):
        accounts.sign_in(home, "Ana", PASSWORD, "here")


def test_one_address_cannot_try_many_names(home, ana):
    for number in range(20):
        with pytest.raises(AccountError, match="is wrong"):
            accounts.sign_in(home, f"name {number}", "guess", "there")
    with pytest.raises(AccountError, match="Too many"):
        accounts.sign_in(home, "Ana", PASSWORD, "there")
    assert accounts.sign_in(home, "Ana", PASSWORD, "here")


@pytest.mark.parametrize("typed", ["Ana ", " ana", "\tANA", "ana\n"])
def test_blanks_around_a_name_give_no_more_tries(home, ana, typed):
    for number in range(10):
        with pytest.raises(AccountError, match="is wrong"):
            accounts.sign_in(home, "Ana", "guess", f"host {number}")
    with pytest.raises(AccountError, match="Too many"):
        accounts.sign_in(home, typed, PASSWORD, "here")


def test_a_sign_in_of_ones_own_gives_an_address_no_more_tries_at_others(home, ana):
    accounts.add_account(home, "Ben", PASSWORD, "reviewer")
    for number in range(20):
        with pytest.raises(AccountError, match="is wrong"):
            accounts.sign_in(home, f"name {number}", "guess", "there")
        if number % 5 == 0:
            accounts.sign_in(home, "Ben", PASSWORD, "there")
    with pytest.raises(AccountError, match="Too many"):
        accounts.sign_in(home, "Ana", "guess", "there")


def test_names_are_one_in_every_script(home, ana):
    accounts.add_account(home, "Élodie", PASSWORD, "reviewer")
    assert accounts.sign_in(home, "e\u0301lodie", PASSWORD, "here")  # as some keyboards type it: an e and an accent
    with pytest.raises(AccountError, match="with this name already exists"):
        accounts.add_account(home, "ÉLODIE", PASSWORD, "admin")
    with pytest.raises(RightsError):
        accounts.set_role(by("Élodie", home), "Ana", "reviewer")


def test_a_throttle_forgets():
    clock = [0.0]
    throttle = Throttle(2, 60, clock=lambda: clock[0])
    assert throttle.admit("a") == 0
    clock[0] = 30
    assert throttle.admit("a") == 0
    assert (throttle.admit("a"), throttle.admit("b")) == (30, 0)
    clock[0] = 60
    assert throttle.admit("a") == 0
    assert throttle.admit("a") == 30
    throttle.take_back("a")
    assert throttle.admit("a") == 0
    throttle.forgive("a")
    assert throttle.admit("a") == 0


def test_of_many_tries_at_once_no_more_than_the_limit_are_let_in():
    throttle = Throttle(10, 60)
    with ThreadPoolExecutor(60) as people:
        waits = list(people.map(lambda _: throttle.admit("Ana"), range(60)))
    assert waits.count(0) == 10


def test_a_flood_of_names_forgives_nobody(monkeypatch):
    monkeypatch.setattr("avion_core.usecases.people.throttle._KEPT_KEYS", 50)
    throttle = Throttle(2, 60)
    for number in range(200):
        throttle.admit("Ana")
        throttle.admit(f"made up {number}")
    assert throttle.admit("Ana") > 0
    assert len(throttle._tries) <= 51


@pytest.mark.parametrize("change", ["disabled", "demoted"])
def test_a_link_ends_with_the_rights_of_who_made_it(home, ana, change):
    for name in ("Ben", "Cleo"):
        accounts.add_account(home, name, PASSWORD, "admin")
    links = [accounts.invite(by("Ben", home), "admin"), accounts.reset_password(by("Ben", home), "Cleo")]
    own = accounts.reset_password(by("Ben", home), "Ben")
    waiting = len(accounts.list_invites(home))
    if change == "disabled":
        accounts.set_disabled(by("Ana", home), "Ben", True)
    else:
        accounts.set_role(by("Ana", home), "Ben", "reviewer")
    for link in links:
        with pytest.raises(AccountError, match="has been used or has expired"):
            accounts.read_invite(home, link)
        with pytest.raises(AccountError, match="has been used or has expired"):
            accounts.accept_invite(home, link, "Mallory", PASSWORD)
    assert len(accounts.list_invites(home)) == waiting - (3 if change == "disabled" else 2)
    if change == "demoted":  # a password of one's own stays one's own matter
        assert accounts.read_invite(home, own).resets == "Ben"


def test_links_of_the_command_line_outlive_every_admin(home, ana):
    link = accounts.invite(home.acting_as(Actor("root (command line)", "admin")), "admin")
    assert accounts.read_invite(home, link).role == "admin"


def test_a_new_password_ends_all_other_links_to_choose_one(home, ana):
    accounts.add_account(home, "Ben", PASSWORD, "reviewer")
    first, second = (accounts.reset_password(by("Ana", home), "Ben") for _ in range(2))
    accounts.accept_invite(home, second, "", "ten lighthouses at dawn")
    with pytest.raises(AccountError, match="has been used or has expired"):
        accounts.accept_invite(home, first, "", "somebody else's choice")
    assert accounts.sign_in(home, "Ben", "ten lighthouses at dawn", "here")


def test_a_new_password_by_link(home, ana):
    link = accounts.reset_password(by("Ana", home), "ana")
    assert accounts.read_invite(home, link).resets == "Ana"
    browser = accounts.accept_invite(home, link, "", "another long secret")
    assert accounts.person_of(home, browser) == Actor("Ana", "admin")
    assert accounts.person_of(home, ana) is None  # whoever knew the old one is out
    assert accounts.sign_in(home, "Ana", "another long secret", "here")
    with pytest.raises(AccountError, match="is wrong"):
        accounts.sign_in(home, "Ana", PASSWORD, "here")


def test_a_disabled_account_is_out_at_once_and_can_come_back(home, ana):
    accounts.add_account(home, "Ben", PASSWORD, "reviewer")
    browser = accounts.sign_in(home, "Ben", PASSWORD, "here")
    link = accounts.reset_password(by("Ana", home), "Ben")
    accounts.set_disabled(home, "Ben", True)
    assert accounts.person_of(home, browser) is None
    with pytest.raises(AccountError, match=r"account is disabled: Ben\. Ask an admin"):
        accounts.sign_in(home, "Ben", PASSWORD, "here")
    with pytest.raises(AccountError, match="disabled"):
        accounts.accept_invite(home, link, "", "another long secret")
    accounts.set_disabled(home, "Ben", False)
    assert accounts.sign_in(home, "Ben", PASSWORD, "here")


def test_roles_change_at_once(home, ana):
    accounts.add_account(home, "Ben", PASSWORD, "reviewer")
    browser = accounts.sign_in(home, "Ben", PASSWORD, "here")
    accounts.set_role(home, "Ben", "adjudicator")
    assert accounts.person_of(home, browser) == Actor("Ben", "adjudicator")


def test_the_last_admin_stays(home, ana):
    for change in (
        lambda: accounts.set_role(home, "Ana", "reviewer"),
        lambda: accounts.set_disabled(home, "Ana", True),
    ):
        with pytest.raises(AccountError, match=r"This is the last admin\. Make somebody else an admin first\."):
            change()
    assert accounts.person_of(home, ana) == Actor("Ana", "admin")


def test_an_account_must_exist(home, ana):
    with pytest.raises(AccountError, match=r"no such account: Zoe\. Existing accounts: Ana\."):
        accounts.set_role(home, "Zoe", "admin")


def test_each_home_has_its_own_cookie(tmp_path):
    assert accounts.cookie_name(Home(tmp_path / "a", ALONE)) != accounts.cookie_name(Home(tmp_path / "b", ALONE))


def test_who_may_do_what():
    table = {right.what: [role for role in ROLES if policies.may(Actor("", role), right)] for right in policies.RIGHTS}
    leading, everyone = ["admin", "adjudicator"], ["admin", "adjudicator", "reviewer"]
    assert list(table.values()) == [everyone, leading, leading, leading, leading, ["admin"], ["admin"]]
    policies.demand(Actor("Dee", "adjudicator"), policies.TRAIN)
    with pytest.raises(RightsError, match=r"^As reviewer you may not start and stop trainings\. Ask an adjudicator or"):
        policies.demand(Actor("Ben", "reviewer"), policies.TRAIN)
    with pytest.raises(RightsError, match=r"^Without signing in you may not look into this studio\. Sign in first\."):
        policies.demand(STRANGER, policies.SEE)


def test_signing_in_clears_away_what_is_of_no_use_any_more(home, ana):
    ben = accounts.accept_invite(home, accounts.invite(by("Ana", home), "reviewer"), "Ben", PASSWORD)
    left, expired = accounts.invite(by("Ana", home), "reviewer"), accounts.invite(by("Ana", home), "reviewer")
    with writing(home.engine) as session:
        late = session.get_one(Invite, accounts.read_invite(home, expired).id)
        late.expires_at = now() - timedelta(seconds=1)
    accounts.sign_out(home, ben)
    again = accounts.sign_in(home, "Ben", PASSWORD, "127.0.0.1")
    with reading(home.engine) as session:
        assert len(session.scalars(select(Invite)).all()) == 1
        assert len(session.scalars(select(SignIn)).all()) == 2
    assert [accounts.person_of(home, secret) and secret for secret in (ana, ben, again)] == [ana, None, again]
    assert accounts.read_invite(home, left).role == "reviewer"
