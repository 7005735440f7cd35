"""Installing weights: a job, which outlives page and server; or done here, in the terminal that asks for it."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path
from typing import BinaryIO

from avion_core.errors import CheckpointError
from avion_core.files import replacing
from avion_core.jobs import worker
from avion_core.jobs.job import Listener
from avion_core.jobs.kinds.installing import INSTALLING, InstallingRequest
from avion_core.jobs.reconcile import reconcile
from avion_core.jobs.submit import submit, submit_new
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.jobs import RESUMABLE, list_jobs
from avion_core.store.tables import Job, new_id
from avion_core.usecases import jobs
from avion_core.usecases.folders import nameable
from avion_core.usecases.jobs import JobView, job_view
from avion_core.usecases.policies import use_case

_NEWEST = 200
"""How far back jobs are looked through for those of each model."""


@use_case
def start_download(home: Home, name: str) -> str:
    """Fetch weights from the hub; one that was cut off is resumed, and one under way is found. Returns the job's id.

    Raises:
        NotFoundError: the catalog has no such name, or its weights come with the package.
        JobError: a file is being installed under that name, or the job cannot be started.
    """
    return _start(home, InstallingRequest(model=name))


@use_case
def start_adding(home: Home, name: str, file: Path | BinaryIO, file_name: str = "") -> str:
    """Install weights from a file on this machine, or from one that a browser sent. Returns the job's id.

    The file is loaded first; keys that lack or are foreign are named in the job's error.

    Args:
        file_name: of a file that was sent.

    Raises:
        NotFoundError: the catalog has no such name, or its weights come with the package.
        CheckpointError: no such file. RightsError: a path that is not theirs to name.
        JobError: other weights are being installed under that name, or the job cannot be started.
    """
    if isinstance(file, Path):
        return _start(home, _of_file(name, nameable(home.actor, file)))
    # The name is the visitor's: kept for messages and the record, without what could lead elsewhere.
    request = InstallingRequest(model=name, file=re.sub(r"[^\w.-]", "_", Path(file_name).name).lstrip(".") or "sent")
    home.models.downloadable(name)
    job_id = new_id()
    folder = home.path / INSTALLING.folder / job_id
    folder.mkdir(parents=True)
    try:
        with replacing(folder / request.file) as unfinished, unfinished.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        begun = submit_new(home, INSTALLING.name, request, who=home.actor.name, device=None, job_id=job_id)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if begun != job_id:
        shutil.rmtree(folder, ignore_errors=True)
    return begun


@use_case
def install_here(
    home: Home, name: str, file: Path | None, stop: threading.Event, listener: Listener | None = None
) -> str:
    """Install weights in this process, from the hub or from a file; returns "finished" or "stopped".

    Raises:
        NotFoundError: the catalog has no such name, or its weights come with the package.
        CheckpointError: the hub cannot be reached, or the file is not what it should be.
        JobError: another process installs weights under that name.
    """
    request = InstallingRequest(model=name) if file is None else _of_file(name, nameable(home.actor, file))
    return worker.work(home, _start(home, request, here=True), stop, listener)


@use_case
def installing_jobs(home: Home) -> dict[str, JobView]:
    """The newest job for each model whose weights were ever asked for: under way, or as it ended."""
    reconcile(home)
    with reading(home.engine) as session:
        newest: dict[str, Job] = {}
        for job in list_jobs(session, kinds=(INSTALLING.name,), most=_NEWEST):
            newest.setdefault(job.request[INSTALLING.alone], job)
    return {model: job_view(home, job) for model, job in newest.items()}


@use_case
def clear_failures(home: Home, name: str) -> None:
    """Forget the jobs that failed to install a model's weights; what was downloaded is kept."""
    with reading(home.engine) as session:
        failed = list_jobs(session, kinds=(INSTALLING.name,), states=("failed", "lost"))
    for job in failed:
        if job.request[INSTALLING.alone] == name:
            jobs.forget(home, job.id)


def _start(home: Home, request: InstallingRequest, *, here: bool = False) -> str:
    home.models.downloadable(request.model)
    before = installing_jobs(home).get(request.model)
    cut_off = before is not None and before.state in RESUMABLE and before.request == request.model_dump(mode="json")
    if before is not None and cut_off and jobs.queue_again(home, before.id, here=here):
        if not here:
            submit(home, before.id)
        return before.id
    return submit_new(home, INSTALLING.name, request, who=home.actor.name, device=None, here=here)


def _of_file(name: str, file: Path) -> InstallingRequest:
    if not file.is_file():
        raise CheckpointError("the weights file does not exist", "Check the path.", value=str(file))
    return InstallingRequest(model=name, file=str(file.absolute()))  # the job has a working folder of its own
