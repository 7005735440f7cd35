"""Review: what is shown of a description, and that the browser's queue becomes verdicts, each once."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from app.kit.guard import plain
from avion_core.usecases.curation import history, record_verdict
from avion_core.usecases.curation.agreement import set_blind
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.selections import keep_selection
from avion_core.usecases.projects.summaries import get_project
from tests.acting import by
from tests.app.tiny_home import CLASSES, HOSTILE, NAME, TEXTS
from tests.pages.conftest import Open, all_text, card, components, send, settle


def verdicts(home: Home) -> dict[str, str]:
    table = current_descriptions(home, get_project(home, NAME).id)
    decided = table[table["verdict"] != "undecided"]
    return dict(zip(decided["description_id"], decided["verdict"], strict=True))


def test_without_a_project_the_demo_is_one_button_away(empty_home: Home, open_page: Open) -> None:
    app = open_page("review")
    assert "No project yet" in all_text(app)
    assert app.button[0].label == "Open the demo"


def test_without_descriptions_the_import_is_one_button_away(home: Home, open_page: Open) -> None:
    project = create_project(home, "bare", get_project(home, NAME).image_root)
    app = open_page("review", project=project.id)
    assert "No descriptions yet" in all_text(app)
    settle(app.button(key="go_import").click().run())
    assert app.title[0].value == "Import & export"


def test_one_description_with_its_reasons(home: Home, open_page: Open) -> None:
    app = open_page("review")
    shown = card(app)
    assert shown["total"] == len(CLASSES) * TEXTS
    assert shown["cursor"] == shown["items"][0]["id"]
    text = all_text(app)
    for figure in ("Similarity", "Robust z", "Weight", "Influence"):
        assert f"{figure} &ensp;**" in text
    assert "RS-Flag" in text
    assert "words" in text
    assert "Training images it matches best" in text
    assert len(app.get("image")) >= 2
    assert "0 of 27 judged" in str(app.get("progress")[0].proto)


def test_decisions_of_the_queue_are_written_once(home: Home, open_page: Open) -> None:
    app = open_page("review")
    first, second, third = (item["id"] for item in card(app)["items"][:3])
    queue = [{"seq": 11, "id": first, "action": "accept"}, {"seq": 12, "id": second, "action": "reject"}]
    app = send(app, *queue)
    assert verdicts(home) == {first: "accepted", second: "rejected"}
    assert (card(app)["cursor"], card(app)["taken"]) == (third, 12)

    app = send(app, *queue)  # the card sends its queue again until it hears that it was taken
    assert len(history(home, NAME, first)) == 1
    assert card(app)["cursor"] == third


def test_decisions_that_outlast_their_session_are_written_on_whichever_page_opens(home: Home, open_page: Open) -> None:
    first, second = current_descriptions(home, get_project(home, NAME).id)["description_id"][:2]
    app = open_page("journal")  # a fresh session: no review was laid out in it
    app = send(app, {"seq": 11, "id": first, "action": "accept"}, {"seq": 12, "id": second, "action": "reject"})
    assert verdicts(home) == {first: "accepted", second: "rejected"}
    assert [told["taken"] for told in components(app) if "taken" in told] == [12]
    app = send(app, {"seq": 13, "id": "", "action": "undo"})
    assert verdicts(home) == {first: "accepted"}


def test_a_decision_counts_in_the_project_it_was_made_in(home: Home, open_page: Open) -> None:
    first = get_project(home, NAME)
    other = create_project(home, "other", first.image_root, teacher="demo-teacher", student="demo-student")
    import_descriptions(home, other.id, first.image_root.parent / "texts.jsonl", writer="tests")
    app = open_page("review", project=first.id)
    (item,) = (entry["id"] for entry in card(app)["items"][:1])
    app = settle(app.selectbox(key="project_selector").select(other.id).run())
    cursor = card(app)["cursor"]
    app = send(app, {"seq": 1, "id": item, "action": "accept", "project": first.id})
    assert verdicts(home) == {item: "accepted"}
    assert (card(app)["cursor"], card(app)["taken"], card(app)["project"]) == (cursor, 1, other.id)
    assert set(current_descriptions(home, other.id)["verdict"]) == {"undecided"}


def test_a_decision_of_somebody_else_is_told_and_not_written(home: Home, open_page: Open) -> None:
    app = open_page("review")
    first, second = (item["id"] for item in card(app)["items"][:2])
    ana = {"seq": 1, "id": first, "action": "accept", "reviewer": "ana"}
    app = send(app, ana, {"seq": 2, "id": second, "action": "accept"})
    assert "not written down under your name" in all_text(app)
    assert verdicts(home) == {second: "accepted"}


def test_the_order_stays_while_verdicts_come_in(home: Home, open_page: Open) -> None:
    app = open_page("review")
    order = [item["id"] for item in card(app)["items"]]
    app = send(app, {"seq": 1, "id": order[0], "action": "reject"})
    assert [item["id"] for item in card(app)["items"]] == order


def test_undo_takes_back_and_returns(home: Home, open_page: Open) -> None:
    app = open_page("review")
    first, second = (item["id"] for item in card(app)["items"][:2])
    send(app, {"seq": 1, "id": first, "action": "accept"}, {"seq": 2, "id": second, "action": "accept"})
    app = send(app, {"seq": 3, "id": "", "action": "undo"})
    assert verdicts(home) == {first: "accepted"}
    assert card(app)["cursor"] == second
    app = send(app, {"seq": 4, "id": "", "action": "undo"})
    assert verdicts(home) == {}
    assert card(app)["cursor"] == first


def test_an_edit_keeps_the_original_and_stays_for_a_verdict(home: Home, open_page: Open) -> None:
    app = open_page("review")
    item = card(app)["items"][0]
    edited = "Aerial view of a dark and dense canopy without a single road."
    app = send(app, {"seq": 1, "id": item["id"], "action": "edit", "text": edited})
    shown = next(entry for entry in card(app)["items"] if entry["id"] == item["id"])
    assert (shown["text"], shown["verdict"]) == (edited, "undecided")
    kept_and_gone = " ".join(words for kind, words in shown["changes"] if kind != "new")
    assert kept_and_gone == " ".join(item["text"].split())
    assert shown["hits"][0] == [0, len("Aerial view"), "positive"]
    assert card(app)["cursor"] == item["id"]
    assert "edited it" in all_text(app)


def test_a_text_that_a_colleague_edited_meanwhile_is_shown_again_and_not_judged(home: Home, open_page: Open) -> None:
    app = open_page("review")
    item = card(app)["items"][0]
    edited = "Aerial view of a dark and dense canopy without a single road."
    record_verdict(by("bob", home), NAME, item["id"], "edit", text=edited)
    judged = {"seq": 1, "id": item["id"], "action": "accept", "shown": item["text"]}
    app = send(app, judged)
    assert verdicts(home) == {}
    assert [entry.verdict for entry in history(home, NAME, item["id"])] == ["edit"]
    assert (card(app)["cursor"], card(app)["taken"], card(app)["items"][0]["text"]) == (item["id"], 1, edited)
    assert "The description was edited meanwhile" in app.toast[0].value
    send(app, judged | {"seq": 2, "shown": edited})
    assert verdicts(home) == {item["id"]: "accepted"}


def test_an_edit_of_what_a_colleague_edited_meanwhile_keeps_the_typed_words(home: Home, open_page: Open) -> None:
    app = open_page("review")
    item = card(app)["items"][0]
    theirs, mine = "Aerial view of a dark canopy without a road.", "Aerial view of *my* canopy with a road."
    record_verdict(by("bob", home), NAME, item["id"], "edit", text=theirs)
    app = send(app, {"seq": 1, "id": item["id"], "action": "edit", "shown": item["text"], "text": mine})
    assert [entry.text for entry in history(home, NAME, item["id"])] == [theirs]
    assert card(app)["items"][0]["text"] == theirs
    assert plain(f"You wrote: {mine}") in app.toast[0].value


def test_skip_and_arrows_decide_nothing(home: Home, open_page: Open) -> None:
    app = open_page("review")
    first, second, third = (item["id"] for item in card(app)["items"][:3])
    app = send(app, {"seq": 1, "id": first, "action": "skip"})
    assert card(app)["cursor"] == second
    app = send(app, {"seq": 2, "id": third, "action": "go"})
    assert card(app)["cursor"] == third
    assert verdicts(home) == {}


def test_a_text_with_markup_reaches_the_page_as_plain_data(home: Home, open_page: Open) -> None:
    app = open_page("review", words="onerror")
    (item,) = card(app)["items"]
    assert item["text"] == HOSTILE
    assert item["text"][slice(*item["hits"][0][:2])] == "Aerial view"
    assert "onerror" not in all_text(app)


def test_filters_live_in_the_address(home: Home, open_page: Open) -> None:
    app = open_page("review", **{"class": "forest"})
    assert {item["class_name"] for item in card(app)["items"]} == {"forest"}
    assert app.selectbox(key="class").value == "Forest"
    assert card(app)["total"] == TEXTS
    app = settle(app.selectbox(key="class").select("SeaLake").run())
    assert {item["class_name"] for item in card(app)["items"]} == {"sea or lake"}


def test_a_reviewer_finds_what_they_judged_whoever_decided_after_them(home: Home, open_page: Open) -> None:
    first, second, third = current_descriptions(home, get_project(home, NAME).id)["description_id"][:3]
    for item, reviewer in [(first, "ana"), (first, "bob"), (second, "bob"), (third, "ana")]:
        record_verdict(by(reviewer, home), NAME, item, "accept")
    record_verdict(by("ana", home), NAME, third, "undecide")
    app = open_page("review", judged_by="ana")
    assert [item["id"] for item in card(app)["items"]] == [first]
    assert app.selectbox(key="judged_by").options == ["all", "ana", "bob"]


def test_in_a_blind_review_one_finds_ones_own_verdicts_alone(home: Home, open_page: Open) -> None:
    first, second = current_descriptions(home, get_project(home, NAME).id)["description_id"][:2]
    for item, reviewer in [(first, "me"), (first, "ana"), (second, "ana")]:
        record_verdict(by(reviewer, home), NAME, item, "accept")
    set_blind(home, NAME, True)
    app = open_page("review", judged_by="me")
    assert [item["id"] for item in card(app)["items"]] == [first]
    assert app.selectbox(key="judged_by").options == ["all", "me"]


def test_a_long_list_that_was_sent_outlasts_a_refresh(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    sent = current_descriptions(home, project.id)["description_id"].tolist()[:5] + ["gone"] * 60
    app = open_page("review", texts=keep_selection(home, project.id, sent))
    assert card(app)["total"] == 5
    app = open_page("review", texts=app.query_params["texts"])
    assert card(app)["total"] == 5
    app = settle(app.button(key="show_all").click().run())
    assert card(app)["total"] == len(CLASSES) * TEXTS
    assert "texts" not in app.query_params


def test_a_list_that_is_gone_is_told_of_and_shows_nothing_else(home: Home, open_page: Open) -> None:
    app = open_page("review", texts="0123456789abcdef")
    assert "This list no longer exists" in all_text(app)
    assert [told for told in components(app) if "items" in told] == []
    app = settle(app.button(key="show_all").click().run())
    assert card(app)["total"] == len(CLASSES) * TEXTS


def test_filters_that_nothing_fits_can_be_cleared(home: Home, open_page: Open) -> None:
    app = open_page("review", words="zebra crossing")
    assert "No description fits these filters" in all_text(app)
    app = settle(next(button for button in app.button if button.label == "Clear the filters").click().run())
    assert card(app)["total"] == len(CLASSES) * TEXTS


def test_the_end_of_the_list_is_no_dead_end(home: Home, open_page: Open) -> None:
    app = open_page("review", **{"class": "forest"})
    items = [item["id"] for item in card(app)["items"]]
    app = send(app, *({"seq": place, "id": item, "action": "accept"} for place, item in enumerate(items, 1)))
    assert card(app)["cursor"] == ""
    assert card(app)["items"][-1]["id"] == items[-1]
    assert len(verdicts(home)) == TEXTS
    app = send(app, {"seq": 100, "id": "", "action": "undo"})
    assert card(app)["cursor"] == items[-1]


def test_a_verdict_goes_on_to_the_next_text_that_waits(home: Home, open_page: Open) -> None:
    first, second, third, fourth = (item["id"] for item in card(open_page("review"))["items"][:4])
    record_verdict(by("bob", home), NAME, second, "accept")
    record_verdict(home, NAME, third, "skip")
    app = open_page("review")
    waits = {item["id"]: item["waits"] for item in card(app)["items"]}
    assert (waits[second], waits[third], waits[fourth]) == (False, False, True)
    app = send(app, {"seq": 1, "id": first, "action": "accept"})
    assert card(app)["cursor"] == fourth
    assert card(app)["more"] is False


def test_behind_the_last_text_those_that_were_passed_over_come_again(home: Home, open_page: Open) -> None:
    app = open_page("review", **{"class": "forest"})
    items = [item["id"] for item in card(app)["items"]]
    app = send(app, {"seq": 1, "id": items[-1], "action": "go"})
    app = send(app, {"seq": 2, "id": items[-1], "action": "accept"})
    assert card(app)["cursor"] == items[0]


def test_in_a_list_of_others_verdicts_what_waits_is_ones_own(home: Home, open_page: Open) -> None:
    first, second, third = current_descriptions(home, get_project(home, NAME).id)["description_id"][:3]
    for item in (first, second, third):
        record_verdict(by("bob", home), NAME, item, "accept")
    record_verdict(home, NAME, second, "accept")
    app = open_page("review", verdict="accepted")
    shown = card(app)
    assert {item["id"] for item in shown["items"] if item["waits"]} == {first, third}
    assert {item["by"] for item in shown["items"] if item["id"] != second} == {"bob"}
    app = send(app, {"seq": 1, "id": shown["cursor"], "action": "accept"})
    assert {shown["cursor"], card(app)["cursor"]} == {first, third}


def test_a_list_of_ones_own_verdicts_is_walked_through_text_by_text(home: Home, open_page: Open) -> None:
    first, second = current_descriptions(home, get_project(home, NAME).id)["description_id"][:2]
    for item in (first, second):
        record_verdict(home, NAME, item, "accept")
    app = open_page("review", mine="accepted")
    start = card(app)["cursor"]
    app = send(app, {"seq": 1, "id": start, "action": "reject"})
    assert {start, card(app)["cursor"]} == {first, second}


def test_a_verdict_over_one_that_was_not_seen_says_so(home: Home, open_page: Open) -> None:
    app = open_page("review")
    shown = card(app)
    first, second = (item["id"] for item in shown["items"][:2])
    record_verdict(by("bob", home), NAME, first, "accept")
    known = {"known": shown["read_up_to"]}
    app = send(app, {"seq": 1, "id": first, "action": "reject", **known})
    assert "judged meanwhile (bob accepted)" in app.toast[0].value
    record_verdict(home, NAME, second, "accept", token="othertab-1")
    app = send(app, {"seq": 2, "id": second, "action": "reject", "known": card(app)["read_up_to"] - 1})
    assert "you accepted in another tab" in app.toast[0].value
    app = send(app, {"seq": 3, "id": second, "action": "accept", "known": 0, "token": "tab-3"})
    assert "you accepted in another tab" in app.toast[0].value


def test_a_verdict_of_the_same_tab_is_no_news_to_it(home: Home, open_page: Open) -> None:
    app = open_page("review")
    first = card(app)["items"][0]["id"]
    both = [{"seq": 1, "id": first, "action": "accept"}, {"seq": 2, "id": first, "action": "reject"}]
    app = send(app, *({**one, "known": 0} for one in both))
    assert not app.toast


def test_in_a_blind_review_no_word_of_others_verdicts_is_said(home: Home, open_page: Open) -> None:
    set_blind(home, NAME, True)
    app = open_page("review")
    shown = card(app)
    first = shown["items"][0]["id"]
    record_verdict(by("bob", home), NAME, first, "accept")
    app = send(app, {"seq": 1, "id": first, "action": "reject", "known": shown["read_up_to"]})
    assert not app.toast


def test_a_bulk_verdict_names_how_many_were_judged_already_and_by_whom(home: Home, open_page: Open) -> None:
    first, second, third = current_descriptions(home, get_project(home, NAME).id)["description_id"][:3]
    record_verdict(by("bob", home), NAME, first, "accept")
    record_verdict(by("bob", home), NAME, second, "reject")
    record_verdict(home, NAME, third, "accept")
    app = open_page("review", view="table")
    app.session_state["verdict_scope"] = "all"
    app = settle(app.run())
    app = settle(app.button(key="bulk_reject").click().run())
    (warning,) = app.warning
    assert plain("3 of them were judged already: 2 accepted, 1 rejected; by bob 2, you 1.") in warning.value
    assert "2 would get another verdict from you." in warning.value
    app = settle(app.button(key="bulk_others").click().run())
    everything = len(CLASSES) * TEXTS
    found = verdicts(home)
    assert (found[first], found[second], found[third]) == ("accepted", "rejected", "accepted")
    assert sum(verdict == "rejected" for verdict in found.values()) == everything - 2


def test_one_text_judged_otherwise_is_asked_about_in_the_table(home: Home, open_page: Open) -> None:
    app = open_page("review", view="table")
    first = card_less_first(app)
    record_verdict(home, NAME, first, "accept")
    app = open_page("review", view="table")
    app.session_state[f"descriptions_{app.session_state['_selection_name']}"] = {"selection": {"rows": [0]}}
    app = settle(app.run())
    app = settle(app.button(key="bulk_reject").click().run())
    assert verdicts(home) == {first: "accepted"}
    assert plain("It was judged already: 1 accepted; by you 1.") in app.warning[0].value
    app = settle(app.button(key="bulk_confirm").click().run())
    assert verdicts(home) == {first: "rejected"}


def card_less_first(app: AppTest) -> str:
    """The first description of the table: the card is not drawn beside it."""
    return app.session_state["_review_list"].order[0]
