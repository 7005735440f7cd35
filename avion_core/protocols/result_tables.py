"""Tables of results as papers print them: mean and standard deviation over seeds, with what was copied kept apart.

Every table is made from one long one (COLUMNS), a row per method and figure, so that Markdown, CSV and LaTeX say the
same.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd

COLUMNS = (
    "project", "protocol", "shots", "row", "part", "metric", "mean", "deviation", "seeds", "images",
    "gain", "gain_low", "gain_high", "seconds", "parameters", "published", "source", "note",
)  # fmt: skip
"""mean, deviation (n - 1; NaN for a single seed): percent. seconds: of training, mean over seeds. gain: points over the
row that is compared with, on the same images. published: a paper's figure, copied, with its source; NaN for none."""
COPIED = "copied from the paper, not measured"
FORMATS = ("markdown", "csv", "latex")


def as_csv(table: pd.DataFrame) -> str:
    """The long table itself, figures in full."""
    return table[list(COLUMNS)].to_csv(index=False, lineterminator="\n")


def as_markdown(table: pd.DataFrame) -> str:
    """A table for each project, protocol and figure: rows by shots."""
    return _document(table, _markdown, "## {}", "\n\n")


def as_latex(table: pd.DataFrame) -> str:
    """The same as `tabular` environments (booktabs), with every sign of people's own escaped."""
    return _document(table, _latex, "% {}", "\n\n")


def spread(mean: float, deviation: float, seeds: int) -> str:
    """ "56.4 ± 1.1 (n = 3)", "56.4 (n = 1)", "–" for nothing."""
    if not seeds or math.isnan(mean):
        return "–"
    around = "" if math.isnan(deviation) else f" ± {deviation:.1f}"
    return f"{mean:.1f}{around} (n = {seeds})"


def _document(
    table: pd.DataFrame, written: Callable[[Sequence[str], list[list[str]]], str], head: str, between: str
) -> str:
    said: list[str] = []
    for (project, protocol, part, metric), of in table.groupby(["project", "protocol", "part", "metric"], sort=False):
        title = f"{project}, {protocol}: {metric}".replace("_", " ") + (f" ({part})" if part else "")
        said.append(f"{head.format(' '.join(title.split()))}\n\n{written(*_grid(of))}")
        for source in of.loc[of["source"] != "", ["source", "note"]].drop_duplicates().itertuples(index=False):
            said[-1] += (
                f"\n\n{head.format('') if head[0] == '%' else ''}{source.source}: {COPIED}. {source.note}".rstrip()
            )
    return between.join(said) + "\n"


def _grid(of: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Head and cells: a row for each method, a column for each number of shots."""
    shots = sorted(of["shots"].unique())
    compared = bool(of["gain"].notna().any())
    copied = bool(of["published"].notna().any())
    head = [""]
    for count in shots:
        head.append(f"{count} shot{'s' if count > 1 else ''}")
        head += ["gain"] if compared else []
        head += ["paper (copied)"] if copied else []
    head += ["images", "trained numbers", "training seconds"]
    lines: list[list[str]] = []
    for title, of_row in of.groupby("row", sort=False):
        by_shots = of_row.set_index("shots")
        line = [str(title)]
        for count in shots:
            one = by_shots.loc[count].to_dict() if count in by_shots.index else {}
            line.append(spread(one["mean"], one["deviation"], int(one["seeds"])) if one else "–")
            if compared:
                none = not one or math.isnan(one["gain"])
                line.append("" if none else f"{one['gain']:+.1f} ({one['gain_low']:+.1f} to {one['gain_high']:+.1f})")
            if copied:
                line.append("" if not one or math.isnan(one["published"]) else f"{one['published']:.2f}")
        most = of_row.iloc[-1]
        seconds = "" if math.isnan(most["seconds"]) else f"{most['seconds']:,.0f}"
        parameters = "" if math.isnan(most["parameters"]) else f"{most['parameters']:,.0f}"
        lines.append([*line, f"{most['images']:,.0f}", parameters, seconds])
    return head, lines


def _markdown(head: Sequence[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    )


_TEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
}


def _latex(head: Sequence[str], lines: list[list[str]]) -> str:
    def row(cells: Sequence[str]) -> str:
        return " & ".join("".join(_TEX.get(sign, sign) for sign in cell) for cell in cells) + r" \\"

    body = [row(head), r"\midrule", *map(row, lines)]
    columns = "l" + "r" * (len(head) - 1)
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *body, r"\bottomrule", r"\end{tabular}"])
