"""A run among its siblings: the few-shot curve and the base-to-novel table, and what they still lack."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.components.evaluation import evaluation_charts
from app.components.evaluation.evaluation_panels import METHODS
from app.kit import charts
from app.kit.background import computed, is_computed
from app.state import studio, visitor
from avion_core.progress import Progress
from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.insight.protocol_runs import BASE_TO_NOVEL, FEW_SHOT_METHODS, base_to_novel, few_shot_curve
from avion_core.usecases.runs.training import RunView


def over_shots(run: RunView, split: str) -> None:
    """Accuracy over labelled images per class, mean and standard deviation over seeds."""
    found = few_shot_curve(studio.home(), run.id, split)
    if found.curve.empty:
        st.info("No finished run of these settings has figures yet.", icon=":material/info:")
    else:
        titles = {method: METHODS[method][0] for method in FEW_SHOT_METHODS}
        st.plotly_chart(
            evaluation_charts.over_shots(found.curve, found.points, titles),
            config=charts.QUIET,
            key="over_shots",
            alt="Accuracy over shots, mean and standard deviation over seeds",
        )
        images = (
            "The test set is the same for all shots and seeds."
            if split == "test"
            else "A run of K shots has min(K, 4) validation images a class, so its points rest on different images."
        )
        st.caption(f"Finished runs with these settings, whatever their shots and seed; bars: ± 1 deviation. {images}")
        table = found.curve.assign(method=found.curve["method"].map(titles))
        figure = st.column_config.NumberColumn(format="%.1f")
        st.dataframe(
            table,
            hide_index=True,
            column_config={"mean": figure, "deviation": figure},
            alt="Mean and standard deviation over seeds",
        )
    _measure_others(found.unmeasured, split)
    _missing([f"{shots}-shot, seed {seed}" for shots, seed in found.missing])


def over_seeds(run: RunView, split: str) -> None:
    """Base, novel and harmonic mean of every seed, and their mean."""
    found = base_to_novel(studio.home(), run.id, split)
    rows = found.rows.assign(seed=found.rows["seed"].astype(str)).drop(columns=["run_id"])
    table = pd.concat([rows, pd.DataFrame([{"seed": "mean", **found.mean}])], ignore_index=True)
    columns = {name: st.column_config.NumberColumn(METHODS[name][0], format="%.1f %%") for name in BASE_TO_NOVEL}
    st.dataframe(table, hide_index=True, column_config=columns, alt="Base, novel and harmonic mean over seeds")
    st.caption("The mean's harmonic mean is that of the mean base and mean novel accuracy, as the literature has it.")
    _measure_others(found.unmeasured, split)
    _missing([f"{run.config.data.shots}-shot, seed {seed}" for seed in found.missing])


def _measure_others(unmeasured: list[str], split: str) -> None:
    """Runs that are trained but have no figures of this split: a button measures them."""
    if not unmeasured:
        return
    key = f"measure:{split}:{':'.join(unmeasured)}"
    many = "1 finished run was" if len(unmeasured) == 1 else f"{len(unmeasured)} finished runs were"
    st.markdown(f"{many} not measured on the {split} images beside its baselines yet.")
    look = " Each counts as a look at the test set." if split == "test" else ""
    asked = st.button("Measure now", icon=":material/fact_check:", help=f"Takes a while for each run.{look}", key=key)
    if not asked and not is_computed(key):
        return
    who = visitor.reviewer()

    def measure(progress: Progress) -> None:
        for run in unmeasured:
            evaluate_run(studio.home(), run, split, who, progress=progress)

    computed(key, "Measuring", measure)
    st.rerun()


def _missing(missing: list[str]) -> None:
    """What nobody has trained yet, with the way there."""
    if not missing:
        return
    st.markdown(f"**Not trained yet** ({len(missing)}): {' · '.join(missing)}")
    shell.go_button("Train them", "launch", "rocket_launch", primary=False)
