"""docs/interface.md is what the pages say, and the script that makes it finds labels wherever they are written."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("interface_table")


def test_the_committed_table_is_what_the_pages_say(script: ModuleType) -> None:
    made = script.document()
    assert (ROOT / "docs" / "interface.md").read_text(encoding="utf-8") == made, "python tools/interface_table.py"
    assert made.count("\n### ") == len(list((ROOT / "pages").glob("*.py")))


PARTS = """
import streamlit as st
from app.kit import browser_half

NAMES = {"one": ("First", "not a label"), "two": ("Second", "nor this")}
_component = browser_half("card", __file__)

def wide(label, *, kind="Kind"):
    st.button(label, icon=":material/add:")
    st.selectbox(kind, ["option"])

def figures(found):
    for key in found:
        st.metric(NAMES[key][0], found[key])

def badge(found):
    if found:
        return ":green-badge[here]"
    return ":red-badge[gone]"

def saving(refused, usual):
    return usual if refused is None else "Over it"

def unused():
    st.button("Nobody draws this")
"""

HTML = '<button aria-label="Next">→</button><button>Save <kbd>S</kbd></button><input aria-label="Find">'

PAGE = """
import streamlit as st
from app import parts
from app.parts import badge, figures, saving, wide

def page():
    st.subheader(f"{count()} texts of" + " a class")
    word = "Stop" if running() else "Start"
    wide(word)
    wide("Wide", kind="Sort")
    parts.draw_card()
    figures({})
    for name, text in (("a", "Alpha"), ("b", "Beta")):
        st.sidebar.toggle(text, key=name)
    st.tabs(["Left", "Right"])
    st.markdown("## :material/add: Title")
    st.markdown("Only text")
    "word".title()
    st.button(saving(None, "Save it"))
    st.markdown(f"#### Weights {badge(True)}")

page()
"""


def test_labels_are_found_wherever_they_are_written(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "app/parts.py": PARTS + "\ndef draw_card():\n    _component()\n",
        "app/kit.py": "def browser_half(name, module): ...\n",
        "app/parts.html": HTML,
        "pages/first.py": PAGE,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    script.module.cache_clear()
    found = script.labels_of("pages.first")
    script.module.cache_clear()
    by_kind = {kind: [label.text for label in found if label.kind == kind] for kind in script.KINDS}
    assert by_kind == {
        "Headings": ["… texts of a class", "Left", "Right", "Title", "Weights here", "Weights gone"],
        "Buttons": ["Stop", "Start", "Wide", "Next", "Save (S)", "Save it", "Over it"],
        "Fields": ["Kind", "Sort", "Find", "Alpha", "Beta"],
        "Figures": ["First", "Second"],
    }
    assert (
        script.table(found).splitlines()[3] == "| Buttons | Stop · Start · Wide · Next · Save (S) · Save it · Over it |"
    )
