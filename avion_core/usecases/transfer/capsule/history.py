"""The verdicts of a capsule held against what its runs took: who decided what before a run gives its descriptions."""

from __future__ import annotations

from collections.abc import Iterator

from avion_core.descriptions.schema import PastDecision
from avion_core.reading import Subject, fitted, parse_json, point_in_time, read_text
from avion_core.store.current_verdicts import verdict_after
from avion_core.usecases.transfer.capsule.facts import AGAIN, CapsuleRun, Contents
from avion_core.wording import counted

_VERDICTS = Subject("the capsule's list of verdicts", hint=AGAIN)


def verdict_notes(contents: Contents) -> Iterator[str]:
    """A sentence for each run whose descriptions stand otherwise by the verdicts up to its beginning.

    No more than a note: verdicts that a colleague sent later, with the dates of when they were given, look the same.

    Raises:
        DataError: a list of verdicts is missing, or holds what is none; the line is named.
    """
    histories = {key: _read(contents, key) for key in contents.facts.histories}
    for run in contents.facts.runs:
        table = contents.project(run.inputs).descriptions
        unlike = sum(1 for _ in _unlike(contents, run, histories[run.history]))
        if unlike:
            yield (
                f"{run.name}: by projects/{run.history}/verdicts.jsonl {unlike:,} of "
                f"{counted(len(table), 'description')} stood otherwise than the run took them. Verdicts that were "
                "imported after it began do that."
            )


def _unlike(contents: Contents, run: CapsuleRun, history: dict[str, list[PastDecision]]) -> Iterator[str]:
    began = point_in_time(run.created_at)
    for row in contents.project(run.inputs).descriptions.to_dict("records"):
        before = [
            decision
            for decision in history.get(row["description_id"], ())
            if began is None or (when := point_in_time(decision.created_at)) is None or when <= began
        ]
        now = verdict_after(before)
        verdicts = {now.verdict if now else "undecided"}
        if run.config.data.label_budget == "kept":  # a verdict that has seen other labels is left out
            verdicts.add("undecided")
        if row["verdict"] not in verdicts or (now is not None and now.text != row["text"]):
            yield row["description_id"]


def _read(contents: Contents, key: str) -> dict[str, list[PastDecision]]:
    """Description id -> decisions on it, the oldest first."""
    found: dict[str, list[PastDecision]] = {}
    lines = read_text(contents.folder / "projects" / key / "verdicts.jsonl", _VERDICTS).splitlines()
    for number, line in enumerate(lines, start=1):
        where = f"projects/{key}/verdicts.jsonl, line {number}"
        said = fitted(dict, parse_json(line, _VERDICTS, value=where), _VERDICTS, value=where)
        description_id = said.pop("description_id", "")
        decision = fitted(PastDecision, said, _VERDICTS, value=where)
        if point_in_time(decision.created_at) is None:
            raise _VERDICTS.refused("has a decision without a date", value=where)
        found.setdefault(str(description_id), []).append(decision)
    return found
