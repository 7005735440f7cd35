"""Who starts a job's process: this machine, or a cluster.

An executor starts processes and says what it knows of them. What a job is and how it stands is the table's and the
job's folder's to say: an executor that loses its records loses no job.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from avion_core.errors import JobError
from avion_core.jobs.executors.local import LocalExecutor
from avion_core.jobs.executors.ray import RayExecutor
from avion_core.jobs.executors.standing import Place, Standing

if TYPE_CHECKING:
    from avion_core.store.home import Home
    from avion_core.store.tables import Job

__all__ = ["EXECUTORS", "Executor", "Place", "Standing", "chosen_executor", "find_executor", "plan"]

CHOICE = "AVION_EXECUTOR"


class Executor(Protocol):
    """Starts the processes of jobs somewhere.

    What is settled from its answers (`jobs.reconcile`) is the same for all.
    """

    def plan(self, device: str) -> Place:
        """Where work is done that asks for this device ("auto", "cpu" or "cuda").

        Raises:
            JobError: nothing can be started there as it is set up.
        """
        ...

    def submit(self, home: Home, job: Job) -> None:
        """Start the process that takes this attempt of a queued job, and note in its row under which name.

        Submitting the same attempt twice starts it once, or twice with one of the two finding it taken.

        Raises:
            JobError: it cannot be started there.
        """
        ...

    def state(self, home: Home, job: Job) -> Standing:
        """What is known of the job's process."""
        ...

    def stop(self, home: Home, job: Job) -> None:
        """End the job's process, without waiting for its work, and wait until it is gone. (To save first, ask its row.)

        Raises:
            JobError: that cannot be done from here.
        """
        ...

    def logs(self, home: Home, job: Job, lines: int) -> list[str]:
        """The last lines that the process wrote, where they did not reach the log in the job's folder."""
        ...


EXECUTORS: dict[str, Executor] = {"local": LocalExecutor(), "ray": RayExecutor()}


def find_executor(name: str) -> Executor:
    """An executor by its name.

    Raises:
        JobError: there is none of that name.
    """
    if name not in EXECUTORS:
        raise JobError("there is no such executor", f"Choose one of: {', '.join(EXECUTORS)}.", value=name)
    return EXECUTORS[name]


def chosen_executor() -> str:
    """The executor that AVION_EXECUTOR names, for page and command line alike; this machine where it is not set.

    Raises:
        JobError: there is none of that name.
    """
    name = os.environ.get(CHOICE, "").strip() or "local"
    if name not in EXECUTORS:
        raise JobError(f"{CHOICE} names no executor", f"Set it to one of: {', '.join(EXECUTORS)}.", value=name)
    return name


def plan(device: str | None, *, here: bool = False) -> Place:
    """Where new work is to be done.

    Args:
        device: what it asks for ("auto", "cpu" or "cuda"); None for work that only waits for a network, which is done
            on this machine whatever AVION_EXECUTOR says.
        here: this very process does it.

    Raises:
        JobError: the chosen executor does not exist, or cannot be used as it is set up.
    """
    if device is None:
        return Place("local", "network")
    return find_executor("local" if here else chosen_executor()).plan(device)
