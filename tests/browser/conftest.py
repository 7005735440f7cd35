"""The real app in headless Chromium: its own server, its own browser, a real project."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webdriver import WebDriver

from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs.training import kill
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import NAME, make_home
from tests.browser.page import Page
from tests.descriptions.writers.loopback import KEY

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",  # nothing beyond this machine
    "--hide-scrollbars",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [program for program in ("chromium", "chromedriver") if shutil.which(program) is None]
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("browser")
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"needs {' and '.join(missing)} (Debian: chromium-driver)"))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("browser"), trained=True)


@pytest.fixture(scope="session")
def server(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(home, tmp_path_factory.mktemp("server") / "log.txt", GEMINI_API_KEY=KEY) as address:
        yield address


@pytest.fixture(scope="session")
def slow_server(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the same home that takes its time over every verdict and label."""
    log = tmp_path_factory.mktemp("slow-server") / "log.txt"
    with serving(home, log, program="tests.browser.slow_streamlit") as address:
        yield address


@contextmanager
def serving(home: Home, log: Path, program: str = "streamlit", **environment: str) -> Iterator[str]:
    """Serve a home as `avion app` does, on a free port; gives the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", program, "run", "app/server.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, "AVION_HOME": str(home.path), "OMP_NUM_THREADS": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for_health(address, process, log)
        yield address
    except AssertionError:
        print(f"the server said:\n{log.read_text()[-5000:]}")  # pytest shows it beside the failure
        raise
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    driver = open_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


def open_chromium(profile: Path) -> WebDriver:
    """A browser of its own, with an empty profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def forget_drafts(chromium: WebDriver) -> None:
    """What the test before typed into this tab and did not save is not this one's."""
    if chromium.current_url.startswith("http"):
        chromium.execute_script("sessionStorage.clear()")
        chromium.get("about:blank")


@pytest.fixture
def page(chromium: WebDriver, server: str) -> Page:
    """A browser at the app, 1280 wide and light."""
    forget_drafts(chromium)
    page = Page(chromium, server)
    page.look("light", 1280, 1000)
    return page


@pytest.fixture
def slow_page(chromium: WebDriver, slow_server: str) -> Page:
    """A browser at the app on a slow server."""
    forget_drafts(chromium)
    page = Page(chromium, slow_server)
    page.look("light", 1280, 1000)
    return page


@pytest.fixture
def nothing_trains_on(home: Home) -> Iterator[None]:
    """A test that failed on its way leaves no training behind: it would slow down all that come after."""
    yield
    for run in list_runs(home, NAME):
        if run.state == "running":
            kill(home, run.id)


@pytest.fixture
def picture(chromium: WebDriver) -> Callable[[str], None]:
    """Keep a screenshot for the README and the documents, when AVION_SCREENSHOTS=1."""

    def keep(name: str) -> None:
        if os.environ.get("AVION_SCREENSHOTS") == "1":
            page = Page(chromium, "")
            page.until(lambda: not page.all('[data-testid="stToast"]'), "no notice over the page")
            page.shoot(PICTURES / f"{name}.png")

    return keep


def _wait_for_health(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the app did not start: {log.read_text()[-2000:]}")
