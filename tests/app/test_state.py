"""The review's place, and which project or run is the chosen one."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from app.state.work_lists import WorkList


def test_the_desk_walks_its_list() -> None:
    work_list = WorkList("p", ("all",), ["a", "b", "c"])
    assert (work_list.cursor, work_list.place) == ("a", 0)
    assert [work_list.next_open(item) for item in "abc"] == ["b", "c", ""]


def test_a_cursor_that_left_the_list_starts_over() -> None:
    assert WorkList("p", ("all",), ["a", "b"], cursor="gone").cursor == "a"
    empty = WorkList("p", ("all",), [])
    assert (empty.cursor, empty.place) == ("", 0)


def test_after_the_last_text_the_place_is_behind_the_list() -> None:
    work_list = WorkList("p", ("all",), ["a", "b"])
    work_list.cursor = work_list.next_open("b")
    assert work_list.place == 2


def _selector() -> None:
    import streamlit as st

    from app.state import address

    known = ["p1", "p2", "p3"]
    st.selectbox(
        "Project",
        known,
        key=address.selector(address.PROJECT, known),
        on_change=address.take_selected,
        args=(address.PROJECT,),
    )
    if st.button("Choose p3"):
        address.choose(address.PROJECT, "p3")
        st.rerun()


def test_the_address_chooses_the_project_and_follows_it() -> None:
    app = AppTest.from_function(_selector, default_timeout=60)
    app.query_params["project"] = "p2"
    app.run()
    assert app.selectbox[0].value == "p2"
    app.selectbox[0].select("p1").run()
    assert app.query_params["project"] == "p1"
    app.button[0].click().run()
    assert (app.selectbox[0].value, app.query_params["project"]) == ("p3", "p3")


def test_a_project_that_is_gone_gives_way_to_the_first() -> None:
    app = AppTest.from_function(_selector, default_timeout=60)
    app.query_params["project"] = "deleted"
    app.run()
    assert (app.selectbox[0].value, app.query_params["project"]) == ("p1", "p1")


def _walk() -> None:
    import streamlit as st

    from app.state import outbox, work_lists

    signature = tuple(st.session_state["signature"])
    work_list = work_lists.filtered(work_lists.REVIEW_CARD, "p", signature, lambda: (st.session_state["order"], "b"))
    taken = outbox.of_this_tab()
    for entry in taken.waiting():
        taken.taken = entry["seq"]
    st.text(f"{work_list.cursor} {taken.taken} {len(taken.waiting())}")


def test_the_queue_is_taken_once_and_in_order() -> None:
    app = AppTest.from_function(_walk, default_timeout=60)
    app.session_state["signature"], app.session_state["order"] = ["all"], ["a", "b", "c"]
    app.session_state["outbox"] = {"queue": [{"seq": 9}, {"seq": 7}]}
    assert app.run().text[0].value == "b 9 0"
    app.session_state["outbox"] = {"queue": [{"seq": 9}, {"seq": 12}]}
    assert app.run().text[0].value == "b 12 0"


def test_other_filters_keep_the_text_and_what_was_taken() -> None:
    app = AppTest.from_function(_walk, default_timeout=60)
    app.session_state["signature"], app.session_state["order"] = ["all"], ["a", "b", "c"]
    app.session_state["outbox"] = {"queue": [{"seq": 5}]}
    app.run()
    app.session_state["signature"], app.session_state["order"] = ["flagged"], ["c", "b"]
    assert app.run().text[0].value == "b 5 0"
