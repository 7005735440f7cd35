"""Parts of the evaluation page: each answers one question about a measured student."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.components.evaluation import evaluation_charts
from app.kit import charts
from app.kit.gallery import gallery, paged_gallery
from app.state import confusion_cell, studio
from avion_core.usecases.insight.evaluation import Change, looks, pictures, published, reliability_table
from avion_core.usecases.projects.projects import ProjectSummary
from avion_core.wording import counted

Names = Mapping[str, str]

METHODS = {
    "accuracy": ("AVION", "The trained student."),
    "harmonic_mean": ("AVION, harmonic mean", "2BN / (B + N) of the two below."),
    "base_accuracy": ("AVION, base", "Base classes, told apart among base classes."),
    "novel_accuracy": ("AVION, novel", "Novel classes, told apart among novel classes."),
    "zero_shot_accuracy": ("Student, zero-shot", "The same backbone and template, untrained."),
    "zero_shot_harmonic_mean": ("Student zero-shot, harmonic mean", "2BN / (B + N) of the two below."),
    "zero_shot_base_accuracy": ("Student zero-shot, base", "The untrained student on base classes."),
    "zero_shot_novel_accuracy": ("Student zero-shot, novel", "The untrained student on novel classes."),
    "class_mean_accuracy": ("Student, class mean", "Mean image feature per class; no training."),
    "class_mean_text_accuracy": ("Student, class mean + text", "The same with the class's text added; no training."),
    "linear_probe_accuracy": ("Student, linear probe", "A linear classifier on frozen image features."),
    "teacher_zero_shot_accuracy": ("Teacher, zero-shot", "The large model itself, by the template."),
    "teacher_prototype_accuracy": ("Teacher, text prototypes", "The large model, by the curated descriptions."),
    "teacher_class_mean_accuracy": ("Teacher, class mean", "Mean teacher feature per class."),
    "teacher_class_mean_text_accuracy": ("Teacher, class mean + text", "The same with the class's text added."),
    "teacher_linear_probe_accuracy": ("Teacher, linear probe", "A linear classifier on the teacher's features."),
}
_FEWEST_PER_CLASS = 10
_MISTAKES = 24


def headline(run: str, result: dict[str, Any]) -> None:
    """The figures that answer "did it help?"."""
    base_to_novel = result["protocol"] == "base-to-novel"
    shown = ("harmonic_mean", "base_accuracy", "novel_accuracy") if base_to_novel else ("accuracy",)
    with st.grid(4):
        for key in shown:
            gain = result[key] - result[f"zero_shot_{key}"]
            none = abs(gain) < 0.05
            said = "as zero-shot" if none else f"{gain:+.1f} on zero-shot"
            colour, arrow = ("off", "off") if none else ("normal", "auto")
            st.metric(METHODS[key][0], f"{result[key]:.1f} %", said, colour, delta_arrow=arrow, border=True)
        for key, name in (("macro_accuracy", "Macro accuracy"), ("macro_f1", "Macro F1")):
            if key in result:
                st.metric(name, f"{result[key]:.1f} %", border=True, height="stretch")
        if result["split"] == "test":
            st.metric("Looks at the test set", result["looks"], border=True, height="stretch")
    if result["split"] == "test":
        with st.expander("Who looked, and when", icon=":material/visibility:"):
            st.dataframe(looks(studio.home(), run), hide_index=True, alt="Looks at the test set")


def methods(run: str, result: dict[str, Any]) -> None:
    """AVION beside everything that costs less, on the same images; published figures in a column of their own."""
    rows = pd.DataFrame(
        {"method": name, "accuracy": result[key], "what it is": what, "key": key}
        for key, (name, what) in METHODS.items()
        if key in result
    )
    st.plotly_chart(
        charts.bars(rows, label="method", value="accuracy", focus=rows["method"].iloc[0]),
        config=charts.QUIET,
        key="methods",
        alt="Accuracy of every method on the same images",
    )
    speed = " · ".join(f"{who} {result[f'{who}_seconds_per_1000']:.1f} s" for who in ("student", "teacher"))
    st.caption(f"Time for 1,000 images on this machine: {speed}")
    columns = {"accuracy": st.column_config.NumberColumn(format="%.1f %%")}
    paper = published(studio.home(), run)
    if paper:
        rows["paper"] = [paper[key].percent if key in paper else None for key in rows["key"]]
        rows["paper's figure is"] = [paper[key].of if key in paper else "" for key in rows["key"]]
        columns["paper"] = st.column_config.NumberColumn(
            format="%.2f %%", help="Published, on the whole published test set: not measured here."
        )
    with st.expander("Figures, and what each row is", icon=":material/help:", expanded=bool(paper)):
        table = rows.drop(columns=["key"])
        st.dataframe(table, hide_index=True, column_config=columns, alt="Accuracy of every method, with what it is")


def per_class(part: dict[str, Any], names: Names, title: str) -> None:
    """Class by class, with intervals, precision and F1."""
    table = pd.DataFrame(part["per_class"])
    table.insert(0, "class", table["class_key"].map(names))
    table = table.drop(columns=["class_key", "correct"]).sort_values("accuracy")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Class by class**, the weakest first, with 95 % intervals")
        st.plotly_chart(
            charts.bars(table, label="class", value="accuracy"),
            config=charts.QUIET,
            key=f"per_class_{title}",
            alt="Accuracy per class with 95 % intervals",
        )
    with right:
        percent = st.column_config.NumberColumn(format="%.1f %%")
        columns: dict[str, Any] = dict.fromkeys(("accuracy", "low", "high", "precision", "f1"), percent)
        st.dataframe(table, hide_index=True, column_config=columns, height="content", alt="Figures of every class")
    if table["images"].min() < _FEWEST_PER_CLASS:
        fewest = table["images"].min()
        st.caption(f"Some classes have {fewest} images only: read their bars with the width of their intervals.")


def changes(found: Change, names: Names, baseline: str, key: str) -> None:
    """Which classes won and lost against a baseline, on the same images."""
    if not found.images:
        st.info(
            f"{baseline} was measured on other images: a run of another seed has other validation images. The test "
            "set is the same for all runs.",
            icon=":material/info:",
        )
        return
    points, low, high = found.total
    certain = "more than chance would do" if low > 0 or high < 0 else "within what chance would do"
    st.markdown(
        f"**{points:+.1f} points** against {baseline} on the same {found.images:,} images "
        f"(95 % interval {low:+.1f} to {high:+.1f}: {certain})."
    )
    if found.images < found.of:
        st.caption(f"Only {found.images:,} of {found.of:,} images were measured by both.")
    table = found.per_class[found.per_class["images"] > 0].sort_values("change")
    table = table.assign(**{"class": table["class_key"].map(names)})
    st.plotly_chart(
        evaluation_charts.change_per_class(table),
        config=charts.QUIET,
        key=f"change_{key}",
        alt=f"Change of accuracy per class against {baseline}, with 95 % intervals",
    )
    st.caption("Intervals are for paired images (Agresti and Min, 2005); one that crosses 0 proves no change.")


def confusion(project: ProjectSummary, run: str, matrix: str, part: dict[str, Any], names: Names) -> tuple[str, str]:
    """The confusion matrix; a click (or the list) opens a cell's pictures. Returns the cell: true class, said class."""
    cell = cell_choice(matrix, part, names)
    rows = pd.DataFrame(part["predictions"])
    of_cell = rows[(rows["class_key"] == cell[0]) & (rows["predicted"] == cell[1])]
    st.markdown(f"**{names[cell[0]]}** taken for **{names[cell[1]]}**: {counted(len(of_cell), 'image')}")
    if of_cell.empty:
        st.caption("No image. Click another cell, or choose one from the list.")
        return cell
    of_cell = of_cell.sort_values("probability", ascending=False)
    captions = [f"{names[cell[1]]} {share:.0%}" for share in of_cell["probability"]]
    paths = pictures(studio.home(), run, of_cell["image_id"].tolist())
    paged_gallery(paths, captions, project.recipe, key=f"cell_page_{matrix}")
    return cell


def cell_choice(matrix: str, part: dict[str, Any], names: Names) -> tuple[str, str]:
    """Draw a confusion matrix with its list of cells, the most confused first; returns the chosen one."""
    keys, counts = part["class_keys"], part["confusion"]
    cells = [(true, said) for i, true in enumerate(keys) for j, said in enumerate(keys) if i == j or counts[i][j]]
    number = {(true, said): counts[i][j] for i, true in enumerate(keys) for j, said in enumerate(keys)}
    cells.sort(key=lambda cell: (cell[0] == cell[1], -number[cell]))
    widget, options = confusion_cell.selector(matrix, cells)
    chosen = st.selectbox(
        "Cell",
        options,
        format_func=lambda cell: f"{names[cell[0]]} taken for {names[cell[1]]} · {counted(number[cell], 'image')}",
        key=widget,
        on_change=confusion_cell.take,
        args=(matrix,),
        help="The most confused classes first; or click a cell of the matrix.",
        width=520,
    )
    chart = f"chart_{matrix}"
    place = keys.index(chosen[0]), keys.index(chosen[1])
    st.plotly_chart(
        evaluation_charts.confusion(counts, [names[key] for key in keys], place),
        config=charts.QUIET,
        key=chart,
        on_select=lambda: confusion_cell.take_clicked(matrix, chart, keys),
        selection_mode="points",
        alt="Confusion matrix: rows are true classes, columns what was said; the list above it holds the same cells",
    )
    return chosen


def mistakes(project: ProjectSummary, run: str, part: dict[str, Any], names: Names) -> None:
    """Wrong and sure of it: the mistakes with the highest probability, as pictures."""
    rows = pd.DataFrame(part["predictions"])
    wrong = rows[~rows["correct"]].sort_values("probability", ascending=False)
    if wrong.empty:
        st.success("No mistake on these images.", icon=":material/check_circle:")
        return
    shown = wrong.head(_MISTAKES)
    st.markdown(f"The **{len(shown)}** surest of **{len(wrong):,}** mistakes on {len(rows):,} images")
    captions = [
        f"{names[true]} ({of_true:.0%}) → {names[said]} ({of_said:.0%})"
        for true, of_true, said, of_said in zip(
            shown["class_key"], shown["true_probability"], shown["predicted"], shown["probability"], strict=True
        )
    ]
    paths = pictures(studio.home(), run, shown["image_id"].tolist())
    gallery(paths, captions, project.recipe, columns=6)
    st.caption("True class → what the student said, each with its probability. A wrong label looks like this too.")


def calibration(part: dict[str, Any], split: str, key: str) -> None:
    """Whether a probability means what it says."""
    table = reliability_table(part)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(
            evaluation_charts.reliability(table),
            config=charts.QUIET,
            key=f"reliability_{key}",
            alt="Reliability diagram: how often the student is right, by the probability it gives",
        )
    with right:
        st.metric("Calibration error (ECE)", f"{part['calibration_error']:.1f} %", border=True)
        st.caption(
            f"Mean distance between probability and accuracy over {len(table)} bins, weighted by their "
            f"{part['images']:,} images. Points under the dotted line: surer than right."
        )
        temperature = part["temperature"]
        if temperature is None:
            st.caption("Too few validation images (or no mistake among them) to fit a temperature.")
        elif "calibrated_error" in part:
            st.metric("ECE with the fitted temperature", f"{part['calibrated_error']:.1f} %", border=True)
            st.caption(f"Temperature {temperature:.2f}, fitted on the validation images, measured on the test set.")
        else:
            st.caption(
                f"A temperature of {temperature:.2f} fits these {split} images best. What it is worth can only be "
                "measured on other images: the sealed test set shows the error with it."
            )
