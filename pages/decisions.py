"""Decisions: see the cut of every class, move it, and know what would change before it does."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import session, shell
from app.components import charts
from app.components.rules_form import rules_form
from app.curated import need_curation
from avion_core.config import PrototypesConfig
from avion_core.studio.curation import Curation, Preview, decision_preview
from avion_core.studio.projects import ProjectSummary
from avion_core.studio.rules import current_rules, save_rules


def page() -> None:
    project = shell.need_project()
    curation = need_curation(project)
    prototypes, descriptions, version = current_rules(session.home(), project.id)
    overview = st.container()
    controls, picture = st.columns([2, 5], gap="large")
    with controls:
        st.caption(f"Rules version {version} is in force" if version else "The defaults are in force")
        new_prototypes, new_descriptions = rules_form(prototypes, descriptions, key=f"rules_{project.id}_{version}")
        changed = (new_prototypes, new_descriptions) != (prototypes, descriptions)
        if st.button("Save as the project's rules", icon=":material/save:", type="primary", disabled=not changed):
            saved = save_rules(session.home(), project.id, new_prototypes, new_descriptions, session.reviewer())
            session.say_after_rerun(f"Saved as version {saved}")
            st.rerun()
    preview = decision_preview(curation, new_prototypes, new_descriptions)
    with overview:
        figures(preview, curation)
    with picture:
        distribution(project, preview, new_prototypes)
    would_change(preview)
    effective_numbers(project, preview)


def figures(preview: Preview, curation: Curation) -> None:
    """The effect on the teacher's accuracy over the labelled shots, and how many texts are in use."""
    with st.grid(4):
        for split, name in (("train", "Teacher on training shots"), ("validation", "Teacher on validation")):
            accuracy = preview.teacher_accuracy[split]
            change(
                name,
                f"{accuracy:.1f} %",
                accuracy - curation.teacher_accuracy[split],
                "{:+.1f} points",
                "Share of these images whose nearest text prototype is their class. With the class-name template alone "
                f"it is {curation.template_accuracy[split]:.1f} %. The test set stays sealed.",
            )
        in_use = int(preview.table["kept"].sum())
        change("Texts in use", f"{in_use:,}", in_use - int(curation.table["kept"].sum()), "{:+,}")
        st.metric(
            "Texts that would change",
            f"{len(preview.would_change):,}",
            f"of {len(preview.table):,}",
            "off",
            delta_arrow="off",
            border=True,
        )
    if preview.blocked:
        st.warning(
            "Accept a text of each, loosen the rules, or allow the template fallback at launch.",
            title=f"Left without a text: {', '.join(preview.blocked)}",
            icon=":material/warning:",
        )


def change(name: str, value: str, difference: float, shown: str, help_text: str | None = None) -> None:
    """A figure beside what the rules in force give."""
    text = shown.format(difference)
    same = text == shown.format(0)
    st.metric(
        name,
        value,
        "as in force" if same else text,
        "off" if same else "normal",
        delta_arrow="off" if same else "auto",
        border=True,
        help=help_text,
    )


def distribution(project: ProjectSummary, preview: Preview, rules: PrototypesConfig) -> None:
    names = {entry.key: entry.prompt_name for entry in project.classes}
    chosen = st.selectbox(
        "Class", list(names), format_func=names.__getitem__, key="decision_class", width=260, bind="query-params"
    )
    scores = preview.table[preview.table["class_key"] == chosen]
    if scores.empty:
        st.caption("This class has no descriptions.")
        return
    low = float(scores["cut"].iloc[0])
    high = float("inf") if rules.z_mode == "low_side" else 2 * float(scores["median"].iloc[0]) - low
    st.plotly_chart(
        charts.histogram(scores, (low, high)),
        config=charts.QUIET,
        key="distribution",
        alt=f"Similarities of the descriptions of {names[chosen]} with median, MAD band and cut",
    )
    above = int((~scores["kept"] & (scores["similarity"] > scores["median"])).sum())
    if above:
        st.caption(
            f":orange[:material/warning:] {above} of the texts out here match better than the median: a two-sided z "
            "cuts above it too. “low side” cuts only below."
        )
    st.caption(f"n_eff = {preview.n_eff[chosen]:.1f}: the prototype speaks with the voice of that many equal texts.")


def would_change(preview: Preview) -> None:
    st.subheader("What would change")
    if preview.would_change.empty:
        st.caption("Nothing: these are the rules in force. Move a slider to see.")
        return
    st.dataframe(preview.would_change, hide_index=True, alt="Descriptions whose fate would change under these rules")


def effective_numbers(project: ProjectSummary, preview: Preview) -> None:
    names = {entry.key: entry.prompt_name for entry in project.classes}
    kept = preview.table.groupby("class_key")["kept"].agg(["sum", "size"])
    table = pd.DataFrame(
        {
            "class": [names[key] for key in kept.index],
            "texts": kept["size"].to_numpy(),
            "in use": kept["sum"].to_numpy(),
            "n_eff": [preview.n_eff[key] for key in kept.index],
        }
    )
    with st.expander("Texts in use and n_eff, class by class", icon=":material/balance:"):
        st.dataframe(
            table,
            hide_index=True,
            alt="Texts in use and effective numbers per class",
            column_config={"n_eff": st.column_config.NumberColumn(format="%.1f")},
        )


page()
