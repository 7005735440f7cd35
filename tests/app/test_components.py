"""Parts that pages are put together from."""

from __future__ import annotations

import io
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.components.review.filters import uncertainty
from app.components.review.review_card import card_item
from app.components.runs.settings_form import label, limits
from app.kit import charts, palette
from app.kit.background import Work, duration
from app.kit.gallery import thumbnail
from avion_core.config import DistillationConfig, PrototypesConfig
from avion_core.data.recipe import RenderingRecipe

ROOT = Path(__file__).parents[2]


def test_one_palette_for_theme_and_plots() -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    assert theme["chartCategoricalColors"] == list(palette.CATEGORICAL)


def test_sixty_four_classes_differ_in_colour_or_shape() -> None:
    names = [f"class {number:02d}" for number in range(64)]
    colours, symbols = palette.colours(names), palette.symbols(names)
    assert len({(colours[name], symbols[name]) for name in names}) == 64
    assert palette.colours(names[::-1]) == colours


def _pressed_in_a_fragment_while_the_page_ends() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    from app.kit.guard import end_page

    context = get_script_run_ctx()
    assert context is not None

    @st.fragment
    def part() -> None:
        st.session_state["drawn"] = st.session_state.get("drawn", 0) + 1

    part()
    (fragment,) = context.shared.new_fragment_ids.snapshot()
    pressed = RerunData(page_script_hash=context.page_script_hash, fragment_id=fragment)
    assert context.script_requests is not None
    context.script_requests.request_rerun(pressed)
    end_page()


def test_a_page_that_ends_early_drops_nothing_that_was_pressed() -> None:
    app = AppTest.from_function(_pressed_in_a_fragment_while_the_page_ends, default_timeout=60).run()
    assert not app.exception
    assert app.session_state["drawn"] == 2


def test_limits_come_from_the_settings() -> None:
    assert limits(DistillationConfig.model_fields["epochs"]) == (1, 10000)
    low, high = limits(PrototypesConfig.model_fields["zeta"])
    assert low is not None
    assert 0 < low < 1e-3
    assert high == 100


def test_labels_are_words() -> None:
    assert label("distillation.learning_rate") == "Learning rate"
    assert label("protocol.name") == "Protocol"


def _form() -> None:
    import streamlit as st

    from app.components.runs.settings_form import settings_form
    from avion_core.config import RunConfig

    st.json(settings_form(RunConfig(), key="form"))


def test_the_form_returns_only_what_was_changed() -> None:
    app = AppTest.from_function(_form, default_timeout=60).run()
    assert app.json[0].value == "{}"
    app.number_input(key="form:data.shots").set_value(4)
    app.toggle(key="form:distillation.augment").set_value(True)
    app.run()
    assert app.json[0].value == '{"data.shots": 4, "distillation.augment": true}'


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (42, "42 s"), (61, "1 min"), (3600, "1 h 0 min"), (5000, "1 h 23 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_time_left_follows_the_pace() -> None:
    work = Work("Working", started=time.monotonic() - 10)
    assert work.remaining_seconds is None
    work.progress(25, 100, "images")
    assert work.remaining_seconds == pytest.approx(30, abs=1)


def _work(outcome: str) -> None:
    import streamlit as st

    from app.kit.background import computed
    from app.kit.guard import guard
    from avion_core.errors import DataError

    def call(progress):
        progress(1, 2, "half")
        if outcome == "late":
            raise TimeoutError("the server does not answer")
        if outcome == "error":
            raise DataError("the file *is* gone", "Put it back.", value="a_b.png")
        return "done"

    with guard():
        st.text(computed("key", "Working", call))


@pytest.fixture
def fresh_caches():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.mark.usefixtures("fresh_caches")
def test_background_work_gives_its_result() -> None:
    assert AppTest.from_function(_work, default_timeout=60, args=("result",)).run().text[0].value == "done"


def _kinds_of_work(keys: list[str]) -> None:
    import streamlit as st

    from app.kit.background import computed

    made = []
    for key in keys:
        computed(key, "Working", lambda _, key=key: made.append(key), most=2)
    st.text(" ".join(made))


@pytest.mark.usefixtures("fresh_caches")
def test_of_one_kind_of_work_no_more_is_kept_than_asked_for() -> None:
    keys = ["curation:1", "curation:2", "map:1", "curation:1", "curation:3", "curation:1", "map:1", "curation:2"]
    app = AppTest.from_function(_kinds_of_work, default_timeout=60, args=(keys,)).run()
    assert app.text[0].value == "curation:1 curation:2 map:1 curation:3 curation:2"


@pytest.mark.usefixtures("fresh_caches")
def test_background_errors_are_sentences_and_are_tried_again() -> None:
    app = AppTest.from_function(_work, default_timeout=60, args=("error",)).run()
    assert app.error[0].value == r"Put it back."
    assert not app.exception
    retried = AppTest.from_function(_work, default_timeout=60, args=("result",)).run()
    assert retried.text[0].value == "done"


@pytest.mark.usefixtures("fresh_caches")
def test_work_that_timed_out_itself_is_no_work_that_goes_on() -> None:
    app = AppTest.from_function(_work, default_timeout=60, args=("late",)).run()
    assert app.exception  # told, not shown as work under way for ever
    assert AppTest.from_function(_work, default_timeout=60, args=("result",)).run().text[0].value == "done"


def test_markup_in_a_message_stays_text() -> None:
    def page() -> None:
        from app.kit.guard import show_error
        from avion_core.errors import DataError

        show_error(DataError("no such folder", "Look into [here](http://x) or $HOME.", value="*"))

    app = AppTest.from_function(page, default_timeout=60).run()
    assert app.error[0].value == r"Look into \[here\](http\://x) or \$HOME."


def row(**changes) -> dict:
    return {
        "description_id": "d1",
        "text": "Aerial view",
        "original": "Aerial view",
        "edited": False,
        "verdict": "undecided",
        "mine": "",
        "reviewer": "",
        "conflict": False,
        "writer": "me",
        "hits": [],
        **changes,
    }


def test_overlapping_terms_are_marked_once() -> None:
    hits = [
        {"start": 7, "end": 11, "kind": "negative", "term": "view"},
        {"start": 0, "end": 11, "kind": "positive", "term": "aerial view"},
    ]
    item = card_item(row(hits=hits), place=3, class_name="forest", waits=True)
    assert item["hits"] == [[0, 11, "positive"]]
    assert (item["place"], item["changes"]) == (3, None)


def test_an_edit_is_shown_word_by_word() -> None:
    before, after = "Aerial view of a wide beach", "Aerial photo of a beach at low tide"
    item = card_item(row(original=before, text=after, edited=True), place=0, class_name="beach", waits=False)
    assert item["changes"] == [
        ("same", "Aerial"),
        ("gone", "view"),
        ("new", "photo"),
        ("same", "of a"),
        ("gone", "wide"),
        ("same", "beach"),
        ("new", "at low tide"),
    ]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, ""),
        ({"verdict": "accepted", "mine": "accepted", "reviewer": "ana"}, ""),
        ({"verdict": "accepted", "reviewer": "ana"}, "by ana"),
        ({"conflict": True, "reviewer": "ana"}, "reviewers disagree"),
        ({"edited": True, "reviewer": "ana"}, "edited by ana"),
    ],
)
def test_the_card_says_whose_verdict_it_shows(changes: dict, note: str) -> None:
    assert card_item(row(**changes), place=0, class_name="forest", waits=True)["note"] == note


def test_the_least_certain_text_is_near_the_cut_or_at_odds_with_its_flag() -> None:
    table = pd.DataFrame({"past_cut": [-3.0, -0.1, 6.0, -0.1, -np.inf], "at_odds": [False, False, False, True, True]})
    order = uncertainty(table).sort_values().index.tolist()
    assert order == [3, 1, 0, 2, 4]


def scores() -> pd.DataFrame:
    similarity = np.linspace(0.1, 0.4, 10)
    return pd.DataFrame(
        {
            "description_id": [f"d{number}" for number in range(10)],
            "text": "Aerial view",
            "similarity": similarity,
            "kept": similarity > 0.15,
            "median": 0.25,
            "mad": 0.05,
            "cut": 0.15,
        }
    )


def test_the_histogram_has_every_text_the_median_and_the_cut() -> None:
    figure = charts.histogram(scores(), (0.15, float("inf")))
    assert sum(len(trace.x) for trace in figure.data if trace.type == "histogram") == 10
    lines = [shape.x0 for shape in figure.layout.shapes if shape.type == "line"]
    assert lines == [0.25, 0.15]
    two_sided = charts.histogram(scores(), (0.15, 0.35))
    assert [shape.x0 for shape in two_sided.layout.shapes if shape.type == "line"] == [0.25, 0.15, 0.35]


def test_nothing_is_drawn_where_nothing_can_be_cut() -> None:
    table = scores().assign(cut=float("-inf"), median=float("nan"))
    assert not charts.histogram(table, (float("-inf"), float("inf"))).layout.shapes


def test_thumbnails(tmp_path: Path) -> None:
    Image.new("RGB", (600, 300), "green").save(tmp_path / "large.png")
    Image.new("RGB", (64, 64), "green").save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    recipe = RenderingRecipe()
    sizes = {}
    for name in ("large", "small"):
        picture = thumbnail(str(tmp_path / f"{name}.png"), recipe)
        assert picture is not None
        with Image.open(io.BytesIO(picture)) as shown:
            sizes[name] = shown.size
    assert sizes == {"large": (224, 112), "small": (128, 128)}
    assert thumbnail(str(tmp_path / "broken.png"), recipe) is None


def _cancelled_work() -> None:
    import time

    import streamlit as st

    from app.kit.background import cancel, computed, under_way

    again = "again" in st.session_state

    def call(progress):
        if again:
            return "done"
        for place in range(6000):
            progress(place, 6000, "images")
            time.sleep(0.01)
        return "never cancelled"

    for work in [] if again else under_way():
        cancel(work)
    st.text(computed("key", "Working", call))


@pytest.mark.usefixtures("fresh_caches")
def test_cancelled_work_ends_and_begins_again_only_when_it_is_asked_for() -> None:
    app = AppTest.from_function(_cancelled_work, default_timeout=60).run()
    assert [button.label for button in app.button] == ["Cancel"]
    for _ in range(50):
        app.run()
        if [button.label for button in app.button] == ["Start again"]:
            break
    assert "This page needs it: working." in [text.value for text in app.markdown]
    assert [button.label for button in app.run().button] == ["Start again"]
    app.session_state["again"] = True
    assert app.button[0].click().run().text[0].value == "done"
