"""What the studio prints for a person to run can be run, and does what the page would have done."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer.main
from hypothesis import HealthCheck, given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from avion_core import settings
from avion_core.cli import app
from avion_core.config import RunConfig
from avion_core.errors import ConfigError
from avion_core.methods import METHODS
from avion_core.presets import PRESETS
from avion_core.protocols import PROTOCOLS
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.runs import launching, views
from avion_core.usecases.runs.command_line import cli_command
from avion_core.usecases.runs.planning import planned_config
from tests import tiny_studio

ROOT = Path(__file__).parents[2]
TYPABLE = st.characters(exclude_categories=("Cc", "Cs"))
AWKWARD = ["true", "null", "1", "-x", "--preset", "a=b", "it's", "$HOME", '"', "[1]", " x ", "* ? #", ""]


def _values(key: str) -> st.SearchStrategy[Any]:
    """Values that a setting allows."""
    field = settings.fields(RunConfig)[key]
    if key == "model.template":
        around = st.text(TYPABLE, max_size=9).filter(lambda text: not {"{", "}"} & set(text))
        return st.tuples(around, around).map("{}".join)
    if get_origin(field.annotation) is Literal:
        return st.sampled_from(get_args(field.annotation))
    if field.annotation is bool:
        return st.booleans()
    if key in ("method", "protocol.name"):
        return st.sampled_from(list(METHODS if key == "method" else PROTOCOLS))
    if key in ("protocol.projects", "protocol.aliases"):
        name = st.text("ab0 ,\"'", min_size=1, max_size=4).map(str.strip).filter(bool)
        one = name if key == "protocol.projects" else st.tuples(name, name).map("=".join)
        return st.lists(one, max_size=3).map(tuple)
    if field.annotation is str:
        return st.sampled_from(AWKWARD) | st.text(TYPABLE, max_size=9)
    limits = {
        name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le") if hasattr(rule, name)
    }
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", 1e9)
    if field.annotation is int:
        return st.integers(low, high)
    assert field.annotation is float
    return st.floats(low, high, exclude_min="gt" in limits)


SETTINGS = [key for key in settings.fields(RunConfig) if key != "options"]
OVERRIDES = st.lists(st.sampled_from(SETTINGS), unique=True, max_size=6).flatmap(
    lambda keys: st.fixed_dictionaries({key: _values(key) for key in keys})
) | st.fixed_dictionaries(
    {"method": st.sampled_from(["linear_probe", "zero_shot"]), "options.model": st.sampled_from(["student", "teacher"])}
)


@pytest.fixture
def trained_with(scenes, monkeypatch):
    """Settings that each `avion train` came to; nothing is trained."""
    seen: list[tuple[RunConfig, str]] = []

    def create_run(home, project, preset, overrides, name, **_):
        seen.append((planned_config(home, project, preset, overrides), name))
        raise SystemExit(0)

    monkeypatch.setattr(launching, "create_run", create_run)
    return seen


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(preset=st.sampled_from(list(PRESETS)), overrides=OVERRIDES, name=st.sampled_from(["", *AWKWARD]))
def test_the_printed_training_has_the_same_settings(scenes, avion, trained_with, preset, overrides, name) -> None:
    try:
        config = run_config(scenes, "scenes", preset, overrides)
    except ConfigError as error:
        if "words before the class name" not in str(error):  # which a context that starts from them needs
            raise
        reject()
    words = shlex.split(cli_command(scenes, "scenes", config, preset=preset, name=name))
    assert words[0] == "avion"
    trained_with.clear()
    result = avion(*words[1:])
    assert result.exit_code == 0, result.output
    assert trained_with == [(config, name.strip())]


@pytest.mark.parametrize("name", ["-x", "--help", "it's one", "a b", "$(date)"])
def test_the_printed_training_names_the_project_whatever_it_is_called(
    scenes, avion, images, trained_with, name
) -> None:
    create_project(scenes, name, images, defaults=tiny_studio.DEFAULTS)
    config = run_config(scenes, name, overrides={"model.template": "{}"})
    assert avion(*shlex.split(cli_command(scenes, name, config))[1:]).exit_code == 0
    assert trained_with == [(config, "")]


def test_the_printed_sweep_runs_in_a_shell(scenes, avion, trained_with, tmp_path) -> None:
    config = run_config(scenes, "scenes", "paper", {"model.template": "{}, it's $big", "distillation.augment": True})
    loop = cli_command(scenes, "scenes", config, [1, 2], [3, 4], preset="paper", name='the "sweep"')
    avion_stub = 'avion() { python3 -c "import json, sys; print(json.dumps(sys.argv[1:]))" "$@"; }\n'
    printed = subprocess.run(["bash", "-c", avion_stub + loop], capture_output=True, text=True, check=True).stdout
    calls = [json.loads(line) for line in printed.splitlines()]
    assert len(calls) == 4
    for call in calls:
        assert avion(*call).exit_code == 0
    wanted = [config.model_copy(update={"data": config.data.model_copy(update={"shots": s, "seed": n})})
              for s in (1, 2) for n in (3, 4)]  # fmt: skip
    assert trained_with == [(each, 'the "sweep"') for each in wanted]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "data.shots=0", "--shots", "1"), "data.shots is given twice"),
        (("--set", "data.shots=1", "--set", "data.shots=1"), "data.shots is given twice"),
        (("--set", "distillation=5", "--epochs", "1"), "distillation is a group of settings"),
        (("--set", "distillation=null"), "distillation is a group of settings"),
        (("--set", 'distillation={"epochs": 5}'), "distillation is a group of settings"),
        (("--set", "data.shots=null"), "data.shots cannot be used"),
        (("--set", "data.shots.x=1"), "data.shots.x does not exist: 1. The settings are: data.shots, data.seed"),
        (("--set", f"data.shots={10**30}"), "data.shots cannot be used"),
        (("--set", f"data.shots={'9' * 5000}"), "data.shots cannot be used"),
        (("--set", f"prototypes.zeta={'[' * 50_000}"), "prototypes.zeta cannot be used"),
        (("--set", "distillation.checkpoint_seconds=inf"), "distillation.checkpoint_seconds cannot be used"),
        (("--set", "distillation.learning_rate=nan"), "distillation.learning_rate cannot be used"),
        (("--set", "model.template=a\0{}"), "model.template cannot be used"),
        (("--set", "distillation.=5"), "distillation. does not exist: 5. The settings are: distillation.projection,"),
        (("--set", "shots=5"), "The settings are: method, options, teacher, student, device, data"),
        (("--set", "data.shots"), "a setting must be KEY=VALUE"),
        (("--set", "=5"), "a setting must be KEY=VALUE"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(scenes, avion, words, message) -> None:
    result = avion("train", "scenes", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split()).replace("A setting", "a setting")
    assert len(result.stderr) < 1000
    assert views.list_runs(scenes) == []


def _said() -> list[str]:
    """Every `avion ...` between backticks or after "Next:" in the code and the documents."""
    files = [path for folder in ("avion_core", "app", "pages", "docs") for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text(encoding="utf-8") for path in [*files, ROOT / "README.md"] if path.suffix in (".py", ".md")]
    found = [match for text in texts for match in re.findall(r"`(avion [^`\n]*)`|Next: +(avion [^\"\n]*)", text)]
    return sorted({one or other for one, other in found})


@pytest.mark.parametrize("said", _said())
def test_a_command_that_is_spoken_of_exists_with_its_options(said: str) -> None:
    command: Any = typer.main.get_command(app)
    words = said.split()[1:]
    while words and hasattr(command, "commands") and re.fullmatch("[a-z][a-z-]*", words[0]):
        found = command.commands.get(words.pop(0))
        assert found is not None, said
        command = found
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.split("=")[0].rstrip(".,;:)]") for word in words if word.startswith("--")} <= known | {"--help"}, said
