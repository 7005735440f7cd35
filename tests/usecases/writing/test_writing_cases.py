from __future__ import annotations

import json
import threading

import pytest

from avion_core.errors import AvionError, ConfigError, DescriptionError, NotFoundError
from avion_core.store.database import reading, writing
from avion_core.store.tables import Description, Generation, Reply
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.projects.classes import rename_class
from avion_core.usecases.writing import generations, ordering
from avion_core.usecases.writing.confusable_classes import confusable_classes
from tests import tiny_studio
from tests.descriptions.writers.loopback import KEY, Say, loopback, written
from tests.usecases.writing.ordered import have_written, settings


def test_everything_about_a_reply_is_kept(home, project):
    with loopback() as server:
        view = have_written(home, server, model="some-model", price_in=1.0, price_out=10.0)
    assert (view.state, view.written, view.classes_done) == ("finished", 12, 3)
    assert view.cost == pytest.approx(3 * (400 + 1200) / 1e6)
    assert view.served == ("some-model-served",)
    with reading(home.engine) as session:
        replies = session.query(Reply).all()
        descriptions = session.query(Description).all()
    assert len(replies) == 3
    for reply in replies:
        assert (reply.model, reply.tokens_in, reply.tokens_out, reply.got) == ("some-model-served", 400, 120, 4)
        assert json.loads(reply.raw)["descriptions"]
        assert json.loads(reply.data)["count"] == 4
    assert {description.reply_id for description in descriptions} == {reply.id for reply in replies}
    assert {(d.writer, d.model) for d in descriptions} == {("gemini", "some-model")}
    assert all(d.prompt_version.startswith("remote-sensing@") and d.written_at for d in descriptions)


def test_asking_again_tops_up(home, project):
    with loopback() as server:
        have_written(home, server)
        assert have_written(home, server).written == 0
        assert len(server.asks) == 3
        assert have_written(home, server, per_class=6).written == 6
        assert [ask.data["count"] for ask in server.asks[3:]] == [2, 2, 2]


def test_what_a_model_is_asked_does_not_tell_who_was_asked_before(home, project):
    def script(ask):
        # Models of one mind on the first two of four texts.
        known = ask.data.get("already_written", ())
        texts = ["Pale roofs in rows.", "Dark water at the edge.", *(f"{ask.model} text {n}." for n in range(9))]
        return Say(json.dumps([text for text in texts if text not in known][: ask.data["count"]]))

    with loopback(script) as server:
        have_written(home, server, model="one", classes=("beach",))
        view = have_written(home, server, model="another", classes=("beach",))
    first, second, third = server.asks
    assert first.data == second.data
    # A project holds each text of a class once: the same words stay with whoever wrote them first, and more are asked.
    assert view.table["dropped"].tolist() == [{"another writer's text": 2}]
    assert third.data["count"] == 2
    assert set(third.data["already_written"]) == {
        *("Pale roofs in rows.", "Dark water at the edge."),
        *("another text 0.", "another text 1."),
    }
    assert view.written == 4


def test_one_class_fails_and_is_asked_again(home, project):
    failing = True

    def script(ask):
        return Say(status=400) if failing and ask.name == "forest" else written(ask)

    with loopback(script) as server:
        view = have_written(home, server)
        assert view.written == 8
        problem = view.table.set_index("class_key").at["forest", "problem"]
        assert "rejects the request: 400" in problem  # type: ignore[operator]
        failing = False
        assert have_written(home, server, classes=("forest",)).written == 4


def test_what_lacks_is_what_the_project_does_not_hold(home, project):
    cut_off = True

    def script(ask):
        return Say(written(ask).text, cut_off=True) if cut_off else written(ask)

    with loopback(script) as server:
        have_written(home, server, per_class=3)
        # Each class has three; the one that came now ended in trouble, and all the same makes it four.
        assert have_written(home, server, per_class=4).lacking == ()
        view = have_written(home, server, per_class=4, model="another")
        assert view.table["problem"].all()
        assert view.lacking == ()


def test_what_was_left_out_is_shown(home, project):
    texts = ["", "Boats.", "Boats!", *[f"Roofs number {number}." for number in range(9)]]
    with loopback(lambda ask: Say(json.dumps(texts))) as server:
        view = have_written(home, server, classes=("beach",))
    assert view.table["dropped"].tolist() == [{"empty": 1, "repeated": 1, "more than asked for": 6}]


def test_a_plan_knows_what_is_there_and_what_it_took(home, project):
    with loopback() as server:
        before = ordering.plan_writing(home, "scenes", settings(server)).estimate
        assert (before.classes, before.descriptions, before.tokens_out) == (3, 12, 12 * 80)
        have_written(home, server)
        nothing = ordering.plan_writing(home, "scenes", settings(server)).estimate
        assert (nothing.descriptions, nothing.requests, nothing.tokens_in) == (0, 0, 0)
        chosen = settings(server, per_class=8, price_in=0.0, price_out=1.0)
        more = ordering.plan_writing(home, "scenes", chosen).estimate
    assert more.descriptions == 12
    assert more.tokens_out == 12 * 360 / 12  # as measured: 3 replies of 120 tokens for 12 texts
    assert more.cost == pytest.approx(more.tokens_out / 1e6)


def test_the_prompt_can_be_seen_before_it_is_sent(home, project):
    with loopback() as server:
        chosen = settings(server, imaging={"resolution": "0.3 m"}, per_class=70)
        shown = ordering.preview(home, "scenes", chosen, "golfcourse")
        have_written(home, server, imaging={"resolution": "0.3 m"}, per_class=70, classes=("golfcourse",))
        assert shown.instructions == server.asks[0].instructions
        assert json.loads(shown.data) == server.asks[0].data
        again = json.loads(ordering.preview(home, "scenes", chosen, "golfcourse").data)
        assert len(again["already_written"]) == 70
    assert json.loads(shown.data)["count"] == 50


PAIR = {"classes": ("beach", "forest"), "distinguish_from": ("beach", "forest"), "prompt": "contrast"}


def test_classes_are_told_apart_by_name(home, project):
    """No teacher is asked, and nothing of it is installed here."""
    with loopback() as server:
        chosen = settings(server, **PAIR, distinguish=3)
        made = ordering.plan_writing(home, "scenes", chosen)
        assert (made.note, made.estimate.descriptions) == ("", 8)
        rename_class(home, "scenes", "beach", "c7")
        assert ordering.plan_writing(home, "scenes", chosen).note.startswith("No word for a model to go by: c7. Give")
        rename_class(home, "scenes", "beach", "beach")
        shown = json.loads(ordering.preview(home, "scenes", chosen, "beach").data)
        view = have_written(home, server, **PAIR, distinguish=3)
    sent = {ask.name: ask.data["distinguish_from"] for ask in server.asks}
    assert sent == {"beach": ["forest"], "forest": ["beach"]}
    assert shown["distinguish_from"] == ["forest"]
    assert view.settings.distinguish_from == PAIR["distinguish_from"]
    assert view.prompt_version.startswith("contrast@")
    newest = journal_entries(home, "scenes")[0].sentence
    assert newest == (
        "Started: 4 descriptions for each of 2 classes from gemini-3.8-flash that distinguish them from beach, forest."
    )


def test_a_contrast_counts_what_was_asked_for_against_the_same_classes(home, project):
    with loopback() as server:
        have_written(home, server, per_class=6)  # enough of this writer, but none of them a contrast
        assert have_written(home, server, **PAIR).written == 8
        assert have_written(home, server, **PAIR).written == 0
        assert have_written(home, server, **PAIR, per_class=5).written == 2
        other = {**PAIR, "distinguish_from": ("beach", "golfcourse")}
        assert have_written(home, server, **other).written == 8
        assert have_written(home, server, per_class=14).written == 8  # beach and forest have theirs with the contrasts


def test_a_resumed_contrast_asks_for_the_same(home, project):
    stop = threading.Event()

    def script(ask):
        stop.set()  # while the first class is asked about
        return written(ask)

    with loopback(script) as server:
        generation = ordering.order_descriptions(home, "scenes", settings(server, **PAIR, concurrency=1))
        assert ordering.write_here(home, generation, stop) == "stopped"
        assert generations.get_generation(home, "scenes", generation).written == 4
        ordering.write_here(home, ordering.resume(home, "scenes", generation), threading.Event())
    assert generations.get_generation(home, "scenes", generation).written == 8
    assert [(ask.name, ask.data["distinguish_from"]) for ask in server.asks] == [
        ("beach", ["forest"]),
        ("forest", ["beach"]),
    ]


@pytest.mark.usefixtures("tiny_towers")
def test_confusable_classes_are_named_by_the_teacher(home, described):
    named = confusable_classes(home, "scenes", 1)
    assert set(named) == set(tiny_studio.CLASSES)
    names = {"beach", "forest", "golf course"}
    assert all(len(others) <= 1 and set(others) <= names for others in named.values())
    assert all(key not in others for key, others in named.items())
    with loopback() as server:
        have_written(home, server, distinguish=1)
    sent = {ask.name: tuple(ask.data.get("distinguish_from", ())) for ask in server.asks}
    assert {key: sent["golf course" if key == "golfcourse" else key] for key in named} == named


def test_without_a_teacher_no_class_is_named_and_it_says_so(home, project):
    with loopback() as server:
        made = ordering.plan_writing(home, "scenes", settings(server, distinguish=3))
    assert made.note.startswith("No confusable classes are named: ")
    assert "georsclip-vit-h-14" in made.note


def test_pictures_are_training_shots_made_small(home, project):
    with loopback() as server:
        have_written(home, server, pictures=2, classes=("beach",))
        assert server.asks[0].pictures == 2
        have_written(home, server, classes=("forest",))
    with reading(home.engine) as session:
        versions = {row.class_key: row.prompt_version for row in session.query(Description)}
        assert [reply.pictures for reply in session.query(Reply)] == [2, 0]
    assert versions["beach"].endswith("+2pictures")
    assert "pictures" not in versions["forest"]


@pytest.mark.parametrize(
    ("chosen", "kind", "message"),
    [
        ({"per_class": 0}, ConfigError, r"setting per_class cannot be used: 0\. Input should be greater than or equal"),
        ({"temperature": 1}, ConfigError, r"setting temperature cannot be used: 1\. Extra inputs"),
        (
            {"language": "Klingon"},
            ConfigError,
            r"setting language cannot be used: Klingon\. Input should be 'English'",
        ),
        ({"classes": ("moon",)}, NotFoundError, r"no such class: moon\. Its classes: beach, forest, golfcourse"),
        (
            {"distinguish_from": ("moon",)},
            NotFoundError,
            r"no such class: moon\. Its classes: beach, forest, golfcourse",
        ),
        ({"prompt": "poem"}, NotFoundError, r"no such prompt: poem\."),
        ({"writer": "openai-compatible"}, AvionError, r"no key for this writer: OPENAI_API_KEY\..*--base-url"),
        ({"writer": "openai-compatible", "base_url": "http://x/v1"}, AvionError, r"needs a model.*--model"),
        ({"writer": "file"}, DescriptionError, r"needs a file.*--file"),
        ({"writer": "file", "file": "/nowhere.json"}, DescriptionError, r"does not exist: nowhere\.json"),
    ],
)
def test_what_cannot_be_ordered(home, project, monkeypatch, chosen, kind, message):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(kind, match=message):
        ordering.order_descriptions(home, "scenes", settings(**chosen))
    assert generations.list_generations(home, "scenes") == []


@pytest.mark.parametrize("around", ["{}\n", " {}\r\n", "\t{} "])
def test_white_space_around_a_key_is_no_part_of_it(home, project, monkeypatch, around):
    monkeypatch.setenv("GEMINI_API_KEY", around.format(KEY))
    with loopback() as server:
        assert have_written(home, server, classes=("beach",)).written == 4
    assert server.asks[0].key == KEY


@pytest.mark.parametrize("wrong", ["one\ntwo", "“quoted”", "schlüssel", "a\x1bb"])
@pytest.mark.parametrize(("writer", "name"), [("gemini", "GEMINI_API_KEY"), ("openai-compatible", "OPENAI_API_KEY")])
def test_what_can_be_no_key_is_refused_before_anything_is_sent(home, project, monkeypatch, wrong, writer, name):
    monkeypatch.setenv(name, wrong)
    with pytest.raises(
        AvionError, match=rf"The value of this variable cannot be a key: {name}.*Copy the key again"
    ) as raised:
        ordering.order_descriptions(
            home, "scenes", settings(writer=writer, model="m", base_url="http://127.0.0.1:1/v1")
        )
    assert wrong not in str(raised.value)
    assert generations.list_generations(home, "scenes") == []


def test_no_key_is_an_error_before_anything_is_sent(home, project, monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY")
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    with pytest.raises(AvionError, match=r"no key for Gemini: GEMINI_API_KEY\. Set GEMINI_API_KEY in"):
        ordering.order_descriptions(home, "scenes", settings())
    assert ordering.keys_present() == {"gemini": False, "openai-compatible": False}


@pytest.mark.parametrize(
    "address", ["https://ana:secret@host/v1", "https://host/v1?api_key=secret", "http://:secret@h"]
)
def test_no_address_with_credentials_is_kept(address):
    """Settings are saved, journalled and packed."""
    with pytest.raises(ConfigError, match=r"base_url cannot be used.*GEMINI_API_KEY") as refused:
        ordering.make_writing_settings({"base_url": address})
    assert "secret" not in str(refused.value)


def test_an_order_of_an_earlier_version_with_such_an_address_is_listed(home, project):
    with loopback() as server:
        view = have_written(home, server)
    with writing(home.engine) as session:
        kept = session.get_one(Generation, view.id)
        kept.settings = kept.settings | {"base_url": "https://ana:secret@host/v1"}
    assert [listed.id for listed in generations.list_generations(home, "scenes")] == [view.id]
    assert generations.get_generation(home, "scenes", view.id).written == 12
