"""The harness itself: what CI refuses, which process a test runs in, which marker it gets, when make installs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

from tests.conftest import FilesTogether
from tests.marking import Listener, markers_of

ROOT = Path(__file__).parents[1]


def of_ci(name: str) -> ModuleType:
    """A script of .ci/ as a module."""
    spec = spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RESULTS = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_passes"/>
<testcase classname="tests.a" name="test_gpu"><skipped message="needs an NVIDIA GPU"/></testcase>
<testcase classname="tests.b" name="test_lazy"><skipped message="{reason}"/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(("reason", "refused"), [("needs an NVIDIA GPU", False), ("today is Monday", True)])
def test_a_skip_without_leave_fails_the_run(tmp_path, capsys, reason, refused):
    (tmp_path / "results.xml").write_text(RESULTS.format(reason=reason))
    (tmp_path / "allowed.txt").write_text("# a comment is no reason\nneeds an NVIDIA GPU\n")
    check = of_ci("check_skips").main
    if refused:
        with pytest.raises(SystemExit, match=r"tests\.b test_lazy: today is Monday"):
            check(tmp_path / "results.xml", tmp_path / "allowed.txt")
    else:
        check(tmp_path / "results.xml", tmp_path / "allowed.txt")
    assert f"2 tests skipped, {int(refused)} of them" in capsys.readouterr().out


def make_wheel(folder: Path, files: dict[str, str]) -> None:
    with ZipFile(folder / "avion_studio-0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


@pytest.fixture
def package_check(tmp_path, monkeypatch):
    """check_package.py beside a checkout of three files; call it with what the wheel holds."""
    module = of_ci("check_package")
    checkout, folder = tmp_path / "checkout", tmp_path / "wheels"
    folder.mkdir()
    code = {
        "avion_core/cli.py": "",
        "avion_core/bundled.py": "from pathlib import Path\n"
        "def demo_folder():\n    return Path(__file__).parents[1] / 'demo'\n",
        "app/__init__.py": "",
    }
    for name, text in code.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    monkeypatch.setattr(module, "ROOT", checkout)
    answered = module._output

    def output(*command: str, folder: Path, **variables: str) -> str:
        return "\n".join(code) if command[0] == "git" else answered(*command, folder=folder, **variables)

    monkeypatch.setattr(module, "_output", output)

    def check(held: dict[str, str]) -> None:
        make_wheel(folder, held)
        module.main(folder)

    return check, code | {module.SETTINGS: ""}


def test_a_wheel_that_lacks_a_file_is_refused(package_check):
    check, files = package_check
    with pytest.raises(SystemExit, match=r"lacks 2 files: app/\.streamlit/config\.toml, app/__init__\.py"):
        check({name: text for name, text in files.items() if not name.startswith("app/")})


@pytest.mark.process
def test_a_whole_wheel_passes_and_one_that_looks_elsewhere_for_its_demo_does_not(package_check):
    check, files = package_check
    check(files)
    elsewhere = "from pathlib import Path\ndef demo_folder():\n    return Path('/nowhere')\n"
    with pytest.raises(SystemExit, match="finds its demo in /nowhere"):
        check(files | {"avion_core/bundled.py": elsewhere})


@pytest.mark.parametrize(
    ("test", "scope"),
    [
        ("tests/browser/test_app.py::test_pages[a]", "tests/browser, first half"),
        ("tests/browser/test_review.py::test_keys", "tests/browser, second half"),
        ("tests/browser/test_newcomer.py::test_first_hour", "tests/browser/test_newcomer.py"),
        ("tests/maps/test_layout.py::test_seed[umap]", "tests/maps/test_layout.py"),
    ],
)
def test_files_that_browse_one_home_share_it_in_two_halves_and_others_stand_alone(test, scope):
    scheduling = FilesTogether.__new__(FilesTogether)
    assert scheduling._split_scope(test) == scope


def starts_a_program() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def test_a_test_is_marked_by_what_it_uses():
    def by_itself() -> None:
        subprocess.run(["true"], check=True)

    def by_a_helper() -> None:
        starts_a_program()

    def inside() -> list[int]:
        return [starts_a_program() or number for number in range(3)]

    def by_none() -> None:
        time.sleep(0)

    assert [markers_of([test]) for test in (by_itself, by_a_helper, inside, by_none)] == [{"process"}] * 3 + [set()]
    assert markers_of([by_none, by_a_helper]) == {"process"}  # a fixture of the test


def test_a_start_without_a_marker_is_found_out(request):
    listener = Listener()
    around = listener.during(request.node)  # this test is marked itself, by its own code
    next(around)
    listener._hear("subprocess.Popen", (sys.executable, ["python", "-c", ""], None, None))
    listener._hear("subprocess.Popen", ("/usr/bin/uname", ["uname"], None, None))
    listener._hear("socket.bind", (None, "/tmp/a-path"))
    assert listener.heard == ["started ['python', '-c', '']"]
    with pytest.raises(StopIteration):
        next(around)
    unmarked = listener.during(
        pytest.Function.from_parent(request.node.parent, name=by_nothing.__name__, callobj=by_nothing)
    )
    next(unmarked)
    listener._hear("socket.bind", (None, ("127.0.0.1", 0)))
    with pytest.raises(pytest.fail.Exception, match="mark this test `process`: it listened on"):
        next(unmarked)


def by_nothing() -> None: ...


def commands(target: str, folder: Path) -> str:
    """What make would run."""
    run = subprocess.run(["make", "-n", target], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout


@pytest.fixture
def installed(tmp_path) -> Path:
    """A folder with the Makefile, what it installs from, and fresh stamps."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / ".venv").mkdir()
    now = time.time()
    for age, name in enumerate(("created", "installed", "installed-dev")):
        stamp = tmp_path / ".venv" / name
        stamp.touch()
        os.utime(stamp, (now + age, now + age))
    return tmp_path


def test_what_is_installed_is_not_installed_again(installed):
    assert "--require-hashes" not in commands("test", installed)
    assert "--require-hashes" not in commands("app", installed)


@pytest.mark.parametrize(
    ("changed", "target", "lists"),
    [
        ("requirements.txt", "app", ["requirements.txt"]),
        ("pyproject.toml", "app", ["requirements.txt"]),
        ("requirements-dev.txt", "app", []),
        ("requirements-dev.txt", "test", ["requirements-dev.txt"]),
        ("requirements.txt", "test", ["requirements.txt", "requirements-dev.txt"]),
    ],
)
def test_a_changed_list_is_installed_where_it_is_needed(installed, changed, target, lists):
    later = time.time() + 10
    os.utime(installed / changed, (later, later))
    assert list(dict.fromkeys(re.findall(r"-r (requirements\S*)", commands(target, installed)))) == lists


def test_check_leaves_out_what_needs_more_than_this_process():
    fast = re.search(r"(?m)^FAST := (.*)$", (ROOT / "Makefile").read_text())
    assert fast is not None
    left_out = set(re.findall(r"not (\w+)", fast[1]))
    stated = re.findall(r'(?m)^  "(\w+): ', (ROOT / "pyproject.toml").read_text())
    assert left_out == set(stated)
