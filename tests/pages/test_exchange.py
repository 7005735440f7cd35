"""The page Import & export: files out and in, packs out and verdicts back, with a look before anything is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.actor import ALONE, Actor
from avion_core.config import DescriptionsConfig, PrototypesConfig
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.rules import save_rules
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.class_aliases import class_aliases
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import get_project, list_projects
from avion_core.usecases.transfer.exchange import export_descriptions, holdings, read_records
from avion_core.usecases.transfer.packs import pack_project
from avion_core.usecases.transfer.review_packs import make_review_pack, open_review_pack, returned_verdicts
from tests.acting import by
from tests.app.tiny_home import NAME, PAIR
from tests.pages.conftest import Open, all_text, settle

NEW = {"class": "Forest", "text": "A broad forest seen from above, dark and closed.", "history": []}


def button(app: AppTest, label: str):
    return next(button for button in app.button if button.label.startswith(label))


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def upload(app: AppTest, key: str, name: str, content: bytes) -> AppTest:
    app.file_uploader(key=key).upload(name, content)
    app.run()
    return settle(app)


def first(home: Home) -> str:
    return read_records(home, NAME, scores=False)[0][0]["description_id"]


def test_without_a_project_it_leads_to_one(empty_home: Home, open_page: Open) -> None:
    app = open_page("exchange")
    assert "No project yet" in all_text(app)
    assert button(app, "Open the demo")


def test_exports_say_what_is_in_them(home: Home, open_page: Open) -> None:
    record_verdict(home, NAME, first(home), "accept")
    app = open_page("exchange")
    assert metrics(app) == {"Descriptions": "27", "Judged by people": "1", "Decisions on record": "1"}
    assert "27 descriptions with 1 decision." in all_text(app)
    assert app.download_button(key="export").label == "Export 27 descriptions"
    for form in ("csv", "parquet", "json"):
        app.segmented_control(key="export_form").set_value(form).run()
        settle(app)
        assert app.download_button(key="export")
    app.radio(key="texts").set_value("accepted").run()
    assert app.download_button(key="export").label == "Export"


def test_an_export_follows_the_rules_that_are_saved(home: Home, open_page: Open) -> None:
    app = open_page("exchange")
    app.segmented_control(key="export_form").set_value("json").run()
    before = settle(app.radio(key="texts").set_value("kept").run())
    said = [caption.value for caption in before.caption if caption.value.endswith(" texts.")]
    save_rules(home, NAME, PrototypesConfig(zeta=0.5), DescriptionsConfig())
    kept = export_descriptions(home, NAME, "json", choice="kept").sentence
    after = settle(app.run())
    assert (
        [caption.value for caption in after.caption if caption.value.endswith(" texts.")]
        == [f":material/description: {kept}"]
        != said
    )


def test_an_import_is_seen_before_it_is_written(home: Home, open_page: Open) -> None:
    app = open_page("exchange", exchange_tab="Import")
    assert "Nothing is imported before you have seen" in all_text(app)
    lines = [NEW, {"class": "Volcano", "text": "A crater."}, {"class": "Forest", "text": ""}]
    app = upload(app, "import_file", "new.jsonl", "\n".join(map(json.dumps, lines)).encode())
    seen = metrics(app)
    assert (seen["Descriptions to add"], seen["Left out"], seen["To be matched"]) == ("1", "1", "1")
    assert "1 could not be used" in all_text(app)
    assert "1 class name of the file, with 1 text, to match" in all_text(app)
    assert button(app, "Import 1 description").disabled
    app = settle(button(app, "Leave out the other 1").click().run())
    assert "Left out: Volcano 1." in all_text(app)
    assert holdings(home, NAME).descriptions == 27
    button(app, "Import 1 description, leave out 1").click().run()
    assert holdings(home, NAME).descriptions == 28
    assert "importing would change nothing" in all_text(settle(app))
    assert button(app, "Import 0 descriptions").disabled


def matching(app: AppTest) -> str:
    """The key of the table of class names to match."""
    table = next(frame for frame in app.dataframe if "in the file" in frame.value)
    return table.proto.id.split("-", 2)[2]  # behind its kind and hash stands the key


def test_class_names_are_matched_remembered_and_taken_back(home: Home, open_page: Open) -> None:
    app = open_page("exchange", exchange_tab="Import")
    classes = {"Forests": ["A broad forest seen from above."], "Lakes": ["A lake."], "Volcano": ["A crater."]}
    app = upload(app, "import_file", "x.json", json.dumps(classes).encode())
    table = next(frame.value for frame in app.dataframe if "in the file" in frame.value)
    rows = dict(zip(table["in the file"], table["class of the project"], strict=True))
    assert rows["Forests"] == "forest"
    place = list(rows).index("Volcano")
    edits = {place: {"class of the project": "(a new class of this name)"}}
    edits[list(rows).index("Lakes")] = {"class of the project": "sea or lake"}
    app.session_state[matching(app)] = {"edited_rows": edits, "added_rows": [], "deleted_rows": []}
    app = settle(app.run())
    assert "Lakes → SeaLake" in all_text(app)
    button(app, "Import 2 descriptions").click().run()
    assert holdings(home, NAME).descriptions == 30
    assert "Volcano" in [entry.key for entry in get_project(home, NAME).classes]
    app = open_page("classes")
    assert "“Lakes” means **sea or lake** · 1 description" in all_text(app)
    forget = next(place for place, one in enumerate(class_aliases(home, NAME)) if one.alias == "Lakes")
    app.button(key=f"forget_alias_{forget}").click().run()
    assert holdings(home, NAME).descriptions == 29


def test_the_smaller_part_of_the_texts_is_left_out_in_one_press(home: Home, open_page: Open) -> None:
    app = open_page("exchange", exchange_tab="Import")
    texts = ["A dark forest seen from above.", "A pale forest seen from above.", "A forest seen from above."]
    app = upload(app, "import_file", "x.json", json.dumps({"Forest": texts, "Volcano": ["A crater."]}).encode())
    assert "1 text of no class in this project will be left out: Volcano." in all_text(app)
    app = settle(button(app, "Import 3 descriptions, leave out 1").click().run())
    assert holdings(home, NAME).descriptions == 30
    assert app.file_uploader(key="import_file")  # still on the way in, with what comes next
    app = settle(button(app, "See what it gained").click().run())
    assert app.title[0].value == "Evaluation"


def test_the_larger_part_is_left_out_only_when_somebody_says_so(home: Home, open_page: Open) -> None:
    app = open_page("exchange", exchange_tab="Import")
    classes = {"Forest": ["A dark forest seen from above."], "Volcano": ["A crater.", "A cone."]}
    app = upload(app, "import_file", "x.json", json.dumps(classes).encode())
    assert button(app, "Import 1 description").disabled
    assert "1 class name still to be matched" in app.warning[0].value
    app = settle(button(app, "Leave out the other 1").click().run())
    assert not button(app, "Import 1 description, leave out 2").disabled


def test_a_report_of_the_newest_training_lies_beside_the_export(home: Home, open_page: Open) -> None:
    app = open_page("exchange")
    assert "The newest training, a finished run" in all_text(app)
    buttons = [button.proto.label for button in app.get("download_button")]
    assert buttons == ["Export 27 descriptions", "Report to hand over", "Its figures", "Publication capsule"]


def test_whoever_comes_back_after_an_import_finds_the_export(home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root, **PAIR)
    app = settle(button(open_page(project=bare.id), "Import descriptions").click().run())
    texts = {"Forest": ["A dark forest seen from above."]}
    app = upload(app, "import_file", "x.json", json.dumps(texts).encode())
    app = settle(button(app, "Import 1 description").click().run())
    assert "1 description is ready to review." in all_text(app)
    app = settle(app.switch_page("../pages/images.py").run())
    app = settle(app.switch_page("../pages/exchange.py").run())
    assert next(button.proto.label for button in app.get("download_button")) == "Export 1 description"


def test_a_reply_is_pasted_and_one_without_classes_asks_for_one(home: Home, open_page: Open) -> None:
    app = open_page("exchange", exchange_tab="Import")
    app.segmented_control(key="import_way").set_value("Paste a reply").run()
    assert '"name": "sea or lake"' in "\n".join(code.value for code in app.code)
    reply = "Gladly!\n\n- Aerial view of a dense dark forest canopy.\n- A pine forest seen from above."
    app = settle(app.text_area(key="import_pasted").set_value(reply).run())
    table = next(frame.value for frame in app.dataframe if "in the file" in frame.value)
    assert table["in the file"].tolist() == ["without a class"]
    assert "Gladly!" in str([frame.value.to_dict("list") for frame in app.dataframe])
    edit = {0: {"class of the project": "forest"}}
    app.session_state[matching(app)] = {"edited_rows": edit, "added_rows": [], "deleted_rows": []}
    app = settle(app.run())
    app = settle(button(app, "Import 2 descriptions").click().run())
    assert holdings(home, NAME).descriptions == 29
    assert app.text_area(key="import_pasted").value == ""
    assert class_aliases(home, NAME) == []


def test_a_path_on_the_server_goes_the_same_way(home: Home, open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("class,text\nForest,Overhead view of a dark forest with one narrow clearing.\n", encoding="utf-8")
    app = open_page("exchange", exchange_tab="Import")
    app.segmented_control(key="import_way").set_value("A path on the server").run()
    app = settle(app.text_input(key="import_path").set_value(str(file)).run())
    button(app, "Import 1 description").click().run()
    assert holdings(home, NAME).descriptions == 28


@pytest.mark.parametrize("name", ["review", "generate", "exchange", "projects", "confusion"])
def test_every_page_that_wants_descriptions_leads_to_the_one_form(name: str, home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root)
    app = open_page(name, project=bare.id)
    if name != "exchange":
        app = settle(button(app, "Import descriptions").click().run())
    assert app.title[0].value == "Import & export"
    assert app.file_uploader(key="import_file")


def test_whoever_came_to_import_waits_for_no_export(home: Home, open_page: Open) -> None:
    app = open_page("exchange", exchange_tab="Import")
    assert not app.get("download_button")


def test_an_export_comes_back_with_its_decisions(home: Home, open_page: Open) -> None:
    record_verdict(by("ann", home), NAME, first(home), "accept")
    content = export_descriptions(home, NAME, scores=False).content
    app = upload(open_page("exchange", exchange_tab="Import"), "import_file", "x.jsonl", content)
    assert "importing would change nothing" in all_text(app)
    assert metrics(app)["Already there"] == "27"


def test_a_file_that_cannot_be_read_is_a_sentence(home: Home, open_page: Open) -> None:
    app = upload(open_page("exchange", exchange_tab="Import"), "import_file", "x.jsonl", b"not json")
    assert "Each line must be one JSON object." in all_text(app)


def test_a_blind_review_keeps_its_verdicts(home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.state import door
    from avion_core.usecases.curation.agreement import set_blind

    set_blind(home, NAME, True)
    assert open_page("exchange").download_button(key="export")
    monkeypatch.setattr(door, "actor", lambda: Actor("me", "reviewer"))
    app = open_page("exchange")
    assert not [one for one in app.download_button if one.key == "export"]
    assert "This review is blind" in "\n".join(info.value for info in app.info)


def test_a_pack_is_made_for_a_colleague(home: Home, open_page: Open) -> None:
    app = open_page("exchange", exchange_tab="Review elsewhere")
    app.text_input(key="pack_reviewer").set_value("ann")
    app.multiselect(key="pack_classes").set_value(["Forest"])
    button(app, "Make the pack").click().run()
    app = settle(app)
    assert "9 descriptions for ann with" in all_text(app)
    assert app.download_button(key="save_pack")


def test_verdicts_come_back_and_conflicts_are_told(home: Home, open_page: Open, tmp_path: Path) -> None:
    record_verdict(home, NAME, first(home), "accept")
    pack = make_review_pack(home, NAME, tmp_path / "p.zip", reviewer="ann")
    away = Home(tmp_path / "away", ALONE)
    there = open_review_pack(away, pack.path)
    record_verdict(away, there.id, first(home), "reject")
    app = upload(
        open_page("exchange", exchange_tab="Review elsewhere"),
        "merge_file",
        "back.jsonl",
        returned_verdicts(away, there.id),
    )
    assert "Decisions by ann 1." in all_text(app)
    assert "1 description would then be in conflict" in all_text(app)
    button(app, "Merge 1 decision").click().run()
    assert holdings(home, NAME).decisions == 2
    assert button(settle(app), "Merge 0 decisions").disabled


def test_a_pack_is_opened_and_says_for_whom(home: Home, open_page: Open, tmp_path: Path) -> None:
    pack = make_review_pack(home, NAME, tmp_path / "p.zip")
    app = open_page("exchange", exchange_tab="Review elsewhere")
    app.file_uploader(key="open_pack_file").upload("p.zip", pack.path.read_bytes())
    button(app, "Open the pack").click().run()
    assert "does not name a reviewer" in str(app.error[0].proto)
    app.file_uploader(key="open_pack_file").upload("p.zip", pack.path.read_bytes())
    app.text_input(key="open_pack_reviewer").set_value("eve")
    button(app, "Open the pack").click().run()
    app = settle(app)
    assert [project.name for project in list_projects(home)][-1] == f"{NAME}, review by eve"
    assert "You judge these descriptions of **tiny** as **eve**" in all_text(app)
    assert app.download_button(key="send_back")


class TestProjectLife:
    """The panel at the end of the projects page."""

    @pytest.fixture
    def moved(self, home: Home, tmp_path: Path) -> Path:
        """The images of the project, where they are not looked for."""
        from avion_core.store.database import writing
        from avion_core.store.projects import find_project

        root = Path(shutil.copytree(get_project(home, NAME).image_root, tmp_path / "now"))
        with writing(home.engine) as session:
            find_project(session, NAME).image_root = str(tmp_path / "before")
        return root

    def test_a_moved_root_is_noticed_and_linked(self, home: Home, open_page: Open, moved: Path) -> None:
        assert "any more" in all_text(open_page("review"))
        app = open_page("projects")
        assert "no longer in" in str(app.warning[0].proto)
        app.text_input(key="relink_folder").set_value(str(moved))
        button(app, "Compare").click().run()
        app = settle(app)
        assert "36 of 36 images" in "\n".join(done.value for done in app.success)
        app.button(key="relink_now").click().run()
        assert get_project(home, NAME).image_root == moved
        assert not settle(app).warning

    def test_an_incomplete_folder_is_told(self, home: Home, open_page: Open, moved: Path) -> None:
        (moved / "Forest" / sorted(path.name for path in (moved / "Forest").iterdir())[0]).unlink()
        app = open_page("projects")
        app.text_input(key="relink_folder").set_value(str(moved))
        button(app, "Compare").click().run()
        app = settle(app)
        assert "1 missing" in "\n".join(warning.value for warning in app.warning).replace("\\", "")
        assert app.button(key="relink_now").label == "Link it with 35 images"
        app.button(key="relink_cancel").click().run()
        assert not [one for one in settle(app).button if one.key == "relink_now"]

    def test_a_folder_that_is_not_there_is_a_sentence(self, home: Home, open_page: Open) -> None:
        app = open_page("projects")
        app.text_input(key="relink_folder").set_value("/nowhere/at/all")
        button(app, "Compare").click().run()
        assert "Check the path." in all_text(settle(app))

    def test_pack_and_unpack(self, home: Home, open_page: Open, tmp_path: Path) -> None:
        target = tmp_path / "tiny.avion"
        app = open_page("projects")
        app.text_input(key="pack_path").set_value(str(target))
        button(app, "Pack").click().run()
        app = settle(app)
        assert target.exists()
        app.text_input(key="unpack_path").set_value(str(target))
        button(app, "Unpack").click().run()
        assert "Choose another name" in all_text(settle(app))
        app.text_input(key="unpack_path").set_value(str(target))
        app.text_input(key="unpack_name").set_value("tiny, again")
        button(app, "Unpack").click().run()
        settle(app)
        assert [project.name for project in list_projects(home)] == [NAME, "tiny, again"]
        assert pack_project(home, "tiny, again", tmp_path / "again.avion").runs == 1


def test_without_descriptions_the_way_to_some_is_a_button_away(home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root)
    app = open_page("exchange", project=bare.id, exchange_tab="Export")
    assert "No descriptions yet" in all_text(app)
    app = settle(button(app, "Import descriptions").click().run())
    assert app.file_uploader(key="import_file")
