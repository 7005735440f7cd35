"""Alignment: maps of images, descriptions and prototypes as teacher and student see them, linked to what they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import streamlit as st

from app import shell
from app.components.maps.kept_map import kept_map
from app.components.maps.linked_map import linked_views
from app.components.maps.map_figures import map_figures
from app.components.maps.map_form import map_form, map_label
from app.components.maps.map_progress import map_failed, map_progress
from app.components.maps.picked_items import picked_items
from app.kit.guard import empty_state
from app.state import address, map_choices, studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.curation import my_sight, visible_verdicts
from avion_core.usecases.insight.alignment import (
    MapSettings,
    MapView,
    Of,
    OfProject,
    as_seen,
    image_counts,
    list_maps,
    look_at_test_map,
    start_map,
)
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.views import RunView
from avion_core.wording import counted


def page() -> None:
    project = shell.need_project()
    head = st.container(horizontal=True, vertical_alignment="bottom")
    with head:
        run = whose(shell.trained_runs(project))
    if run is None:
        shell.need_classes(project)
    of = run.id if run else OfProject(project.id)
    # What shows the sealed test set comes last: nobody is to meet it by opening the page.
    maps = sorted(list_maps(studio.home(), of), key=lambda found: (found.shows_test, found.older))
    if maps:
        with head:
            found = choose_map(maps)
        look(project, of, run, found)
    else:
        actions = empty_state(
            "scatter_plot",
            "No map yet",
            "Choose settings below and compute it. This takes seconds to minutes, and the map is kept."
            + ("" if run else " The teacher's view of the project as it stands: it needs no training."),
        )
        with actions:
            if st.button("Use the default settings", icon=":material/play_arrow:", type="primary"):
                compute(of, MapSettings())
    # Below the map: what a page is for comes first.
    with st.expander("New map", icon=":material/add:", expanded=not maps):
        settings = map_form(image_counts(studio.home(), of))
    if settings is not None:
        compute(of, settings)


def look(project: ProjectSummary, of: Of, run: RunView | None, found: MapView) -> None:
    """The chosen map, or how far it is, why it failed, or what stands before it."""
    if found.state == "running":
        map_progress(of, found)
    elif found.state == "failed":
        map_failed(of, found)
    elif run is not None and found.shows_test and not map_choices.test_map_is_open(found.key):
        sealed(run, found)
    else:
        if found.older:
            said = ":material/history: The project has changed since: images, texts, verdicts, names or rules."
            st.caption(f"{said} Compute the map again to see it as it is now.")
        show(project, of, found)


def whose(runs: Sequence[RunView]) -> RunView | None:
    """A run, or None for the teacher's view of the project as it stands; without a run there is nothing to choose."""
    if not runs:
        return None
    by_id = {run.id: run for run in runs}
    return by_id.get(
        shell.choose_run("Run", address.RUN, shell.run_names(runs) | {address.TEACHER: "Teacher, without a run"})
    )


def compute(of: Of, settings: MapSettings) -> NoReturn:
    """Have the map computed, and show how far it is."""
    key = start_map(studio.home(), of, settings)
    map_choices.open_test_map(key)
    address.choose(address.MAP, key)
    st.rerun()


def choose_map(maps: list[MapView]) -> MapView:
    """One of the run's maps; the address keeps the choice."""
    by_key = {found.key: found for found in maps}
    states = {"running": " · computing", "failed": " · failed", "finished": ""}
    chosen = st.selectbox(
        "Map",
        list(by_key),
        format_func=lambda key: map_label(by_key[key].settings) + states[by_key[key].state],
        key=address.selector(address.MAP, list(by_key)),
        on_change=address.take_selected,
        args=(address.MAP,),
    )
    return by_key[chosen]


def sealed(run: RunView, found: MapView) -> None:
    """The gate before a map with the sealed test set."""
    looks = (
        f"It has been looked at {counted(run.looks, 'time')} on this run."
        if run.looks
        else "Nobody has looked at it yet."
    )
    with empty_state(
        "lock",
        "This map shows the sealed test set",
        f"Figures and choices made on it are no longer measured on unseen images. {looks} Opening it counts as a look.",
    ):
        if st.button("Open it", icon=":material/lock_open:", disabled=not visitor.may(policies.UNSEAL)):
            look_at_test_map(studio.home(), run.id)
            map_choices.open_test_map(found.key)
            st.rerun()


def show(project: ProjectSummary, of: Of, found: MapView) -> None:
    result = as_seen(kept_map(found.key, of), my_sight(studio.home(), project.id))
    verdicts = visible_verdicts(studio.home(), project.id)
    what = linked_views(project, result, verdicts, found.key)
    picked_items(project, of, result, verdicts, what, found.key)
    st.caption(result.statement)
    map_figures(result.figures)


page()
