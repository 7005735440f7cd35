"""Evaluation: what the student gained, beside everything that would have cost less."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import session, shell
from app.components import charts
from app.components.background import Progress, computed
from avion_core.studio.insight import evaluate_run

_ROWS = {
    "accuracy": ("AVION student", "The trained student."),
    "zero_shot_accuracy": ("Student, zero-shot", "The same backbone without training."),
    "class_mean_accuracy": ("Class mean", "Mean image feature per class; no training."),
    "class_mean_text_accuracy": ("Class mean + text", "The same with the class's text added; no training."),
    "linear_probe_accuracy": ("Linear probe", "A linear classifier on the student's frozen image features."),
    "teacher_zero_shot_accuracy": ("Teacher, zero-shot", "The large model itself."),
    "teacher_class_mean_accuracy": ("Teacher, class mean", "Mean teacher feature per class."),
    "teacher_linear_probe_accuracy": ("Teacher, linear probe", "A linear classifier on the teacher's features."),
    "harmonic_mean": ("Harmonic mean of base and novel", "2BN / (B + N)."),
    "base_accuracy": ("Base classes", "Accuracy over base classes among base classes."),
    "novel_accuracy": ("Novel classes", "Accuracy over novel classes among novel classes."),
    "zero_shot_base_accuracy": ("Zero-shot, base", "The untrained student on base classes."),
    "zero_shot_novel_accuracy": ("Zero-shot, novel", "The untrained student on novel classes."),
}


def page() -> None:
    project = shell.need_project()
    run = shell.need_run(project, ("finished", "stopped"), "Figures need a trained student.")
    split = split_choice(run.id)

    def evaluate(progress: Progress) -> dict:
        return evaluate_run(session.home(), run.id, split=split, who=session.reviewer())

    result = computed(f"evaluate:{run.id}:{run.step}:{split}", f"Evaluating on the {split} images", evaluate)
    headline(result)
    rows = pd.DataFrame(
        {"method": name, "accuracy": result[key], "what it is": what}
        for key, (name, what) in _ROWS.items()
        if result.get(key) is not None
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(
            charts.bars(rows, label="method", value="accuracy"),
            config=charts.QUIET,
            key="methods",
            alt="Accuracy of every method on the same images",
        )
    with right:
        st.dataframe(
            rows,
            hide_index=True,
            alt="Accuracy of every method",
            column_config={"accuracy": st.column_config.NumberColumn(format="%.1f %%")},
        )
    names = {entry.key: entry.prompt_name for entry in project.classes}
    per_class(result, names)


def split_choice(run_id: str) -> str:
    """Validation, unless somebody opens the sealed test set on purpose; that look is counted."""
    with st.container(horizontal=True, vertical_alignment="center"):
        opened = st.toggle(
            "Use the sealed test set",
            key=f"unsealed_{run_id}",
            help="Tune on validation. Each look at the test set is recorded, and reports count the looks.",
        )
        st.caption(":material/lock_open: This look is recorded." if opened else ":material/lock: Validation images.")
    return "test" if opened else "validation"


def headline(result: dict) -> None:
    gain = result["accuracy"] - result["zero_shot_accuracy"]
    with st.container(horizontal=True):
        st.metric("Accuracy", f"{result['accuracy']:.1f} %", f"{gain:+.1f} on zero-shot", border=True)
        st.metric("Macro accuracy", f"{result['macro_accuracy']:.1f} %", border=True)
        st.metric("Macro F1", f"{result['macro_f1']:.1f} %", border=True)
        if result.get("looks"):
            st.metric("Looks at the test set", result["looks"], border=True)


def per_class(result: dict, names: dict[str, str]) -> None:
    table = pd.DataFrame(result["per_class"])
    table["class"] = table["class_key"].map(names)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Class by class")
        st.plotly_chart(
            charts.bars(table.sort_values("accuracy"), label="class", value="accuracy", low="low", high="high"),
            config=charts.QUIET,
            key="per_class",
            alt="Accuracy per class with 95 % intervals",
        )
    with right:
        st.subheader("What is taken for what")
        labels = [names[key] for key in result["class_keys"]]
        st.plotly_chart(
            charts.confusion(pd.DataFrame(result["confusion"], index=labels, columns=labels)),
            config=charts.QUIET,
            key="confusion",
            alt="Confusion matrix",
        )


page()
