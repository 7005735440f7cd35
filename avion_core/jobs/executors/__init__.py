"""Who starts a job's process: this machine, or a cluster.

An executor starts processes and says what it knows of them. What a job is and how it stands is the table's and the
job's folder's to say: an executor that loses its records loses no job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from avion_core.errors import JobError
from avion_core.jobs.executors.local import LocalExecutor
from avion_core.jobs.executors.standing import Standing

if TYPE_CHECKING:
    from avion_core.store.home import Home
    from avion_core.store.tables import Job

__all__ = ["EXECUTORS", "Executor", "Standing", "find_executor"]


class Executor(Protocol):
    """Starts the processes of jobs somewhere.

    What is settled from its answers (`jobs.reconcile`) is the same for all.
    """

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
        """End the job's process at once, without saving, and wait until it is gone. (To save first, ask its row.)

        Raises:
            JobError: that cannot be done from here.
        """
        ...

    def logs(self, home: Home, job: Job, lines: int) -> list[str]:
        """The last lines that the process wrote, where they did not reach the log in the job's folder."""
        ...


EXECUTORS: dict[str, Executor] = {"local": LocalExecutor()}


def find_executor(name: str) -> Executor:
    """An executor by its name.

    Raises:
        JobError: there is none of that name.
    """
    if name not in EXECUTORS:
        raise JobError("there is no such executor", f"Choose one of: {', '.join(EXECUTORS)}.", value=name)
    return EXECUTORS[name]
