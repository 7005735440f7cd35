"""Parts of the evaluation page: each answers one question about a measured student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from app.components.evaluation import evaluation_charts
from app.kit import charts
from app.kit.gallery import gallery, paged_gallery
from app.kit.guard import plain
from app.state import confusion_cell, studio
from avion_core.usecases.insight.evaluation import (
    Change,
    MeasuredPart,
    Report,
    change,
    confusion_matrix,
    figures_per_class,
    looks,
    pictures,
    published,
    reliability_table,
)
from avion_core.usecases.insight.figure_words import interval, told_apart, when_timed
from avion_core.usecases.insight.rows import headline_rows, recall_table
from avion_core.usecases.insight.trust import trust_in_validation
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.views import RunView
from avion_core.wording import counted

Names = Mapping[str, str]

_FEWEST_PER_CLASS = 10
_MISTAKES = 24


def headline(run: RunView, report: Report) -> None:
    """The figures that answer "did it help?"."""
    rows = headline_rows(report)
    own = rows[(rows["method"] == report.method) & (rows["model"] == report.model)]
    with st.grid(4):
        for row in own.to_dict("records"):
            said, colour, arrow = _against_untrained(report, row)
            st.metric(
                row["title"],
                f"{row['value']:.1f} %",
                said or None,
                colour,
                delta_arrow=arrow,
                border=True,
                help=interval(row),
            )
        if len(report.parts) == 1:
            for metric, name in (("macro_accuracy", "Macro accuracy"), ("macro_f1", "Macro F1")):
                figure = report.figure(report.parts[0].name, metric)
                if figure is not None:
                    value = f"{figure['value']:.1f} %"
                    st.metric(name, value, border=True, height="stretch", help=interval(figure))
        if report.split == "test":
            st.metric("Looks at the test set", run.looks, border=True, height="stretch")
    st.caption(" · ".join(f"{row['title']}: {interval(row)}" for row in own.to_dict("records")))
    if run.origin and run.origin.labels:
        st.caption(run.origin.labels.sentence)
    for sentence in trust_in_validation(report):
        st.caption(f":material/social_distance: {plain(sentence)}")
    if report.split == "test":
        with st.expander("Who looked, and when", icon=":material/visibility:"):
            st.dataframe(looks(studio.home(), run.id), hide_index=True, alt="Looks at the test set")


def _against_untrained(
    report: Report, row: Mapping[Any, Any]
) -> tuple[str, Literal["normal", "off"], Literal["auto", "off"]]:
    """A figure's gain on the untrained student: words, colour and arrow. Only what is no chance has a colour."""
    before = report.value(row["part"], row["metric"], "zero_shot", "student")
    if before is None or report.method == "zero_shot":
        return "", "off", "off"
    gain = row["value"] - before
    if row["metric"] != "accuracy":  # a mean of several parts: each of them is tested beside it
        return f"{gain:+.1f} on zero-shot", "off", "off"
    _, low, high = change(report, row["part"]).total
    if told_apart(low, high):
        return f"{gain:+.1f} on zero-shot", "normal", "auto"
    return ("as zero-shot" if abs(gain) < 0.05 else f"{gain:+.1f}, not distinguishable from zero-shot"), "off", "off"


def methods(run: str, report: Report) -> None:
    """The run beside everything that costs less, on the same images; published figures in a column of their own."""
    rows = headline_rows(report)
    st.plotly_chart(
        charts.bars(rows, label="title", value="value", focus=rows["title"].iloc[0]),
        config=charts.QUIET,
        key="methods",
        alt=f"{_figure(report).capitalize()} of every method on the same images, with 95 % intervals",
    )
    timed = rows.dropna(subset=["seconds"]).drop_duplicates("seconds")
    speed = " · ".join(f"{row.title} {row.seconds:.1f} s" for row in timed.itertuples())
    st.caption(f"Time for 1,000 images on this machine: {speed}. {when_timed(report)}")
    for row, why in report.left_out.items():
        st.caption(f"Left out: {plain(row)}. {plain(why)}")
    percent = st.column_config.NumberColumn(format="%.1f %%")
    columns: dict[str, Any] = dict.fromkeys((_figure(report), "low", "high"), percent)
    columns["seconds"] = st.column_config.NumberColumn("s per 1,000 images", format="%.1f")
    table = rows.drop(columns=["method", "model", "part", "metric"])
    table = table.rename(columns={"title": "method", "value": _figure(report), "what": "what it is", "n": "images"})
    paper = published(studio.home(), run)
    if not paper.empty:
        key = ["method", "model", "part", "metric"]
        given = rows[key].merge(paper[[*key, "value", "source", "note"]], how="left", on=key)
        table = table.assign(paper=given["value"].to_numpy(), source=given["source"].to_numpy())
        table = table.assign(**{"paper's figure is": given["note"].fillna("").to_numpy()})
        columns["paper"] = st.column_config.NumberColumn(
            format="%.2f %%", help="Published, on the whole published test set: not measured here."
        )
        if given["note"].fillna("").str.contains("templates").any():
            st.caption(
                "Published zero-shot figures were made with about 105 templates, the ensemble here with thirty; every "
                "other row has one."
            )
    with st.expander("Figures, and what each row is", icon=":material/help:", expanded=not paper.empty):
        st.dataframe(table, hide_index=True, column_config=columns, alt="Figures of every method, with what it is")
        st.caption(
            "Intervals of 95 %, by a bootstrap over images with their captions."
            if report.by_captions
            else "Intervals of 95 %: Wilson's for an accuracy; a bootstrap over images for a harmonic mean. Two "
            "methods whose intervals overlap may still differ: the view Change compares them image by image."
        )


def _figure(report: Report) -> str:
    """What the figure that answers first is called."""
    return "mean recall" if report.by_captions else "accuracy"


def recalls(report: Report) -> None:
    """How well images and captions find each other, both ways, by every method."""
    for part in report.parts:
        if part.title:
            st.subheader(plain(part.title))
        table = recall_table(report, part.name).rename(columns={"title": "method", "n": "images"})
        percent = st.column_config.NumberColumn(format="%.1f %%")
        columns = {name: percent for name in table.columns if name not in ("method", "images")}
        st.dataframe(table, hide_index=True, column_config=columns, alt="Recalls of every method, both ways")
    st.caption(
        "R@K: how often one of an image's captions (or a caption's image) is among the K nearest; mR is the mean of "
        "the six, low and high its 95 % interval. Among equal scores the expected value under random order counts."
    )


def per_class(report: Report, part: MeasuredPart, names: Names) -> None:
    """Class by class, with intervals, precision and F1."""
    table = figures_per_class(report, part)
    table.insert(0, "class", table["class_key"].map(names))
    table = table.drop(columns=["class_key", "correct"]).sort_values("accuracy")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Class by class**, the weakest first, with 95 % intervals")
        st.plotly_chart(
            charts.bars(table, label="class", value="accuracy"),
            config=charts.QUIET,
            key=f"per_class_{part.name}",
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
            f"{plain(baseline)} was measured on other images: a run of another seed has other validation images. "
            "The test set is the same for all runs.",
            icon=":material/info:",
        )
        return
    points, low, high = found.total
    certain = "unlikely to be chance" if told_apart(low, high) else "could be chance"
    st.markdown(
        f"**{points:+.1f} points** against {plain(baseline)} on the same {found.images:,} images "
        f"(95 % interval {low:+.1f} to {high:+.1f}: {certain}; McNemar's exact test: p = {found.p:.2g})."
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


def confusion(
    project: ProjectSummary, run: str, matrix: str, report: Report, part: MeasuredPart, names: Names
) -> tuple[str, str]:
    """The confusion matrix; a click (or the list) opens a cell's pictures. Returns the cell: true class, said class."""
    cell = cell_choice(matrix, part.classes, confusion_matrix(report, part), names)
    rows = report.said(part.name)
    of_cell = rows[(rows["class_key"] == cell[0]) & (rows["predicted"] == cell[1])]
    st.markdown(f"**{plain(names[cell[0]])}** taken for **{plain(names[cell[1]])}**: {counted(len(of_cell), 'image')}")
    if of_cell.empty:
        st.caption("No image. Click another cell, or choose one from the list.")
        return cell
    of_cell = of_cell.sort_values("probability", ascending=False)
    captions = [f"{names[cell[1]]} {share:.0%}" for share in of_cell["probability"]]
    paths = pictures(studio.home(), run, of_cell["image_id"].tolist(), part.name)
    paged_gallery(paths, captions, project.recipe, key=f"cell_page_{matrix}")
    return cell


def cell_choice(matrix: str, keys: list[str], counts: Sequence[Sequence[int]], names: Names) -> tuple[str, str]:
    """Draw a confusion matrix with its list of cells, the most confused first; returns the chosen one.

    Args:
        keys: the C classes. counts: (C, C), row = true class, column = what was said.
    """
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


def mistakes(project: ProjectSummary, run: str, report: Report, part: MeasuredPart, names: Names) -> None:
    """Wrong and sure of it: the mistakes with the highest probability, as pictures."""
    rows = report.said(part.name)
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
    paths = pictures(studio.home(), run, shown["image_id"].tolist(), part.name)
    gallery(paths, captions, project.recipe, columns=6)
    st.caption("True class → what the student said, each with its probability. Wrong labels show up here too.")


def calibration(report: Report, part: MeasuredPart) -> None:
    """Whether a probability means what it says."""
    table = reliability_table(report, part.name)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(
            evaluation_charts.reliability(table),
            config=charts.QUIET,
            key=f"reliability_{part.name}",
            alt="Reliability diagram: how often the student is right, by the probability it gives",
        )
    with right:
        st.metric("Calibration error (ECE)", f"{report.value(part.name, 'calibration_error'):.1f} %", border=True)
        st.caption(
            f"Mean distance between probability and accuracy over {len(table)} bins, weighted by their "
            f"{table['images'].sum():,} images. Points below the dotted line: overconfident."
        )
        fitted, softened = report.figure(part.name, "temperature"), report.value(part.name, "calibrated_error")
        if fitted is None:
            st.caption("Too few validation images (or no mistake among them) to fit a temperature.")
        elif softened is not None:
            st.metric("ECE with the fitted temperature", f"{softened:.1f} %", border=True)
            where = "these images" if part.trained else "images of the trained classes, for novel ones have no labels"
            what = "the validation images" if part.trained else f"{fitted['n']} validation {where}"
            st.caption(f"Temperature {fitted['value']:.2f}, fitted on {what}.")
        else:
            st.caption(
                f"A temperature of {fitted['value']:.2f} fits these {fitted['n']} {report.split} images best. What it "
                "is worth can only be measured on other images: the sealed test set shows the error with it."
            )
