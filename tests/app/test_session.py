"""The review's place, and which project or run is the chosen one."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from app.state.work_list import ReviewDesk


def test_the_desk_walks_its_list() -> None:
    desk = ReviewDesk("p", ("all",), ["a", "b", "c"])
    assert (desk.cursor, desk.place) == ("a", 0)
    assert [desk.after(item) for item in "abc"] == ["b", "c", ""]


def test_a_cursor_that_left_the_list_starts_over() -> None:
    assert ReviewDesk("p", ("all",), ["a", "b"], cursor="gone").cursor == "a"
    empty = ReviewDesk("p", ("all",), [])
    assert (empty.cursor, empty.place) == ("", 0)


def test_after_the_last_text_the_place_is_behind_the_list() -> None:
    desk = ReviewDesk("p", ("all",), ["a", "b"])
    desk.cursor = desk.after("b")
    assert desk.place == 2


def _selector() -> None:
    import streamlit as st

    from app.state import session

    known = ["p1", "p2", "p3"]
    st.selectbox(
        "Project",
        known,
        key=session.selector(session.PROJECT, known),
        on_change=session.take_selected,
        args=(session.PROJECT,),
    )
    if st.button("Choose p3"):
        session.choose(session.PROJECT, "p3")
        st.rerun()


def test_the_address_chooses_the_project_and_follows_it() -> None:
    app = AppTest.from_function(_selector)
    app.query_params["project"] = "p2"
    app.run()
    assert app.selectbox[0].value == "p2"
    app.selectbox[0].select("p1").run()
    assert app.query_params["project"] == "p1"
    app.button[0].click().run()
    assert (app.selectbox[0].value, app.query_params["project"]) == ("p3", "p3")


def test_a_project_that_is_gone_gives_way_to_the_first() -> None:
    app = AppTest.from_function(_selector)
    app.query_params["project"] = "deleted"
    app.run()
    assert (app.selectbox[0].value, app.query_params["project"]) == ("p1", "p1")


def _desk() -> None:
    import streamlit as st

    from app.state import session

    signature = tuple(st.session_state["signature"])
    desk = session.review_desk(session.REVIEW_CARD, "p", signature, lambda: (st.session_state["order"], "b"))
    outbox = session.outbox()
    for entry in outbox.waiting():
        outbox.taken = entry["seq"]
    st.text(f"{desk.cursor} {outbox.taken} {len(outbox.waiting())}")


def test_the_queue_is_taken_once_and_in_order() -> None:
    app = AppTest.from_function(_desk)
    app.session_state["signature"], app.session_state["order"] = ["all"], ["a", "b", "c"]
    app.session_state["outbox"] = {"queue": [{"seq": 9}, {"seq": 7}]}
    assert app.run().text[0].value == "b 9 0"
    app.session_state["outbox"] = {"queue": [{"seq": 9}, {"seq": 12}]}
    assert app.run().text[0].value == "b 12 0"


def test_other_filters_keep_the_text_and_what_was_taken() -> None:
    app = AppTest.from_function(_desk)
    app.session_state["signature"], app.session_state["order"] = ["all"], ["a", "b", "c"]
    app.session_state["outbox"] = {"queue": [{"seq": 5}]}
    app.run()
    app.session_state["signature"], app.session_state["order"] = ["flagged"], ["c", "b"]
    assert app.run().text[0].value == "b 5 0"
