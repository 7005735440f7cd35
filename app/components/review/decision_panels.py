"""What rules decide, and what would change if they were others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from app.kit import charts
from app.kit.gallery import gallery
from app.kit.guard import plain
from app.shell import go_button
from avion_core.config import PrototypesConfig
from avion_core.data.tables import table_csv
from avion_core.usecases.curation import Curation, Preview, evidence
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted

ROWS_SHOWN = 500
TEXTS_NEAR, PICTURES_NEAR = 4, 3


def figures(preview: Preview, curation: Curation) -> None:
    """The effect on the teacher's accuracy over the labelled shots, and how many texts are in use."""
    with st.grid(4):
        for split, name in (("train", "Teacher on training shots"), ("validation", "Teacher on validation")):
            accuracy, images = preview.teacher_accuracy[split], len(curation.images[split][1])
            if not images:
                st.metric(name, "no images", border=True, help="No split was drawn yet: label more images first.")
                continue
            gained = round((accuracy - curation.teacher_accuracy[split]) * images / 100)
            _change(
                name,
                f"{accuracy:.1f} %",
                gained,
                "{:+,} of " + counted(images, "image"),
                f"Share of these {counted(images, 'image')} whose nearest text prototype is their class. "
                f"{_template(curation.template_accuracy[split])}The test set stays sealed.",
            )
        in_use = int(preview.table["kept"].sum())
        _change("Texts in use", f"{in_use:,}", in_use - int(curation.table["kept"].sum()), "{:+,}")
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
            "Accept a text of each, loosen the rules, or use the class name where a class has no description (Launch).",
            title=f"Classes left without a text: {plain(', '.join(preview.blocked))}",
            icon=":material/warning:",
        )


def _change(name: str, value: str, difference: float, shown: str, help_text: str | None = None) -> None:
    """A figure beside what the rules in force give."""
    text = shown.format(difference)
    same = text == shown.format(0)
    st.metric(
        name,
        value,
        "no change" if same else text,
        "off",  # neither way is better for texts, and a few images may be chance
        delta_arrow="off" if same else "auto",
        border=True,
        help=help_text,
    )


def distribution(project: ProjectSummary, preview: Preview, rules: PrototypesConfig, curation: Curation) -> None:
    """The similarities of one class with median, MAD band and cut; the address keeps the class."""
    names = curation.class_names
    chosen = st.selectbox(
        "Class", list(names), format_func=names.__getitem__, key="decision_class", width=260, bind="query-params"
    )
    scores = preview.table[preview.table["class_key"] == chosen]
    if curation.unjudged.get(chosen):
        st.caption("No image of this class is labelled for training, so its descriptions are not judged yet.")
        return
    if scores.empty:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("This class has no descriptions.", width="content")
            go_button("Ask a writer for some", "generate", "edit", primary=False)
        return
    low = float(scores["cut"].iloc[0])
    high = float("inf") if rules.z_mode == "low_side" else 2 * float(scores["median"].iloc[0]) - low
    st.plotly_chart(
        charts.histogram(scores, (low, high)),
        config=charts.QUIET,
        key="distribution",
        alt=f"Similarities of the descriptions of {names[chosen]} with median, MAD band and cut",
    )
    st.caption(f"Effective number of texts (n_eff): {preview.n_eff[chosen]:.1f}, as if that many counted equally.")
    if project.pictures:
        near_the_cut(project, scores, curation)


def near_the_cut(project: ProjectSummary, scores: pd.DataFrame, curation: Curation) -> None:
    """The texts of a class that a small move of the cut would keep or drop, each with training images it matches best.

    Args:
        scores: the class's rows of a preview's table.
    """
    distance = scores["similarity"] - scores["cut"]
    near = scores.loc[distance.abs().sort_values(kind="stable").index[:TEXTS_NEAR]]
    with st.expander("Texts nearest the cut", icon=":material/vertical_align_center:"):
        for row in near.assign(past=distance).sort_values("past", ascending=False, kind="stable").itertuples():
            pictures, says = st.columns([1, 2], vertical_alignment="center")
            matches = evidence(curation, str(row.description_id)).best[:PICTURES_NEAR]
            with pictures:
                captions = [f"{match.similarity:.3f}" for match in matches]
                gallery([match.path for match in matches], captions, project.recipe, columns=PICTURES_NEAR, side=64)
            says.markdown(f"{'Kept' if row.kept else 'Cut'}, {row.past:+.3f} from the cut: {plain(str(row.text))}")
        st.caption("Beside each text the training images of its class that it matches best, with the similarity.")


def two_sided_warning(preview: Preview, rules: PrototypesConfig) -> None:
    """Say that a z that looks both ways may cut the best matching text, and in how many classes it does."""
    if rules.z_mode == "low_side":
        return
    undecided = preview.table[preview.table["verdict"] == "undecided"]
    best = undecided.loc[undecided.groupby("class_key")["similarity"].idxmax()]
    cut = int((~best["kept"] & (best["similarity"] > best["median"])).sum())
    st.warning(
        f"“{rules.z_mode}” measures the distance from the median both ways, so the text that matches its class best "
        f"may be cut: here it is out in {cut} of {len(best):,} classes. “low side” cuts only below the median.",
        icon=":material/warning:",
    )


def would_change(preview: Preview, curation: Curation, names: Mapping[str, str], *, changed: bool) -> None:
    """The descriptions that these rules would keep or cut otherwise; where there is none, what they do to the weights.

    Args:
        changed: the rules are not those in force.
    """
    st.subheader("What would change")
    changes = preview.would_change
    if not changed:
        st.caption("Nothing: these are the current rules. Move a slider to see.")
        return
    if changes.empty:
        _weights_alone(preview, curation, names)
        return
    st.dataframe(
        changes.head(ROWS_SHOWN),
        hide_index=True,
        column_config={
            "class": st.column_config.TextColumn(width=130),
            "text": st.column_config.TextColumn("description", width="large"),
        },
        alt="Descriptions that would change between kept and cut under these rules",
    )
    if len(changes) > ROWS_SHOWN:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"The first {ROWS_SHOWN:,} of {len(changes):,}.", width="content")
            # Written only when asked for: a large table would slow every move of a slider.
            st.download_button(
                "All as CSV",
                lambda: table_csv(changes),
                "would_change.csv",
                "text/csv",
                icon=":material/download:",
                type="tertiary",
            )


def _weights_alone(preview: Preview, curation: Curation, names: Mapping[str, str]) -> None:
    """What rules do that keep and cut the same texts: n_eff now and then, of each class whose weights differ."""
    differs = ~np.isclose(preview.table["weight"], curation.table["weight"])
    classes = preview.table["class_key"][differs].unique()
    if not len(classes):
        st.caption("No text moves between kept and cut, and no weight changes.")
        return
    st.caption("No text moves between kept and cut; only weights change.")
    st.dataframe(
        pd.DataFrame(
            {
                "class": [names[key] for key in classes],
                "n_eff now": [curation.n_eff[key] for key in classes],
                "n_eff then": [preview.n_eff[key] for key in classes],
            }
        ),
        hide_index=True,
        column_config={f"n_eff {when}": st.column_config.NumberColumn(format="%.1f") for when in ("now", "then")},
        alt="Effective numbers of texts under the current rules and under these",
    )


def effective_numbers(preview: Preview, names: Mapping[str, str]) -> None:
    """Texts in use and n_eff, class by class."""
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


def _template(accuracy: float) -> str:
    """What the class names alone come to; "" where there is no model to read them."""
    return "" if accuracy != accuracy else f"With the class-name template alone it is {accuracy:.1f} %. "
