"""The class sheet and the review's table: many descriptions at once, judged in one go and undone in one go."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from app.components.review.shared_curation import FIGURES_HIDDEN
from app.kit.guard import plain
from avion_core.usecases.curation import (
    RemainingValue,
    SharedCuration,
    Sight,
    confusable,
    curation_table,
    history,
    my_sight,
    record_verdict,
    refresh,
    review_value,
    seen_by,
)
from avion_core.usecases.curation.agreement import set_blind
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.selections import keep_selection
from avion_core.usecases.projects.summaries import get_project
from tests.acting import by
from tests.app.tiny_home import CLASSES, NAME, TEXTS
from tests.pages.conftest import Open, all_text, card, send, settle


def table(app: AppTest):
    """The descriptions as shown."""
    return next(frame.value for frame in app.dataframe if "text" in frame.value.columns)


def select(app: AppTest, *rows: int) -> AppTest:
    key = f"descriptions_{app.session_state['_selection_name']}"
    app.session_state[key] = {"selection": {"rows": list(rows), "columns": []}}
    return settle(app.run())


def press(app: AppTest, label: str) -> AppTest:
    return settle(next(button for button in app.button if button.label == label).click().run())


def verdicts(home: Home) -> dict[str, str]:
    candidates = current_descriptions(home, get_project(home, NAME).id)
    decided = candidates[candidates["verdict"] != "undecided"]
    return dict(zip(decided["text"], decided["verdict"], strict=True))


def test_a_class_by_influence(home: Home, open_page: Open) -> None:
    app = open_page("sheet", sheet_class="SeaLake")
    assert app.selectbox(key="sheet_class_selector").value == "SeaLake"
    shown = table(app)
    assert len(shown) == TEXTS
    assert set(shown["class"]) == {"sea or lake"}
    assert shown["influence"].is_monotonic_decreasing
    assert {metric.label: metric.value for metric in app.metric}["Judged"] == f"0 of {TEXTS}"


def test_the_next_class_is_a_button_away(home: Home, open_page: Open) -> None:
    app = press(open_page("sheet", sheet_class="Forest"), "Next class")
    assert app.query_params["sheet_class"] == "Residential"
    app = press(app, "Previous class")
    assert app.query_params["sheet_class"] == "Forest"


def test_a_look_at_the_sheet_keeps_the_place_in_the_review(home: Home, open_page: Open) -> None:
    app = open_page("review")
    other = next(item["id"] for item in card(app)["items"][2:] if item["class_name"] != "forest")
    app = send(app, {"seq": 1, "id": other, "action": "go"})
    app.switch_page("../pages/sheet.py")
    assert app.run().selectbox(key="sheet_class_selector").value == "Forest"
    app.switch_page("../pages/review.py")
    app = settle(app.run())
    assert card(app)["cursor"] == other


def test_one_selected_description_shows_its_evidence(home: Home, open_page: Open) -> None:
    app = select(open_page("sheet", sheet_class="Forest"), 2)
    text = all_text(app)
    assert "Training images it matches best" in text
    assert "Nearest text of another class" in text
    assert "Similarity &ensp;**" in text
    app = press(app, "Accept 1")  # one description needs no confirmation
    assert len(verdicts(home)) == 1


def test_a_bulk_verdict_names_its_number_and_is_undone_as_one(home: Home, open_page: Open) -> None:
    app = select(open_page("review", view="table"), 0, 1, 2)
    chosen = table(app)["text"].head(3).tolist()
    app = press(app, "Reject 3")
    assert "Reject: 3 descriptions?" in all_text(app)
    assert verdicts(home) == {}
    app.text_input(key=next(field.key for field in app.text_input if field.key.startswith("words_"))).set_value("vague")
    app = press(app, "Reject 3")
    assert verdicts(home) == dict.fromkeys(chosen, "rejected")
    now = current_descriptions(home, get_project(home, NAME).id)
    assert set(now.query("verdict == 'rejected'")["reason"]) == {"vague"}
    assert table(app)["text"].head(3).tolist() == chosen  # the list stays as it was laid out
    app = press(app, "Undo")
    assert verdicts(home) == {}


def test_what_a_colleague_edited_meanwhile_is_not_judged_with_the_rest(home: Home, open_page: Open) -> None:
    app = select(open_page("sheet", sheet_class="Forest"), 0, 1)
    app = press(app, "Accept 2")
    stale = table(app)["text"].iloc[0]
    candidates = current_descriptions(home, get_project(home, NAME).id)
    item = candidates.loc[candidates["text"] == stale, "description_id"].iloc[0]
    record_verdict(by("bob", home), NAME, item, "edit", text="Aerial view of a dark and dense canopy.")
    app = press(app, "Accept 2")
    assert verdicts(home) == {}
    assert "The description was edited meanwhile" in app.error[0].value + str(app.error[0].proto)


def test_a_bulk_verdict_can_be_called_off(home: Home, open_page: Open) -> None:
    app = press(select(open_page("review", view="table"), 0, 1), "Accept 2")
    app = press(app, "Cancel")
    assert "descriptions?" not in all_text(app)
    assert verdicts(home) == {}


def test_the_whole_view_in_one_go(home: Home, open_page: Open) -> None:
    app = open_page("review", view="table", **{"class": "forest"})
    app = settle(app.button_group(key="verdict_scope").set_value("all").run())
    app = press(press(app, f"Accept {TEXTS}"), f"Accept {TEXTS}")
    assert list(verdicts(home).values()) == ["accepted"] * TEXTS


def test_skips_in_bulk_can_be_cleared(home: Home, open_page: Open) -> None:
    app = press(press(select(open_page("review", view="table"), 0, 1), "Skip 2"), "Skip 2")
    assert list(my_sight(home, NAME).mine.values()) == ["skipped"] * 2
    app = open_page("review", view="table", mine="skipped")
    assert len(table(app)) == 2
    app = settle(app.button_group(key="verdict_scope").set_value("all").run())
    app = press(press(app, "Clear verdict 2"), "Clear verdict 2")
    assert set(my_sight(home, NAME).mine.values()) == {"undecided"}
    assert "No description fits" in all_text(open_page("review", view="table", mine="skipped"))


def test_the_selected_description_can_be_edited(home: Home, open_page: Open) -> None:
    app = press(select(open_page("sheet", sheet_class="Forest"), 0), "Edit")
    (wording,) = app.text_area
    before = wording.value
    wording.set_value(f"{before} Seen from above.")
    app = press(app, "Save")
    edited = current_descriptions(home, get_project(home, NAME).id).query("edited")
    assert edited["text"].tolist() == [f"{before} Seen from above."]
    assert edited["original"].tolist() == [before]


def test_an_edit_does_not_override_one_that_came_in_meanwhile_unseen(home: Home, open_page: Open) -> None:
    item = curation_table(home, NAME).table.query("class_key == 'Forest'").sort_values("influence")["description_id"]
    app = press(select(open_page("sheet", sheet_class="Forest"), TEXTS - 1), "Edit")
    app.text_area[0].set_value("Aerial view of pines, mine.")
    record_verdict(by("ana", home), NAME, item.iloc[0], "edit", text="Aerial view of pines, of ana.")
    app = press(app, "Save")
    assert "now reads: “Aerial view of pines, of ana.”" in app.warning[0].value
    assert app.text_area[0].value == "Aerial view of pines, mine."
    assert [entry.reviewer for entry in history(home, NAME, item.iloc[0])] == ["ana"]
    press(app, "Overwrite")
    assert [entry.reviewer for entry in history(home, NAME, item.iloc[0])] == ["ana", "me"]


def test_the_legend_is_a_key_away(home: Home, open_page: Open) -> None:
    app = open_page("sheet")
    assert "Shift for a range" not in all_text(app)
    assert "Shift for a range" in all_text(press(app, "Keys"))


def test_progress_per_class_and_per_person(home: Home, open_page: Open) -> None:
    items = curation_table(home, NAME).table["description_id"].tolist()
    for item in items[:3]:
        record_verdict(by("ana", home), NAME, item, "accept")
    app = open_page("review")
    app.session_state["review_progress"] = True
    app = settle(app.run())
    people = next(frame.value for frame in app.dataframe if "reviewer" in frame.value.columns)
    assert people.to_dict("records") == [{"reviewer": "ana", "accepted": 3, "rejected": 0, "edited": 0, "skipped": 0}]
    classes = next(frame.value for frame in app.dataframe if "judged" in frame.value.columns)
    assert classes["accepted"].sum() == 3
    assert len(classes) == len(CLASSES)


def test_a_blind_review_hides_what_others_said_until_one_has_decided(home: Home, open_page: Open) -> None:
    item = curation_table(home, NAME).table["description_id"].iloc[0]
    record_verdict(by("ana", home), NAME, item, "reject", reason="not from above")
    set_blind(home, NAME, True)
    app = open_page("review", texts=keep_selection(home, get_project(home, NAME).id, [item]))
    text = all_text(app)
    assert "this review is blind" in text
    assert "ana" not in text.split()
    assert "not from above" not in text
    assert not app.selectbox(key="judged_by").options[1:]
    record_verdict(home, NAME, item, "accept")
    text = all_text(open_page("review", texts=keep_selection(home, get_project(home, NAME).id, [item])))
    assert "not from above" in text
    assert len(history(home, NAME, item)) == 2


def test_in_a_blind_review_no_figure_tells_how_much_others_decided(home: Home, open_page: Open) -> None:
    table_before = curation_table(home, NAME).table.query("class_key == 'SeaLake'")
    best = table_before.sort_values("similarity", ascending=False)
    record_verdict(by("ana", home), NAME, best["description_id"].iloc[0], "reject")
    set_blind(home, NAME, True)
    app = open_page("sheet", sheet_class="SeaLake")
    assert table(app)["text"].tolist() == best["text"].tolist()  # what ana rejected has no place of its own
    assert {metric.label for metric in app.metric} == {"Judged"}
    assert FIGURES_HIDDEN in all_text(app)
    app = open_page("review")
    assert FIGURES_HIDDEN in all_text(app)
    assert "undecided texts" not in all_text(app)
    assert "in use" not in str(app.get("progress")[0].proto)


def test_in_a_blind_review_no_filter_rival_or_weight_tells_what_others_decided(home: Home, open_page: Open) -> None:
    before = curation_table(home, NAME)
    mine = before.table.query("class_key == 'Forest' and kept")["description_id"].iloc[0]
    rival = confusable(before, mine)
    assert rival is not None
    others = [item for item in before.table["description_id"] if item != mine]
    record_verdict(home, NAME, mine, "accept")
    alone = curation_table(home, NAME)
    record_verdict(by("ana", home), NAME, rival.description_id, "reject")
    for item in others:
        if item != rival.description_id:
            record_verdict(by("ana", home), NAME, item, "accept")
    set_blind(home, NAME, True)
    text = all_text(open_page("review", texts=keep_selection(home, get_project(home, NAME).id, [mine])))
    assert plain(rival.text) in text
    assert f"(n_eff = {alone.n_eff['Forest']:.1f} texts)" in text


def test_in_a_blind_review_what_is_worth_a_verdict_follows_from_ones_own(home: Home) -> None:
    alone = curation_table(home, NAME)
    for item in alone.table["description_id"]:
        record_verdict(by("ana", home), NAME, item, "accept")
    curation = refresh(home, alone)
    remaining = RemainingValue(review_value(curation), curation, 0.0)
    assert seen_by("me", Sight(False, {}), curation, lambda: remaining).table["settled"].all()
    assert curation.n_eff != alone.n_eff
    blind = Sight(True, {})
    mine = seen_by("me", blind, SharedCuration(curation).through("me", blind, curation), lambda: remaining)
    assert not mine.table["settled"].any()
    assert mine.curation.n_eff == alone.n_eff
    for name in ("decisive", "z", "cut"):
        assert mine.table[name].equals(alone.table[name])


def counted(app: AppTest) -> AppTest:
    """Until the worth of more verdicts is counted; AppTest does not tick `run_every`."""
    for _ in range(100):
        if "Counting what more" not in all_text(app):
            break
        app = settle(app.run())
    return app


def test_the_meter_leads_to_what_could_still_change_a_prediction(home: Home, open_page: Open) -> None:
    value = review_value(curation_table(home, NAME))
    app = counted(open_page("review"))
    assert value.sentence in all_text(app)
    assert value.that_matter > 0
    app = settle(app.button(key="what_matters").click().run())
    assert app.selectbox(key="effect").value == "class not settled"
    assert app.selectbox(key="order").value == "most influence"


def test_the_meter_says_when_one_may_stop(home: Home, open_page: Open) -> None:
    for item in curation_table(home, NAME).table["description_id"]:
        record_verdict(home, NAME, item, "accept")
    app = counted(open_page("review"))
    assert review_value(curation_table(home, NAME)).sentence in all_text(app)
    assert not [button for button in app.button if button.key == "what_matters"]
