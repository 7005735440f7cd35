"""The documents of a capsule that are read, not computed with: README, methods, model card, licences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from avion_core.protocols import result_tables
from avion_core.usecases.insight.trust import trust_in_validation
from avion_core.usecases.transfer.capsule.facts import CapsuleRun, Contents
from avion_core.usecases.transfer.capsule.methods_paragraph import by_title, methods_document, plain
from avion_core.wording import counted

UNKNOWN = "unknown"
WORDS = ("README.md", "methods.md", "model-card.md", "licences.md")
"""They follow the version that writes them; the others are the same in every version."""


def words(contents: Contents, tables: Mapping[str, pd.DataFrame]) -> dict[str, bytes]:
    """WORDS by their names.

    Args:
        tables: split -> its results.
    """
    written = _readme(contents), methods_document(contents), _model_card(contents, tables), _licences(contents)
    return {name: text.encode() for name, text in zip(WORDS, written, strict=True)}


def _readme(contents: Contents) -> str:
    facts = contents.facts
    rows = [
        f"| {plain(run.title)} | {plain(facts.inputs[run.inputs].project)} | {run.config.protocol.name} | "
        f"{run.config.data.shots} | {run.config.data.seed} | {run.id} |"
        for run in facts.runs
    ]
    people = "their own names" if facts.named else "“reviewer 1” and so on, the same throughout this capsule"
    return f"""# A publication capsule

What {counted(len(facts.runs), "run")} of AVION Studio {facts.made_with} were made from and what they came to; written
{facts.made_at}. No images and no weights are inside. `avion verify FILE --images FOLDER` trains and measures all of it
again and says what differs; `avion verify FILE --figures-only` makes the tables again from the predictions by image.

| file | what it holds |
|---|---|
| `capsule.json` | the runs and their settings, and every file here with its SHA-256 |
| `methods.md` | a methods paragraph, with the source of each method |
| `tables/` | the results as Markdown, CSV and LaTeX |
| `figures.csv` | every figure of every run, seed by seed, with n and interval |
| `runs/ID/predictions-SPLIT.parquet` | what each method said of each image, for paired tests |
| `runs/ID/report-SPLIT.parquet` | the figures as they were measured |
| `splits/` | for each seed and number of shots: hashes by part and class, and CoOp's JSON |
| `inputs/` | the images (hash, path, label), splits, classes and descriptions as runs saw them |
| `projects/KEY/verdicts.jsonl` | every decision on descriptions; people go by {people} |
| `projects/KEY/rules.json` | every version of the rules |
| `model-card.md`, `licences.md` | what was trained and on what; the terms of data, descriptions and weights |

| row | project | protocol | shots | seed | run |
|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


def _model_card(contents: Contents, tables: Mapping[str, pd.DataFrame]) -> str:
    facts = contents.facts
    said = ["# Model card", "Students that the runs of this capsule trained. The weights are not inside."]
    for title, runs in by_title(facts.runs).items():
        said += [f"## {plain(title)}", "\n".join(f"- {line}" for line in _of_row(contents, runs))]
    for split, table in tables.items():
        said += [f"## Measured on the {split} images", result_tables.as_markdown(table).replace("## ", "### ").strip()]
    said += ["## How far to trust the validation figures", "\n".join(_trust(contents)) or "Not measured."]
    said += [
        "## Limits",
        "Measured on the images of these projects alone. Images of other sensors, places or seasons were not tried "
        "unless a table says so. What could not be measured: " + ("; ".join(_left_out(contents)) or "nothing") + ".",
    ]
    return "\n\n".join(said) + "\n"


def _of_row(contents: Contents, runs: list[CapsuleRun]) -> Iterator[str]:
    config = runs[0].config
    projects = dict.fromkeys(contents.facts.inputs[run.inputs].project for run in runs)
    yield f"Method: {config.method}; teacher {config.teacher}, backbone {config.student}"
    yield f"Trained on: {', '.join(map(plain, projects))}"
    yield f"Trained numbers: {max(run.trained_parameters for run in runs):,}"
    names = contents.project(runs[0].inputs).class_names
    yield f"Classes: {', '.join(map(plain, names.values()))}"
    yield f"Looks at the sealed test set: {sum(len(run.looks) for run in runs):,}"


def _trust(contents: Contents) -> Iterator[str]:
    for run, report in contents.reports("validation"):
        for sentence in trust_in_validation(report):
            yield f"- {plain(run.name)}: {sentence}"


def _left_out(contents: Contents) -> list[str]:
    reports = [report for split in contents.splits for _, report in contents.reports(split)]
    return list(dict.fromkeys(f"{row} ({plain(why)})" for report in reports for row, why in report.left_out.items()))


def _licences(contents: Contents) -> str:
    facts = contents.facts
    lines = ["# Licences", "Where a term is unknown, ask before you use or share.", "## Images"]
    for data in facts.inputs.values():
        of_set = (
            f"; {data.known_as} ({data.page}), whose classes it has: {plain(data.licence)}" if data.known_as else ""
        )
        lines.append(f"- {plain(data.project)}: {UNKNOWN}{of_set}")
    lines.append("## Descriptions")
    for key, data in facts.inputs.items():
        writers = contents.project(key).descriptions["writer"].value_counts()
        for writer, count in sorted(writers.items()):
            by = plain(str(writer)) or "a writer that was not recorded"
            lines.append(f"- {plain(data.project)}: {counted(count, 'description')} by {by}: {UNKNOWN}")
    lines.append("## Weights")
    for one in facts.weights:
        lines.append(
            f"- {plain(one.title)} (`{one.name}`, {one.bytes:,} bytes, SHA-256 `{one.sha256}`): {plain(one.licence)}. "
            f"{plain(one.source)}. {plain(one.warning)}".rstrip(". ")
        )
    lines += ["## Code", f"- AVION Studio {facts.made_with}: Apache-2.0"]
    return "\n".join(line if not line.startswith("#") else f"\n{line}\n" for line in lines).strip() + "\n"
