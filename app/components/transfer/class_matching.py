"""The classes of a file that the project knows by no name: what each means, before anything of them is imported."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.kit.guard import plain
from app.state import widgets
from avion_core.usecases.projects.descriptions import ImportReport, shown_class
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted

_NEW, _OUT = "(a new class of this name)", "(leave out)"
_ROW = 35


@dataclass(frozen=True)
class Matching:
    """What a person says of class names in a file."""

    match: dict[str, str]
    """Class as written -> class key."""
    new: tuple[str, ...]
    """Those that become classes."""
    leave_out: tuple[str, ...]
    """Those whose texts are not wanted, and those that mean no class where that is the smaller part of the texts."""
    undecided: int
    """How many nobody has said anything of, where most of the texts are theirs: too much to leave out unasked."""


def match_step(project: ProjectSummary, report: ImportReport, name: str) -> Matching:
    """Say what the unknown class names of a file mean; those that are like a class of the project are filled in."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    keys = {shown: key for key, shown in names.items()}
    texts = sum(report.unknown_classes.values())
    with st.container(border=True):
        st.markdown(
            f":material/rule: **{counted(len(report.unknown_classes), 'class name')} of the file, with "
            f"{counted(texts, 'text')}, to match.** Several may mean one class. Your choice is remembered for later "
            "files, and can be undone on the page Classes."
        )
        rows = sorted(report.unknown_classes, key=lambda written: bool(report.suggestions.get(written)))
        out = widgets.shown(f"leave_out_{name}")
        choices = [_choice(written, report.suggestions, names, out) for written in rows]
        edited = st.data_editor(
            pd.DataFrame(
                {
                    "in the file": [shown_class(written) for written in rows],
                    "texts": [report.unknown_classes[written] for written in rows],
                    "class of the project": choices,
                }
            ),
            key=f"match_{name}_{out}",
            hide_index=True,
            disabled=["in the file", "texts"],
            height=min(38 + _ROW * len(rows), 320),
            column_config={
                "class of the project": st.column_config.SelectboxColumn(
                    options=[*keys, _NEW, _OUT], help="Choose the class that is meant.", required=False
                )
            },
            placeholder="none yet",
            alt="Class names of the file and the classes that they mean",
        )
        chosen = dict(zip(rows, edited["class of the project"], strict=True))
        # No class can be called nothing.
        open_ones = [name for name in rows if not isinstance(chosen[name], str) or (chosen[name] == _NEW and not name)]
        of_no_class = sum(report.unknown_classes[written] for written in open_ones)
        few = of_no_class < report.added + report.known + texts - of_no_class
        if open_ones and few:
            named = ", ".join(plain(shown_class(written)) for written in open_ones)
            st.caption(
                f":material/block: {counted(of_no_class, 'text')} of no class in this project will be left out: "
                f"{named}. Choose a class above to keep them; the file can also be imported again later."
            )
        elif open_ones and not out:
            st.button(
                f"Leave out the other {len(open_ones):,}",
                key="leave_out_rest",
                icon=":material/block:",
                on_click=widgets.toggle,
                args=(f"leave_out_{name}",),
            )
    return Matching(
        {written: keys[said] for written, said in chosen.items() if said in keys},
        tuple(written for written in rows if chosen[written] == _NEW and written),
        tuple(written for written in rows if chosen[written] == _OUT or (few and written in open_ones)),
        0 if few else len(open_ones),
    )


def _choice(written: str, suggestions: dict[str, str], names: dict[str, str], leave_out: bool) -> str | None:
    if key := suggestions.get(written):
        return names[key]
    return _OUT if leave_out else None
