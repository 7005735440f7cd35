"""A run among its siblings: figures over shots and over seeds, and what they still lack."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.components.evaluation import evaluation_charts
from app.components.evaluation.measuring import measuring_failed, measuring_panel
from app.kit import charts
from app.kit.guard import plain
from app.state import studio
from avion_core.usecases.insight.measuring import evaluation_job, start_evaluation
from avion_core.usecases.insight.protocol_runs import over_seeds, over_shots
from avion_core.usecases.runs.views import RunView


def shots_panel(run: RunView, split: str) -> None:
    """The protocol's first figure over labelled images per class, mean and standard deviation over seeds."""
    found = over_shots(studio.home(), run.id, split)
    if found.curve.empty:
        st.info("No finished run of these settings has figures yet.", icon=":material/info:")
    else:
        st.plotly_chart(
            evaluation_charts.over_shots(found.curve, found.points),
            config=charts.QUIET,
            key="over_shots",
            alt="Accuracy over shots, mean and standard deviation over seeds",
        )
        images = (
            "The test set is the same for all shots and seeds."
            if split == "test"
            else "A K-shot run has min(K, 4) validation images per class: the points are measured on different images."
        )
        st.caption(
            f"Finished runs with these settings, whatever their shots and seed; bars: ± 1 standard deviation. {images}"
        )
        figure = st.column_config.NumberColumn(format="%.1f")
        st.dataframe(
            found.curve.rename(columns={"title": "method"}),
            hide_index=True,
            column_config={"mean": figure, "deviation": figure},
            alt="Mean and standard deviation over seeds",
        )
    _measure_others(found.unmeasured, split)
    _missing([f"{shots}-shot, seed {seed}" for shots, seed in found.missing])


def seeds_panel(run: RunView, split: str) -> None:
    """The protocol's figures of every seed, and their mean."""
    found = over_seeds(studio.home(), run.id, split)
    rows = found.rows.assign(seed=found.rows["seed"].astype(str)).drop(columns=["run_id"])
    table = pd.concat([rows, pd.DataFrame([{"seed": "mean", **found.mean}])], ignore_index=True)
    columns = {name: st.column_config.NumberColumn(format="%.1f %%") for name in table.columns if name != "seed"}
    st.dataframe(table, hide_index=True, column_config=columns, alt="The protocol's figures over seeds")
    st.caption(
        "The summary over parts (a harmonic mean, say) is computed from the mean accuracies, as in the literature."
    )
    _measure_others(found.unmeasured, split)
    _missing([f"{run.config.data.shots}-shot, seed {seed}" for seed in found.missing])


def _measure_others(unmeasured: list[str], split: str) -> None:
    """Runs that are trained but have no figures of this split: a button measures them."""
    if not unmeasured:
        return
    many = "1 finished run has" if len(unmeasured) == 1 else f"{len(unmeasured)} finished runs have"
    st.markdown(f"{many} not been evaluated on the {split} images yet.")
    job = evaluation_job(studio.home(), unmeasured, split)
    if job is not None and job.active:
        measuring_panel(job, "Evaluating")
        return
    if job is not None and job.error:
        measuring_failed(job)
    look = " Each counts as a look at the test set." if split == "test" else ""
    if st.button("Evaluate now", icon=":material/fact_check:", help=f"Takes a while for each run.{look}"):
        start_evaluation(studio.home(), unmeasured, split)
        st.rerun()


def _missing(missing: list[str]) -> None:
    """What nobody has trained yet, with the way there."""
    if not missing:
        return
    st.markdown(f"**Not trained yet** ({len(missing)}): {plain(' · '.join(missing))}")
    shell.go_button("Train them", "launch", "rocket_launch", primary=False)
