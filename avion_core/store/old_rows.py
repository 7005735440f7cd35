"""Rows of packs that an older AVION Studio made, as the tables have them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]

_KINDS = {"runs": "training", "generations": "writing"}
_SAME = ("id", "project_id", "state", "created_at", "started_at", "ended_at", "host", "pid", "process_started",
         "heartbeat_at", "cause", "error")  # fmt: skip
_GONE = (*_SAME[2:], "stop_requested", "lease", "device", "stage", "expected_end", "who")


def with_jobs(tables: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Row]]:
    """Tables of schema 0001 with the jobs that migration 0002 makes of their runs and generations.

    Tables that have jobs, and rows that are none, are left as they are: checking them is the reader's.
    """
    if "jobs" in tables or not any(tables.get(name) for name in _KINDS):
        return tables
    rows = [row for name in _KINDS for row in tables.get(name, ())]
    if not all(isinstance(row, dict) and {"id", "project_id", "state"} <= row.keys() for row in rows):
        return tables
    jobs = [_job(row, kind) for name, kind in _KINDS.items() for row in tables.get(name, ())]
    slim = {
        name: [{column: value for column, value in row.items() if column not in _GONE} for row in tables[name]]
        for name in _KINDS
        if name in tables
    }
    return {**tables, "jobs": jobs, **slim}


def _job(row: Row, kind: str) -> Row:
    training = kind == "training"
    on_gpu = training and row.get("device") not in (None, "CPU")
    return {column: row.get(column) for column in _SAME} | {
        "kind": kind,
        "request": {},
        "who": row.get("who", "me"),
        "stop_asked": bool(row.get("stop_requested")),
        "lane": ("gpu" if on_gpu else "cpu") if training else "network",
        "device": row.get("device"),
        "boot": "",
        "stage": row.get("stage", ""),
        "done": row.get("step" if training else "classes_done", 0),
        "total": row.get("steps" if training else "classes", 0),
        "expected_end": row.get("expected_end"),
    }
