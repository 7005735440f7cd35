"""The Ray Jobs REST API, spoken over plain HTTP: what of it a studio needs, and nothing of Ray is imported.

A cluster that asks for no token runs whatever anybody sends it. So a token is required on our side, and a cluster that
would do without it is refused.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from avion_core.errors import JobError
from avion_core.reading.addresses import can_be_parsed
from avion_core.store.environment import refuse_unusable_proxies

ADDRESS = "AVION_RAY_ADDRESS"
TOKEN, TOKEN_FILE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
"""Ray's own names, so that a machine on which Ray's commands work needs nothing else."""
_TOKEN_FILE = "~/.ray/auth_token"
_TIMEOUT = httpx2.Timeout(10.0, connect=3.0)


class UnreachableError(JobError):
    """The cluster did not answer: what was asked may have been done or not."""


@dataclass(frozen=True)
class RayCluster:
    """A cluster by the address of its dashboard, with its token."""

    address: str
    token: str

    def submit(self, request: dict[str, Any]) -> str:
        """Hand over a job (`entrypoint`, `submission_id`, ...); returns why it was not taken, or "".

        Ray answers a name that it has already with 500, as it does anything that went wrong inside.
        """
        answer = self._ask("POST", "/api/jobs/", request)
        return "" if answer.is_success else _last_line(answer)

    def record(self, name: str) -> dict[str, Any] | None:
        """What Ray knows of a job (`status`, `message`, `driver_exit_code`, ...); None where it has no record of it."""
        answer = self._ask("GET", f"/api/jobs/{name}")
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        found = _content(answer)
        if not isinstance(found.get("status"), str):
            raise self._stranger()
        return found

    def stop(self, name: str) -> bool:
        """Ask Ray to end a job; False where it has no record of it. It answers before the process has ended."""
        answer = self._ask("POST", f"/api/jobs/{name}/stop")
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return False
        _content(answer)
        return True

    def logs(self, name: str) -> list[str]:
        """All lines that a job's process wrote, with those of Ray before them."""
        answer = self._ask("GET", f"/api/jobs/{name}/logs")
        return (
            [] if answer.status_code == httpx2.codes.NOT_FOUND else str(_content(answer).get("logs", "")).splitlines()
        )

    def refuse_open(self) -> None:
        """See to it that the cluster asks for a token.

        Raises:
            JobError: it answers without one, or is no Ray cluster.
        """
        answer = self._send("GET", "/api/version", token="")
        if answer.is_success:
            if "ray_version" not in answer.text:
                raise self._stranger()
            hint = "Start it with RAY_AUTH_MODE=token, else anybody who reaches it runs programs there (docs/ray.md)."
            raise JobError("the Ray cluster asks for no token", hint, value=self.address)

    def _stranger(self) -> UnreachableError:
        return UnreachableError("something other than a Ray cluster answers", _CHECK_ADDRESS, value=self.address)

    def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> httpx2.Response:
        answer = self._send(method, path, content, token=self.token)
        if answer.status_code in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            hint = f"Set {TOKEN} or {TOKEN_FILE} to the token that the cluster was started with."
            raise JobError("the Ray cluster does not accept the token", hint, value=self.address)
        return answer

    def _send(self, method: str, path: str, content: dict[str, Any] | None = None, *, token: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            # No redirect is followed: the token is for this address alone.
            return httpx2.request(method, self.address + path, json=content, headers=headers, timeout=_TIMEOUT)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            late = isinstance(error, httpx2.TimeoutException)
            what = "the Ray cluster took too long to answer" if late else "the Ray cluster cannot be reached"
            raise UnreachableError(what, _CHECK_ADDRESS, value=self.address) from error


_CHECK_ADDRESS = f"See whether it runs, and whether {ADDRESS} is the address of its dashboard."


def find_cluster() -> RayCluster:
    """The cluster that the environment names.

    Raises:
        JobError: no address that can be one, or no token.
        StoreError: a proxy that the environment names is no address.
    """
    address = os.environ.get(ADDRESS, "").strip().rstrip("/")
    refuse_unusable_proxies()
    if not (address.startswith(("http://", "https://")) and can_be_parsed(address)):
        hint = f"Set {ADDRESS} to the address of its dashboard, such as http://127.0.0.1:8265."
        raise JobError("the Ray cluster has no address", hint, value=address)
    return RayCluster(address, _find_token())


def _find_token() -> str:
    """As Ray looks for it: RAY_AUTH_TOKEN, the file that RAY_AUTH_TOKEN_PATH names, ~/.ray/auth_token."""
    if token := os.environ.get(TOKEN, "").strip():
        return _checked(token, TOKEN)
    file = Path(os.environ.get(TOKEN_FILE, "").strip() or _TOKEN_FILE).expanduser()
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token:
        hint = f"Set {TOKEN}, or {TOKEN_FILE} to a file that holds it; without a token nothing is sent to a cluster."
        raise JobError("there is no token for the Ray cluster", hint, value=str(file))
    return _checked(token, str(file))


def _checked(token: str, where: str) -> str:
    if not (token.isascii() and token.isprintable()):
        raise JobError("the token for the Ray cluster cannot be one", "Copy it again, as one line.", value=where)
    return token


def _content(answer: httpx2.Response) -> dict[str, Any]:
    try:
        content = answer.json() if answer.is_success else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UnreachableError("the Ray cluster did not answer the question", _CHECK_ADDRESS, value=_last_line(answer))
    return content


def _last_line(answer: httpx2.Response) -> str:
    """What went wrong, of an answer that is mostly a traceback."""
    said = [line.strip() for line in answer.text.splitlines() if len(line.strip()) > 1]
    return said[-1] if said else f"HTTP {answer.status_code}"
