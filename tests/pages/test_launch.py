"""Launch: settings from the models, two ways of looking, checks with their fixes, sweeps, and the start."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.config import DescriptionsConfig, PrototypesConfig, RunConfig
from avion_core.store.database import writing
from avion_core.store.runs import find_run
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.rules import save_rules
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs import launching, training
from avion_core.usecases.runs.views import list_runs
from tests.acting import by
from tests.app.tiny_home import CLASSES, DEFAULTS, NAME
from tests.pages.conftest import Open, all_text, settle

KINDS = ("selectbox", "number_input", "toggle", "text_input", "multiselect")


def press(app: AppTest, label: str) -> AppTest:
    return settle(next(button for button in app.button if button.label == label).click().run())


def setting(app: AppTest, dotted: str) -> Any:
    return next(widget for kind in KINDS for widget in app.get(kind) if (widget.key or "").endswith(f":{dotted}"))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs whose process would be started; "queue" where the queue would be served."""
    asked: list[str] = []
    monkeypatch.setattr(launching, "submit", lambda home, run: asked.append(run))
    monkeypatch.setattr(training.queue, "ensure_served", lambda home: asked.append("queue"))
    return asked


def test_every_setting_is_on_the_page_with_its_help(home: Home, open_page: Open) -> None:
    app = open_page("launch", look="Research")
    widgets: dict[str, Any] = {
        str(widget.key).rsplit(":", 1)[-1]: widget for kind in KINDS for widget in app.get(kind) if widget.key
    }
    settings = [
        f"{stage}.{name}" if isinstance(value, dict) else stage
        for stage, value in RunConfig().model_dump().items()
        for name in (value if isinstance(value, dict) else (stage,))
    ]
    spanning = {"protocol.projects", "protocol.aliases"}  # asked for by protocols that span projects
    assert set(settings) - spanning <= set(widgets)
    assert not spanning & set(widgets)
    assert all(widgets[name].help for name in settings if name not in spanning)


def test_a_protocol_over_projects_asks_which_and_which_class_names_meet(home: Home, open_page: Open) -> None:
    app = settle(setting(open_page("launch", look="Research"), "protocol.name").set_value("cross-dataset").run())
    app = settle(setting(app, "protocol.aliases").set_value(["sea or lake=water"]).run())
    assert "--set 'protocol.aliases=sea or lake=water'" in app.code[0].value


def test_a_method_has_its_own_settings_and_no_others(home: Home, open_page: Open, started: list[str]) -> None:
    app = open_page("launch", look="Research")
    app = settle(setting(app, "method").set_value("linear_probe").run())
    keys = {(widget.key or "").rsplit(":", 1)[-1] for kind in KINDS for widget in app.get(kind)}
    assert {"options.model", "model.template", "data.shots"} <= keys
    assert not [key for key in keys if key.startswith(("distillation.", "prototypes.", "descriptions."))]
    app = settle(setting(app, "options.model").set_value("teacher").run())
    assert app.code[0].value.endswith("--method linear_probe --set options.model=teacher")
    assert "Nothing is trained step by step" in all_text(app)
    press(app, "Start now")
    newest = list_runs(home, NAME)[0]
    assert (newest.config.method, newest.config.options) == ("linear_probe", {"model": "teacher"})


def test_for_my_data_speaks_plainly_and_leaves_research_out(home: Home, open_page: Open) -> None:
    app = open_page("launch")
    assert setting(app, "data.shots").label == "Images per class"
    keys = {(widget.key or "").rsplit(":", 1)[-1] for kind in KINDS for widget in app.get(kind)}
    assert not {"protocol.name", "prototypes.selective", "model.depth"} & keys
    assert "distillation.learning_rate" in keys
    assert "preset" not in {widget.key for widget in app.get("button_group")}


def test_a_preset_of_research_sets_what_it_says(home: Home, open_page: Open) -> None:
    app = open_page("launch", look="Research")
    preset: Any = next(widget for widget in app.get("button_group") if widget.key == "preset")
    prototypes = ["P0", "P-uniform", "P-flag-only", "P-z-only", "P-full"]
    whole = ["recommended", "own-data", "paper", "authors", "demo"]
    assert preset.options == [*whole, *[f"B{row}" for row in range(8)], *prototypes]
    app = settle(preset.set_value("B6").run())
    assert setting(app, "distillation.warmup").value == 0.0
    assert "--preset B6" in app.code[0].value


def test_the_paper_s_preset_is_the_paper_whatever_the_project_has(home: Home, open_page: Open) -> None:
    app = open_page("launch", look="Research")
    preset: Any = next(widget for widget in app.get("button_group") if widget.key == "preset")
    app = settle(preset.set_value("paper").run())
    paper = {"epochs": 100, "batch_size": 4, "learning_rate": 5e-4, "schedule": "constant", "augment": False}
    assert {name: setting(app, f"distillation.{name}").value for name in paper} == paper
    assert DEFAULTS["distillation"]["epochs"] != 100  # the project's own
    assert [setting(app, name).value for name in ("descriptions.rule_set", "prototypes.z_mode")] == ["paper", "paper"]
    assert "The paper's settings to the letter" in all_text(app)
    app = settle(setting(app, "protocol.name").set_value("base-to-novel").run())
    assert setting(app, "distillation.epochs").value == 50
    assert "--protocol base-to-novel" in app.code[0].value
    assert "--epochs" not in app.code[0].value
    app = settle(setting(app, "distillation.epochs").set_value(7).run())
    assert "--protocol base-to-novel" in app.code[0].value
    assert "--epochs 7" in app.code[0].value
    app = settle(setting(app, "protocol.name").set_value("few-shot").run())
    assert setting(app, "distillation.epochs").value == 100


def test_a_changed_setting_is_in_the_command_and_in_the_run(home: Home, open_page: Open, started: list[str]) -> None:
    app = open_page("launch")
    app = settle(setting(app, "distillation.epochs").set_value(7).run())
    assert "--epochs 7" in app.code[0].value
    app = settle(next(field for field in app.text_input if field.label == "Name").set_value("seven passes").run())
    assert app.code[0].value.endswith(" --name 'seven passes'")
    app = press(app, "Start now")
    assert app.title[0].value == "Runs"
    newest = list_runs(home, NAME)[0]
    assert started == [newest.id]
    assert (newest.name, newest.config.distillation.epochs, newest.based_on) == ("seven passes", 7, None)
    assert app.query_params["run"] == newest.id


def test_teacher_and_student_are_chosen_from_the_catalog(home: Home, open_page: Open) -> None:
    app = open_page("launch", look="Research")
    teachers, students = setting(app, "teacher"), setting(app, "student")
    assert (teachers.value, students.value) == ("demo-teacher", "demo-student")
    assert set(teachers.options) - set(students.options) == {"Demo teacher (EfficientNet-Lite0 + MiniLM)"}
    assert "GeoRSCLIP ViT-B/32, not installed" in students.options
    app = settle(students.set_value("georsclip-vit-b-32").run())
    assert "The weights of GeoRSCLIP ViT-B/32 are not installed." in all_text(app)


def test_numbers_change_by_steps_of_their_own_size(home: Home, open_page: Open) -> None:
    app = open_page("launch", look="Research")
    rate = setting(app, "distillation.learning_rate")
    assert (rate.value, rate.step) == (0.002, pytest.approx(0.0001))
    assert setting(app, "prototypes.beta").step == 1.0


def test_a_queued_run_waits_for_its_turn(home: Home, open_page: Open, started: list[str]) -> None:
    press(open_page("launch"), "Queue")
    assert started == ["queue"]
    assert list_runs(home, NAME)[0].waiting


def test_a_sweep_is_a_queue_of_runs_and_a_loop_on_the_command_line(
    home: Home, open_page: Open, started: list[str]
) -> None:
    app = open_page("launch")
    pills: dict[str, Any] = {
        str(widget.key).split("_")[1]: widget for widget in app.get("button_group") if "sweep" in (widget.key or "")
    }
    pills["shots"].set_value([1, 2])
    app = settle(pills["seeds"].set_value([1, 2, 3]).run())
    command = app.code[0].value
    assert command.startswith("for shots in 1 2; do for seed in 1 2 3; do avion train tiny ")
    assert command.endswith(' --shots "$shots" --seed "$seed"; done; done')
    app = press(app, "Queue 6 runs")
    assert started == ["queue"]
    new = [run for run in list_runs(home, NAME) if run.waiting]
    found = sorted((run.config.data.shots, run.config.data.seed) for run in new)
    assert found == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


def test_new_from_a_run_begins_with_its_settings(home: Home, open_page: Open, started: list[str]) -> None:
    (run,) = list_runs(home, NAME)
    app = press(open_page("runs", run=run.id), "New from this")
    assert app.title[0].value == "Launch"
    assert app.query_params["based_on"] == run.id
    app = open_page("launch", based_on=run.id)
    assert f"The settings of **{run.name}**" in all_text(app)
    assert setting(app, "distillation.epochs").value == run.config.distillation.epochs
    assert "has the same settings, and is finished" in all_text(app)
    assert f"Open the run {run.id}" in {button.label for button in app.button}
    app = settle(setting(app, "data.seed").set_value(2).run())
    press(app, "Start now")
    newest = list_runs(home, NAME)[0]
    assert (newest.based_on, newest.config.data.seed) == (run.id, 2)


def test_new_from_a_run_says_what_follows_the_rules_since(home: Home, open_page: Open) -> None:
    (run,) = list_runs(home, NAME)
    assert "All settings are as in that run." in all_text(open_page("launch", based_on=run.id))
    save_rules(home, NAME, PrototypesConfig(zeta=1.5), DescriptionsConfig())
    text = all_text(open_page("launch", based_on=run.id))
    assert "which have changed since: outlier cut (ζ) 3.0 → 1.5. All others are as they were." in text
    with writing(home.engine) as session:
        find_run(session, run.id).origin = None
    text = all_text(open_page("launch", based_on=run.id))
    assert "did not record which settings followed the project's rules: all are kept as they were" in text


def test_an_earlier_run_in_the_address_survives_a_refresh_and_can_be_left(home: Home, open_page: Open) -> None:
    (run,) = list_runs(home, NAME)
    app = open_page("launch", based_on=run.id)
    assert "The settings of" in all_text(app)
    app = press(app, "Start from a preset instead")
    assert "The settings of" not in all_text(app)
    assert "based_on" not in app.query_params


def test_missing_weights_keep_the_run_from_starting_and_lead_to_the_models(home: Home, open_page: Open) -> None:
    bare = create_project(home, "large models", get_project(home, NAME).image_root)
    app = open_page("launch", project=bare.id)
    text = all_text(app)
    assert "Cannot start yet" in text
    assert "are not installed" in text
    assert all(button.disabled for button in app.button if button.label in ("Start now", "Queue"))
    assert {"Use the bundled pair", "Download (3.9 GB)", "Add a file"} <= {button.label for button in app.button}


def test_without_labels_nothing_starts_and_the_label_page_is_one_button_away(home: Home, open_page: Open) -> None:
    root = get_project(home, NAME).image_root
    bare = create_project(home, "bare", root, class_folders=False, teacher="demo-teacher", student="demo-student")
    app = open_page("launch", project=bare.id)
    assert "There is no class to train on." in all_text(app)
    for name in CLASSES:
        add_class(home, bare.id, name)
    app = open_page("launch", project=bare.id)
    assert "No image is labelled for training yet." in all_text(app)
    assert all(button.disabled for button in app.button if button.label in ("Start now", "Queue"))
    app = next(button for button in app.button if button.label == "Label images").click().run()
    assert app.title[0].value == "Label"


def test_the_run_done_before_is_one_button_away(home: Home, open_page: Open) -> None:
    (run,) = list_runs(home, NAME)
    app = open_page("launch", based_on=run.id)
    app = next(button for button in app.button if button.label == f"Open the run {run.id}").click().run()
    assert app.title[0].value == "Runs"
    assert app.query_params["run"] == run.id


def test_a_fix_changes_the_setting(home: Home, open_page: Open) -> None:
    app = open_page("launch")
    app = settle(setting(app, "data.shots").set_value(500).run())
    assert "has no split with 500 shots" in all_text(app)
    app = press(app, "Set shots to 16, seed to 1")
    assert setting(app, "data.shots").value == 16
    assert "Cannot start yet" not in all_text(app)


def test_open_conflicts_are_warned_of(home: Home, open_page: Open) -> None:
    item = current_descriptions(home, get_project(home, NAME).id)["description_id"][0]
    record_verdict(by("ann", home), NAME, item, "accept")
    record_verdict(by("bob", home), NAME, item, "reject")
    app = open_page("launch")
    assert "Can start; look at the warnings" in all_text(app)
    assert "Reviewers disagree on 1 description" in all_text(app)
    assert "Settle the conflicts" in {button.label for button in app.button}


def test_what_it_will_take_is_measured_on_earlier_runs(home: Home, open_page: Open) -> None:
    text = all_text(open_page("launch"))
    assert "GB** of memory" in text
    assert "From 1 earlier run on this machine with this student, scaled by the work of a step" in text
    (run,) = list_runs(home, NAME)
    assert "Measured on 1 earlier run on this machine" in all_text(open_page("launch", based_on=run.id))
