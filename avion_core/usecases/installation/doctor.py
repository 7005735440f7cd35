"""What is installed, what is missing, and what to do about it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from avion_core.actor import STUDIO
from avion_core.errors import AvionError
from avion_core.store.backups import damage_of, sqlite_file
from avion_core.store.database import SCHEMA, damaged, database_url, without_password
from avion_core.store.home import Home
from avion_core.usecases.folders import FOLDERS, named_folders
from avion_core.usecases.installation.backup import backups_are_ours, list_backups
from avion_core.usecases.installation.resources import device, keys_present
from avion_core.usecases.people.accounts import list_accounts
from avion_core.usecases.projects.summaries import project_names
from avion_core.usecases.projects.text_lengths import too_long_for_teacher
from avion_core.usecases.runs.check import Check
from avion_core.usecases.runs.views import list_runs


def examine(folder: Path | None = None) -> list[Check]:
    """Look at this machine and a home folder (AVION_HOME when None). Nothing that is found raises."""
    home = Home(folder, STUDIO)
    return [*_machine(), *_home(home), *_models(home), *_texts(home), *_keys()]


def _machine() -> Iterator[Check]:
    yield Check("Python", f"{platform.python_version()} on {platform.platform()}.", "ok")
    found = device()
    memory = f"{found.free_memory_bytes / 1e9:.1f} of {found.memory_bytes / 1e9:.1f} GB of memory free"
    yield Check("Device", f"{found.kind} {found.name}, {found.threads} threads, {memory}; {found.software}.", "ok")


def _home(home: Home) -> Iterator[Check]:
    try:
        lost = [run.id for run in list_runs(home) if run.state == "lost"]
    except AvionError as error:
        yield Check("Home", f"{error.what}.", "error", error.hint)
        yield _backups(home)
        return
    yield Check("Home", f"{home.path}.", "ok")
    yield _database(home)
    room = shutil.disk_usage(home.path).free / 1e9
    if room < 5:
        yield Check("Disk", f"{room:.1f} GB are free.", "warning", "Large teachers take 4 GB each.")
    else:
        yield Check("Disk", f"{room:.0f} GB are free.", "ok")
    if lost:
        hint = "Resume them with `avion train --resume RUN`."
        yield Check("Runs", f"{len(lost)} lost their process: {', '.join(lost)}.", "warning", hint)

    yield _backups(home)
    yield _people(home)


def _database(home: Home) -> Check:
    """Whether the file is sound from end to end: damage may lie where nobody has looked yet."""
    url = database_url(home.path)
    shown, file = without_password(url), sqlite_file(url)
    if file is not None and (found := damage_of(file)):
        return Check("Database", f"{shown} is damaged ({found}).", "error", damaged(url, home.path).hint)
    return Check("Database", f"{shown}, schema {SCHEMA}.", "ok")


def _backups(home: Home) -> Check:
    if not backups_are_ours(home):
        return Check("Backups", "are made by the database server, not by the studio.", "ok", "pg_dump makes one.")
    newest = next(iter(list_backups(home)), None)
    if newest is None:
        return Check("Backups", "there is none yet.", "ok", "`avion backup create` makes one; `avion app` does daily.")
    age = datetime.now(UTC) - newest.made_at
    if age < timedelta(0):
        what = f"the newest is of {newest.made_at:%Y-%m-%d %H:%M} UTC, which is later than today's clock."
        return Check("Backups", what, "warning", "Check this machine's clock; `avion backup create` makes one.")
    if age > timedelta(days=7):
        return Check("Backups", f"the newest is {age.days} days old.", "warning", "`avion backup create` makes one.")
    return Check("Backups", f"the newest is of {newest.made_at:%Y-%m-%d %H:%M} UTC.", "ok")


def _people(home: Home) -> Check:
    found = [account for account in list_accounts(home) if account.disabled_at is None]
    if not found:
        return Check("People", "nobody signs in: the studio is for this machine alone.", "ok")
    who = f"{len(found)} may sign in: {', '.join(f'{a.name} ({a.role})' for a in found)}."
    folders = named_folders()
    if not folders:
        hint = f"Set {FOLDERS}, as in {FOLDERS}=/data/scenes:/data/texts."
        return Check("People", f"{who} They may name no folder of this machine.", "ok", hint)
    return Check("People", f"{who} They may name {', '.join(map(str, folders))}.", "ok")


def _texts(home: Home) -> Iterator[Check]:
    """Projects with descriptions whose ends the teacher does not read."""
    try:
        projects = project_names(home)
    except AvionError:
        return  # told of the home
    for project_id, name in projects.items():
        if said := too_long_for_teacher(home, project_id).sentence:
            hint = "Shorten them: “Broken rule” among the review's filters shows them."
            yield Check(f"Descriptions of {name}", f"{said}.", "warning", hint)


def _keys() -> Iterator[Check]:
    for name, present in keys_present().items():
        yield Check(name, "is set." if present else "is not set; only a writer over the network needs it.", "ok")


def _models(home: Home) -> Iterator[Check]:
    for entry in home.models.entries.values():
        try:
            installed = home.weights.path(entry.name)
        except AvionError as error:
            yield Check(entry.title, f"{error.what}.", "error", error.hint)
            continue
        if installed:
            yield Check(entry.title, f"installed: {installed}.", "ok")
        elif entry.bundled:
            yield Check(
                entry.title, "is missing.", "error", "Install the package from a checkout that has demo/weights."
            )
        else:
            yield Check(entry.title, "is not installed.", "ok", f"`avion models download {entry.name}` fetches it.")
