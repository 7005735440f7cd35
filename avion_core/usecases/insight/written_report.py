"""A report to hand over: one file that needs nothing else, of one run or of several beside each other."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from avion_core import __version__
from avion_core.errors import DataError
from avion_core.plots import results
from avion_core.plots.drawn import Drawn
from avion_core.progress import Progress
from avion_core.store.home import Home
from avion_core.usecases.insight.compare import Comparison, compare_runs
from avion_core.usecases.insight.evaluation import Report, change, common_parts, evaluate_run, kept_report
from avion_core.usecases.insight.figure_words import change_in_words
from avion_core.usecases.insight.measuring import opened_report
from avion_core.usecases.insight.report_contents import CURVES, run_contents
from avion_core.usecases.policies import UNSEAL, demand, use_case
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.trained import trained_run
from avion_core.usecases.runs.views import get_run


@dataclass(frozen=True)
class WrittenReport:
    """A report and its figures."""

    name: str
    """Of its files, without an ending."""
    html: str
    """The whole report: pictures and figures are in it, and it loads nothing."""
    figures: dict[str, Drawn]
    """File name without an ending -> the figure."""

    def figures_zip(self) -> bytes:
        """Every figure as SVG and as PNG."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, figure in self.figures.items():
                archive.writestr(f"{name}.svg", figure.svg)
                archive.writestr(f"{name}.png", figure.png)
        return stream.getvalue()


@use_case
def write_report(
    home: Home, runs: Sequence[str], *, test: bool = False, progress: Progress | None = None
) -> WrittenReport:
    """One run, or several of a project side by side: figures, curves, map, confusion, mistakes, texts and settings.

    What was not measured on the validation images is measured. In a blind review, the verdicts of others on texts that
    the actor has not judged are left out.

    Args:
        test: also show what was measured on the sealed test set, which is a look at it; without it, nothing of that
            set is in the report but how often it was looked at.

    Raises:
        NotFoundError, TrainingError: no such run, or one that has not been trained yet.
        RightsError: the test set, for somebody who may not open it.
        DataError: no run, runs of different projects, or a test set that was never measured.
    """
    if test:
        demand(home.actor, UNSEAL)
    views = [trained_run(home, run) for run in runs]
    if len({view.project_id for view in views}) != 1:
        hint = "Give runs of one project; sweeps make tables over several."
        raise DataError("a report is of one or more runs of a project", hint, value=", ".join(runs))
    compared = compare_runs(home, [view.id for view in views])
    figures: dict[str, Drawn] = {}
    contents, reports = [], {}
    for label, view in compared.runs.items():
        measured = [kept_report(home, view.id, "validation") or evaluate_run(home, view.id, progress=progress)]
        if test:
            measured.append(opened_report(home, view.id))
        reports[label] = measured[0]
        walked = compared.curves[label]
        contents.append(run_contents(home, label, get_run(home, view.id), measured, walked, figures))
    overlaid, changes = _beside(compared, reports) if len(contents) > 1 else ({}, [])
    named = {_file_name(name): figure for name, figure in ({**overlaid, **figures}).items()}
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=" and ".join(one.label for one in contents),
            project=get_project(home, views[0].project_id),
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
            runs=contents,
            differing=compared.settings.to_dict("records"),
            labels=list(compared.runs),
            changes=changes,
            overlaid=[_file_name(name) for name in overlaid],
            figures={name: _address(figure) for name, figure in named.items()},
            file_name=_file_name,
            test=test,
        )
    )
    return WrittenReport(_file_name(f"report {' '.join(compared.runs)}")[:80], html, named)


def _beside(compared: Comparison, reports: dict[str, Report]) -> tuple[dict[str, Drawn], list[str]]:
    """Curves of all runs in one figure, and what each gets right that the one before it got wrong."""
    tables = {label: each.table for label, each in compared.curves.items()}
    figures: dict[str, Drawn] = {}
    for column, title in CURVES.items():
        drawn = results.curves(tables, column, title)
        if drawn is not None:
            figures[f"compared {column}"] = drawn
    said = []
    for (before, baseline), (after, report) in pairwise(reports.items()):
        common = common_parts(report, baseline)
        if report.by_captions and baseline.by_captions:
            said.append(f"{after} and {before} were trained on captions: compare their recalls by the intervals.")
        elif not common:
            said.append(f"{after} and {before} were trained under different protocols: nothing to compare.")
        for part in common:
            found = change(report, part.name, baseline)
            where = f", {part.title.lower()}" if part.title else ""
            said.append(f"{after}{where}: {change_in_words(found, before)}.")
            if found.images:
                figures[f"compared {after} with {before} {part.name}"] = _change_figure(found.per_class, after, before)
    return figures, said


def _change_figure(per_class: pd.DataFrame, after: str, before: str) -> Drawn:
    table = per_class[per_class["images"] > 0].sort_values("change")
    table = table.rename(columns={"class_key": "label", "change": "value"})
    return results.intervals(table, "percentage points", f"Change per class, {after} against {before}", zero=True)


def _file_name(name: str) -> str:
    """Letters, digits and dashes, whatever people call their runs."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")


def _address(figure: Drawn) -> Markup:
    """The SVG as the source of an image: nothing in it can run, and its names meet no other figure's."""
    data = base64.b64encode(figure.svg).decode()
    return Markup('<img src="data:image/svg+xml;base64,{}" alt="{}">').format(data, figure.alt)


def _environment() -> Environment:
    """All that is shown is escaped, and a name that the template has wrong is an error."""
    loader = PackageLoader("avion_core.usecases.insight", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
