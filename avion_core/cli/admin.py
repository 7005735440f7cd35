"""Commands for the machine and the people: serving, accounts, weights, backups, and what is wrong.

Whoever has the command line on a home folder owns it: roles bind in the browser, not here.
"""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avion_core.actor import Actor, Role
from avion_core.cli.frame import FAILURE, Answer, Desk, command, table
from avion_core.cli.tour import InBackground, app, backup, models, users

if TYPE_CHECKING:
    from avion_core.store.home import Home
    from avion_core.usecases.installation.serving import Server

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="A name from `avion models list`.")]
UserName = Annotated[str, typer.Argument(metavar="NAME", help="A name from `avion users list`.")]


@command(app, "app")
def serve(
    desk: Desk,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port to listen on; the default is the first free one from 8501."),
    ] = None,
    lan: Annotated[
        bool, typer.Option("--lan", help="Open it to colleagues on the local network too; everybody signs in.")
    ] = False,
) -> Answer:
    """Serve the studio in the browser: on 127.0.0.1 alone, or with --lan behind a sign-in."""
    from avion_core.usecases.installation.serving import prepare_server
    from avion_core.usecases.people.accounts import accounts_are_on

    if lan and not desk.as_json and not accounts_are_on(desk.home):
        port = _first_admin(desk, prepare_server(desk.home, port))
    server = prepare_server(desk.home, port, lan=lan)
    if desk.as_json:
        desk.hand_over({"url": server.url})
    else:
        print(f"AVION Studio is at {server.url} (Ctrl-C ends it; trainings continue)", flush=True)
        if lan:
            print("Passwords travel as plain HTTP: stay within a network you trust, or put HTTPS in front.", flush=True)
    server.run()


@command(users, "invite")
def invite(
    desk: Desk, role: Annotated[Role, typer.Option(help="What the person may do; roles can change later.")] = "reviewer"
) -> Answer:
    """Make a link with which one person can create an account. It works once, within seven days."""
    from avion_core.usecases.installation.serving import invite_link
    from avion_core.usecases.people import accounts

    link = invite_link(desk.home, accounts.invite(_operator(desk), role))
    return Answer({"role": role, "link": link, "days": accounts.INVITE_DAYS}, link)


@command(users, "add")
def add_user(
    desk: Desk,
    name: Annotated[str, typer.Argument(help="What the person is called in the studio.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")] = "reviewer",
) -> Answer:
    """Make an account here; the password is asked for."""
    from avion_core.usecases.people.accounts import add_account

    made = add_account(desk.home, name, _ask_password(), role)
    return Answer({"name": made.name, "role": made.role}, f"{made.name} can now sign in as {made.role}.")


@command(users, "list")
def list_users(desk: Desk) -> Answer:
    """All accounts, and invite links that are still unused."""
    from avion_core.usecases.people import accounts

    found, waiting = accounts.list_accounts(desk.home), accounts.list_invites(desk.home)
    rows = [{"name": one.name, "role": one.role, "disabled": "yes" if one.disabled_at else "no"} for one in found]
    text = table(rows, ["name", "role", "disabled"]) if rows else "No account: whoever is on this machine may use it."
    text += "".join(
        f"\n\nAn unused link from {one.made_by} is valid until {one.expires_at:%Y-%m-%d %H:%M} UTC: "
        + (f"new password for {one.resets}" if one.resets else one.role)
        for one in waiting
    )
    return Answer({"users": found, "invites": waiting}, text)


@command(users, "role")
def set_role(desk: Desk, name: UserName, role: Annotated[Role, typer.Argument(help="The new role.")]) -> Answer:
    """Give an account another role, at once."""
    from avion_core.usecases.people import accounts

    accounts.set_role(desk.home, name, role)
    return Answer({"name": name, "role": role}, f"{name} is now {role}.")


@command(users, "disable")
def disable(
    desk: Desk,
    name: UserName,
    undo: Annotated[bool, typer.Option("--undo", help="Let the person sign in again.")] = False,
) -> Answer:
    """Close an account and sign it out everywhere; its owner's work stays."""
    from avion_core.usecases.people import accounts

    accounts.set_disabled(desk.home, name, not undo)
    return Answer({"name": name, "disabled": not undo}, f"{name} {'may sign in again' if undo else 'is signed out'}.")


@command(users, "reset")
def reset(desk: Desk, name: UserName) -> Answer:
    """Make a link with which a person can choose a new password."""
    from avion_core.usecases.installation.serving import invite_link
    from avion_core.usecases.people import accounts

    link = invite_link(desk.home, accounts.reset_password(_operator(desk), name))
    return Answer({"name": name, "link": link, "days": accounts.INVITE_DAYS}, link)


@command(models, "list")
def list_models(desk: Desk) -> Answer:
    """The catalog of weights, and which are installed."""
    from avion_core.usecases.models.catalog import list_models

    found = list_models(desk.home)
    rows = [
        {
            "name": model.name, "installed": "broken" if model.problem else "yes" if model.installed else "no",
            "GB": model.size_bytes / 1e9 if model.size_bytes else "", "dimension": model.dim,
            "activation": model.activation, "licence": model.licence,
        }
        for model in found
    ]  # fmt: skip
    text = table(rows, ["name", "installed", "GB", "dimension", "activation", "licence"])
    return Answer({"models": found}, text + "".join(f"\n{model.problem}" for model in found if model.problem))


@command(models, "add")
def add_model(
    desk: Desk,
    name: ModelName,
    path: Annotated[Path, typer.Argument(help="The weights file: safetensors or a torch file.")],
    queue: InBackground = False,
) -> Answer:
    """Install weights from a file of your own; it is checked by loading it."""
    return _install(desk, name, path, queue)


@command(models, "download")
def download_model(desk: Desk, name: ModelName, queue: InBackground = False) -> Answer:
    """Download weights from where they are published. After Ctrl-C, the same command continues where it stopped.

    Their licence is printed first.
    """
    entry = desk.home.models.downloadable(name)
    desk.say(f"licence: {entry.licence}")
    if entry.warning:
        desk.say(f"note: {entry.warning}")
    return _install(desk, name, None, queue)


@command(models, "enter")
def enter_model(
    desk: Desk,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="ViT-B-16, ViT-B-16:TAG, hf-hub:ORG/NAME, or a folder with an open_clip_config.json and weights.",
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="In the catalog; made from the source by default.")] = "",
    title: Annotated[str, typer.Option("--title", help="As pages show it.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Of the weights; the hub's card by default.")] = "",
) -> Answer:
    """Make any CLIP a model of the catalog, as teacher or student; docs/add-a-model.md has the rest."""
    from avion_core.usecases.models import entering

    made = entering.enter_model(desk.home, source, name=name, title=title, licence=licence)
    desk.say(f"licence: {made.licence}")
    if made.weights is not None:
        return _install(desk, made.name, made.weights, queue=False)
    step = f"avion models download {made.name}" if made.origin else f"avion models add {made.name} FILE"
    return Answer({"entered": made}, f"{made.name} is in the catalog.\nNext:  {step}")


@command(models, "forget")
def forget_model(desk: Desk, name: ModelName) -> Answer:
    """Take a model of your own out of the catalog, and delete its weights."""
    from avion_core.usecases.models import entering

    freed = entering.forget_model(desk.home, name)
    return Answer({"name": name, "freed_bytes": freed}, f"{name} is out of the catalog: {freed / 1e9:.2f} GB are free.")


def _install(desk: Desk, name: str, file: Path | None, queue: bool) -> Answer:
    from avion_core.jobs.stopping import stop_on_signals
    from avion_core.usecases.models.installing import install_here, start_adding, start_download

    if queue:
        job = start_download(desk.home, name) if file is None else start_adding(desk.home, name, file)
        return Answer({"name": name, "job_id": job}, f"Job {job} installs {name}.\nNext:  avion jobs show {job}")
    with stop_on_signals() as stop:
        state = install_here(desk.home, name, file, stop, desk)
    if state == "stopped":
        return Answer(
            {"name": name, "path": None}, f"{name} is not installed yet; the same command resumes it.", FAILURE
        )
    installed = desk.home.weights.need(name)
    return Answer({"name": name, "path": installed}, f"{name} is installed: {installed}")


@command(models, "remove")
def remove_model(desk: Desk, name: ModelName) -> Answer:
    """Delete installed weights, or the rest of an abandoned download."""
    freed = desk.home.weights.remove(name)
    return Answer({"name": name, "freed_bytes": freed}, f"{name} is removed: {freed / 1e9:.2f} GB are free again.")


@command(backup, "create")
def create_backup(desk: Desk) -> Answer:
    """Copy the database now; the copy stays until you delete it."""
    from avion_core.usecases.installation.backup import back_up

    made = back_up(desk.home)
    return Answer({"name": made.name, "path": made.path, "size_bytes": made.size_bytes}, str(made.path))


@command(backup, "list")
def list_backups_(desk: Desk) -> Answer:
    """All copies, the newest first."""
    from avion_core.usecases.installation.backup import list_backups

    rows = [
        {"name": one.name, "made_at": one.made_at, "kind": one.kind, "size_bytes": one.size_bytes, "path": one.path}
        for one in list_backups(desk.home)
    ]
    shown = [{**row, "made": f"{row['made_at']:%Y-%m-%d %H:%M} UTC", "MB": row["size_bytes"] / 1e6} for row in rows]
    return Answer({"backups": rows}, table(shown, ["name", "made", "kind", "MB"]) if rows else "No backup yet.")


@command(backup, "restore")
def restore(
    desk: Desk,
    name: Annotated[str, typer.Argument(help="A name of `avion backup list`.")],
    losing: Annotated[bool, typer.Option("--losing", help="Restore even if newer work is lost.")] = False,
) -> Answer:
    """Restore a copy; the database as it is now is copied first."""
    from avion_core.usecases.installation.backup import of_people, restore_backup, restore_damaged

    kept = restore_damaged(desk.home, name)
    if kept is not None:
        said = f"{name} is restored. The damaged file is kept as {kept.path}. {of_people(desk.home)}".rstrip()
        return Answer({"restored": name, "before": kept.name}, said)
    before = restore_backup(desk.home, name, losing=losing)
    said = f"{name} is restored. The state before is kept as {before.name}. {of_people(desk.home)}".rstrip()
    return Answer({"restored": name, "before": before.name}, said)


@command(app, "doctor")
def doctor(desk: Desk) -> Answer:
    """What is installed, what is missing, and what to do about it."""
    from avion_core.usecases.installation.doctor import examine

    checks = examine(desk.folder)
    signs = {"ok": "ok  ", "warning": "WARN", "error": "FAIL"}
    lines = [f"{signs[check.severity]}  {check.title}: {check.message} {check.hint}".rstrip() for check in checks]
    failed = any(check.severity == "error" for check in checks)
    return Answer({"ok": not failed, "checks": list(checks)}, "\n".join(lines), FAILURE if failed else 0)


def _first_admin(desk: Desk, server: Server) -> int:
    """Serve this machine alone until somebody has used the link that makes the first admin; returns the port."""
    from avion_core.usecases.installation.serving import invite_link
    from avion_core.usecases.people import accounts

    process = server.start()
    try:
        link = invite_link(desk.home, accounts.invite(_operator(desk), "admin"))
        print(f"A shared studio needs an admin. Open this link on this machine, once:\n  {link}", flush=True)
        print("(or make the account here: `avion users add NAME --role admin`)", flush=True)
        while not accounts.accounts_are_on(desk.home):
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with code {process.returncode}")
            time.sleep(0.5)
        time.sleep(1)  # the new admin's browser is being told
    finally:
        process.terminate()
        process.wait()
    return server.port


def _operator(desk: Desk) -> Home:
    """The home for whoever has this machine, under a name that no account can have: links say who made them."""
    return desk.home.acting_as(Actor(f"{getpass.getuser()} (command line)", "admin"))


def _ask_password() -> str:
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
