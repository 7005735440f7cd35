"""Decisions: see the cut of every class, move it, and know what would change before it does."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.review.decision_panels import (
    distribution,
    effective_numbers,
    figures,
    two_sided_warning,
    would_change,
)
from app.components.review.rules_form import rules_form
from app.components.review.shared_curation import need_curation
from app.kit.both_texts import both_texts, save_label
from app.kit.guard import guard
from app.state import notices, studio, visitor
from app.state.forms import Form, open_form
from avion_core.config import DescriptionsConfig, PrototypesConfig
from avion_core.errors import EditedMeanwhileError
from avion_core.usecases import policies
from avion_core.usecases.curation import decision_preview
from avion_core.usecases.curation.rules import current_rules, restore_rules, rule_versions, save_rules
from avion_core.usecases.projects.summaries import ProjectSummary

Rules = tuple[PrototypesConfig, DescriptionsConfig, int]  # with their version


def page() -> None:
    project = shell.need_project()
    seen = need_curation(project)
    curation = seen.curation
    if seen.hides_figures:
        st.caption("This review is blind: until you have judged every text, the figures here use your verdicts only.")
    names = {entry.key: entry.prompt_name for entry in project.classes}
    prototypes, descriptions, version = current_rules(studio.home(), project.id)
    overview = st.container()
    controls, picture = st.columns([2, 5], gap="large")
    with controls:
        st.caption(f"Current rules: version {version}" if version else "Current rules: the defaults")
        form = open_form(f"rules_{project.id}", (prototypes, descriptions, version))
        wanted = rules_form(*form.begun[:2], key=form.key)
        form.follow((prototypes, descriptions, version), typed=wanted != form.begun[:2])
        changed = wanted != (prototypes, descriptions)
        both_texts(form)
        save_button(project, form, wanted, changed=changed)
        if version and not changed:
            shell.go_button("Train with these rules", "launch", "rocket_launch", primary=False)
    preview = decision_preview(curation, *wanted)
    with overview:
        figures(preview, curation)
    with picture:
        distribution(project, preview, wanted[0], curation)
        two_sided_warning(preview, wanted[0])
    would_change(preview, curation, names, changed=changed)
    effective_numbers(preview, names)
    versions(project)


def save_button(
    project: ProjectSummary, form: Form[Rules], wanted: tuple[PrototypesConfig, DescriptionsConfig], *, changed: bool
) -> None:
    """Put the rules in force, for those who may."""
    may = visitor.may(policies.CHANGE_RULES)
    st.button(
        save_label(form, "Save as the project's rules"),
        key=form.save_key,
        icon=":material/save:",
        type="primary",
        disabled=not (changed and may),
        on_click=save,
        args=(project.id, form, *wanted),
        help=None if may else "Only an adjudicator or an admin can save rules; you can try them here.",
    )


def save(project: str, form: Form[Rules], prototypes: PrototypesConfig, descriptions: DescriptionsConfig) -> None:
    with guard():
        try:
            saved = save_rules(studio.home(), project, prototypes, descriptions, opened=form.opened[2])
        except EditedMeanwhileError as error:
            form.refuse(error, current_rules(studio.home(), project))
        else:
            form.start_again()
            notices.say_after_rerun(f"Saved as version {saved}")


def versions(project: ProjectSummary) -> None:
    """Which rules held when, who saved them, what changed, and the way back to any of them."""
    table = rule_versions(studio.home(), project.id)
    with st.expander("Versions of the rules", icon=":material/history:"):
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                "number": st.column_config.NumberColumn("version", width=80),
                "when": st.column_config.DatetimeColumn("saved (UTC)", format="YYYY-MM-DD HH:mm", width=150),
                "who": st.column_config.TextColumn("by", width=120),
                "what": st.column_config.TextColumn("what changed", width="large"),
            },
            alt="Versions of the rules, the newest first",
        )
        now, *earlier = table["number"].tolist()
        if not earlier:
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            number = st.selectbox("Earlier version", earlier, format_func=_version, key="rules_version", width=220)
            st.button(
                "Use it again",
                icon=":material/restore:",
                key="restore_rules",
                disabled=not visitor.may(policies.CHANGE_RULES),
                help="It becomes the newest version; those between stay on record.",
                on_click=restore,
                args=(project.id, number, now),
            )


def _version(number: int) -> str:
    return f"version {number}" if number else "the defaults"


def restore(project: str, number: int, now: int) -> None:
    with guard():
        saved = restore_rules(studio.home(), project, number, opened=now)
        notices.say_after_rerun(f"Rules of {_version(number)} are in force again, as version {saved}")


page()
