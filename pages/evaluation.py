"""Evaluation: what the student gained, beside everything that would have cost less."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import session, shell
from app.components import charts
from app.components.background import Progress, computed
from avion_core.studio.evaluation import evaluate_run

_ROWS = {
    "accuracy": ("AVION", "The trained student."),
    "harmonic_mean": ("AVION, harmonic mean", "2BN / (B + N) of the two below."),
    "base_accuracy": ("AVION, base", "Base classes, told apart among base classes."),
    "novel_accuracy": ("AVION, novel", "Novel classes, told apart among novel classes."),
    "zero_shot_accuracy": ("Student, zero-shot", "The same backbone and template, untrained."),
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


def page() -> None:
    project = shell.need_project()
    run = shell.need_run(project, ("finished", "stopped"), "Figures need a trained student.")
    split = split_choice(run.id)

    def evaluate(progress: Progress) -> dict[str, Any]:
        return evaluate_run(session.home(), run.id, split=split, who=session.reviewer(), progress=progress)

    result = computed(f"evaluate:{run.id}:{run.step}:{split}", f"Measuring on the {split} images", evaluate)
    headline(result)
    methods(result)
    names = {entry.key: entry.prompt_name for entry in project.classes}
    parts = {"Base classes": "base", "Novel classes": "novel"} if "base" in result else {"": None}
    for title, part in parts.items():
        per_class(result[part] if part else result, names, title)


def split_choice(run_id: str) -> str:
    """Validation, unless somebody opens the sealed test set on purpose; that look is counted."""
    with st.container(horizontal=True, vertical_alignment="center"):
        opened = st.toggle(
            "Use the sealed test set",
            key=f"unsealed_{run_id}",
            help="Tune on validation. Each look at the test set is recorded, and reports count the looks.",
        )
        st.caption(":material/lock_open: This look is recorded" if opened else ":material/lock: Validation images")
    return "test" if opened else "validation"


def headline(result: dict[str, Any]) -> None:
    """The figures that answer "did it help?"."""
    base_to_novel = result["protocol"] == "base-to-novel"
    shown = ("harmonic_mean", "base_accuracy", "novel_accuracy") if base_to_novel else ("accuracy",)
    with st.grid(4):
        for key in shown:
            gain = result[key] - result[f"zero_shot_{key}"]
            st.metric(_ROWS[key][0], f"{result[key]:.1f} %", f"{gain:+.1f} on zero-shot", border=True)
        for key, name in (("macro_accuracy", "Macro accuracy"), ("macro_f1", "Macro F1")):
            if key in result:
                st.metric(name, f"{result[key]:.1f} %", border=True, height="stretch")
        if result["split"] == "test":
            st.metric("Looks at the test set", result["looks"], border=True, height="stretch")


def methods(result: dict[str, Any]) -> None:
    """AVION beside everything that costs less, on the same images."""
    rows = pd.DataFrame(
        {"method": name, "accuracy": result[key], "what it is": what}
        for key, (name, what) in _ROWS.items()
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
    with st.expander("What each row is", icon=":material/help:"):
        st.dataframe(
            rows,
            hide_index=True,
            column_config={"accuracy": st.column_config.NumberColumn(format="%.1f %%")},
            alt="Accuracy of every method, with what it is",
        )


def per_class(part: dict[str, Any], names: dict[str, str], title: str) -> None:
    """Class by class, and which classes are taken for which."""
    table = pd.DataFrame(part["per_class"])
    table["class"] = table["class_key"].map(names)
    if title:
        st.subheader(title)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Class by class**, with 95 % intervals")
        st.plotly_chart(
            charts.bars(table.sort_values("accuracy"), label="class", value="accuracy"),
            config=charts.QUIET,
            key=f"per_class_{title}",
            alt="Accuracy per class with 95 % intervals",
        )
    with right:
        st.markdown("**What is taken for what** (rows: true class)")
        labels = [names[key] for key in part["class_keys"]]
        st.plotly_chart(
            charts.confusion(pd.DataFrame(part["confusion"], index=labels, columns=labels)),
            config=charts.QUIET,
            key=f"confusion_{title}",
            alt="Confusion matrix",
        )


page()
