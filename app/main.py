"""AVION Studio: the gate, navigation, the project's choice, and the one place where errors become sentences."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.components.jobs.status_line import status_line
from app.components.people.accounts import person_in_sidebar, sign_in_page
from app.kit.guard import guard, offer_fixes
from app.outbox.browser import begin_run, draw_outbox, is_drawn
from app.outbox.drafts import draw_drafts
from app.outbox.queue import take_waiting
from app.shell import go
from app.state import address, drafts, notices, studio, visitor, visits
from app.warm_up import warm_up
from avion_core.errors import AvionError, WeightsBrokenError, WeightsMissingError
from avion_core.usecases.projects.summaries import project_names

_LOGO = Path(__file__).with_name("logo.svg")
# A file of our own: a Material icon as a favicon would be fetched from the network.
_ICON = Path(__file__).with_name("icon.svg")

_STYLE = Path(__file__).with_name("page.css")

_PAGES = {
    "Data": [
        (
            "projects",
            "Projects",
            "folder_open",
            "Open the demo or your own folder of images; classes, counts, problems.",
        ),
        ("images", "Images", "photo_library", "Pictures by class and part; how rasters are rendered."),
        ("label", "Label", "label", "Say what images show, by key; the most useful ones come first."),
        ("classes", "Classes", "category", "What each class means; rename, merge and divide them."),
        ("journal", "Journal", "history", "What was done, what is stale and why, what to do next."),
    ],
    "Descriptions": [
        ("generate", "Generate", "edit", "Let a language model write descriptions, and follow its progress."),
        ("writers", "Writers", "groups", "Compare language models by what their texts alone achieve."),
        ("review", "Review", "rate_review", "Judge one description at a time with the evidence beside it."),
        ("sheet", "Class sheet", "view_list", "All descriptions of one class at once, most influence first."),
        ("agreement", "Agreement", "handshake", "How alike reviewers judge; settle what they disagree on."),
        ("exchange", "Import & export", "import_export", "Descriptions and verdicts out and in; a report."),
        ("decisions", "Decisions", "tune", "See and move the cut that keeps or drops descriptions."),
    ],
    "Training": [
        ("launch", "Launch", "rocket_launch", "Choose settings, check them, and start a student's training."),
        ("runs", "Runs", "monitoring", "Watch, stop and resume trainings."),
        ("export", "Export student", "output", "Take a trained student along as a file."),
        ("jobs", "Jobs", "list_alt", "Long work of every kind: status, log, stop and resume."),
    ],
    "Insight": [
        ("alignment", "Alignment", "scatter_plot", "Maps of images, descriptions and prototypes before and after."),
        ("evaluation", "Evaluation", "fact_check", "What the student gained, compared with simpler methods."),
        ("confusion", "Confusion", "compare_arrows", "Classes mistaken for each other, and the texts behind it."),
        ("placebo", "Placebo", "science", "Whether descriptions carry meaning, or random words would do as well."),
        (
            "predict",
            "Predict",
            "image_search",
            "Classify images or search the project, by teacher or student.",
        ),
    ],
    "Admin": [
        (
            "models",
            "Models",
            "deployed_code",
            "Weights of teachers and students: what is installed, and how to get the rest.",
        ),
        ("settings", "Settings", "settings", "People and roles, storage, backups, the device, keys."),
    ],
}


PAGE_NAMES = [name for listed in _PAGES.values() for name, *_ in listed]
"""All pages, by their files' names, in the order of the list."""
_VIEWS = {
    "sheet": "review",
    "writers": "generate",
    "agreement": "journal",
    "confusion": "evaluation",
    "placebo": "evaluation",
}
"""Pages that are views of another: reached from its title, not from the list, which fits a window 720 px high."""
_START = "projects"
_MOVING = {"review"}
"""Pages that draw the outbox themselves, within what moves with each decision."""


def main() -> None:
    st.set_page_config(page_title="AVION Studio", page_icon=str(_ICON), layout="wide")
    st.logo(str(_LOGO), size="large")
    st.html(_STYLE)
    # Keys of writers may stand in Streamlit's secrets.toml: reading it puts them into the environment.
    st.secrets.load_if_toml_exists()
    offer_fixes(_fix_weights)
    with guard():
        person = visitor.come_in()
        page = _navigation(visible=person is not None)
        if person is None:
            sign_in_page()
            return
        warm_up()
        projects = project_names(studio.home())
        _project_selector(projects)
        _name_the_tab(page, projects)
        status_line()
        person_in_sidebar(person)
        notices.show()
        begin_run()
        take_waiting()
        beside_title = st.container(horizontal=True, vertical_alignment="center")
        with beside_title:
            st.title(page.title)
            _views(page.url_path or _START)
            if page.url_path not in _MOVING:
                draw_outbox()
        visits.begin(page.url_path)
        drafts.bring_back()
        try:
            page.run()
        finally:
            if not is_drawn():  # the page has ended before it could
                with beside_title:
                    draw_outbox()
            lacking = drafts.note_widgets(page.url_path)
            draw_drafts(page.url_path)
        if lacking:
            st.rerun()


def _fix_weights(error: AvionError) -> None:
    """The buttons below an error about weights; by name, for they bring the catalog along and most runs need none."""
    if isinstance(error, WeightsMissingError | WeightsBrokenError):
        import_module("app.components.models.model_fixes").fix_weights(error)


def _navigation(*, visible: bool) -> StreamlitPage:
    """The list of pages; one who has still to sign in does not see it."""
    pages = {
        group: [
            st.Page(
                f"../pages/{name}.py",
                title=title,
                icon=f":material/{icon}:",
                help=help_text,
                default=name == _START,
                url_path="start" if name == _START else name,
                visibility="hidden" if name in _VIEWS else "visible",
            )
            for name, title, icon, help_text in listed
        ]
        for group, listed in _PAGES.items()
    }
    # The first page is at the root, as Streamlit has it; whoever types its name gets there, too.
    named = st.Page(lambda: go(_START), title="Projects", url_path=_START, visibility="hidden")
    return st.navigation({**pages, "": [named]}, position="sidebar" if visible else "hidden", expanded=True)


def _views(name: str) -> None:
    """Links to the views of what a page is about, beside its title; none where it has but one."""
    whole = _VIEWS.get(name, name)
    views = [view for view, of in _VIEWS.items() if of == whole]
    for listed, title, icon, _ in [entry for group in _PAGES.values() for entry in group]:
        if views and listed in (whole, *views):
            st.page_link(f"../pages/{listed}.py", label=title, icon=f":material/{icon}:")


def _name_the_tab(page: StreamlitPage, projects: dict[str, str]) -> None:
    """Several pages, and several projects, side by side in a browser: each tab says which it is."""
    project = projects.get(address.project_id() or "")
    st.set_page_config(page_title=" · ".join(part for part in (page.title, project, "AVION Studio") if part))


def _project_selector(projects: dict[str, str]) -> None:
    if projects:
        st.sidebar.selectbox(
            "Project",
            list(projects),
            format_func=projects.__getitem__,
            key=address.selector(address.PROJECT, list(projects)),
            on_change=address.take_selected,
            args=(address.PROJECT,),
        )
    elif address.project_id() is not None:  # the last one was archived or deleted
        address.choose(address.PROJECT, "")


if __name__ == "__main__":
    main()
