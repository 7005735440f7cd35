"""What all commands share: --json, --home and --debug, progress, and how a command ends.

A command is a function of a `Desk` and its own arguments that returns an `Answer`. Here it gets the three options,
which may stand before the command's name as well, and its end: 0, or 2 for wrong use (an unknown option, a setting
that cannot be used), or 1 for a failure, in one plain sentence with the way out. With --json, one object goes to
standard output and nothing else does.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avion_core.errors import AvionError
from avion_core.progress import BYTES
from avion_core.wording import size

if TYPE_CHECKING:
    from avion_core.data.problems import Problem
    from avion_core.store.home import Home

FAILURE, WRONG_USE = 1, 2
_PROGRESS_SECONDS = 5.0

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]
HomeFolder = Annotated[
    Path | None, typer.Option("--home", help="The home folder; the default is AVION_HOME, or else ~/.avion.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the full traceback of an error.")]
_SHARED = {"as_json": AsJson, "home": HomeFolder, "debug": Debug}


@dataclass(frozen=True)
class Answer:
    """What a command found: data for --json, text for people; `code` other than 0 where the finding is a failure."""

    data: dict[str, Any]
    text: str
    code: int = 0


class Desk:
    """What a command works with: the home folder, and people at the other end of standard error."""

    def __init__(self, folder: Path | None, *, as_json: bool) -> None:
        self.folder, self.as_json = folder, as_json
        self._shown_at = 0.0
        self._what = ""

    @cached_property
    def home(self) -> Home:
        from avion_core.actor import ALONE
        from avion_core.store.home import Home  # SQLAlchemy takes half of the time that --help may take

        return Home(self.folder, ALONE)

    def say(self, sentence: str) -> None:
        """Tell people something on standard error."""
        self.end_line()
        print(sentence, file=sys.stderr, flush=True)

    def hand_over(self, data: dict[str, Any]) -> None:
        """Answer now, and leave standard output for good: what follows in this process goes to standard error."""
        print(json.dumps(plain(data)), file=sys.__stdout__, flush=True)
        os.dup2(2, 1)

    def progress(self, done: int, total: int, what: str) -> None:
        """A line that counts on a terminal; elsewhere a line for a new thing, and now and then one more."""
        on_terminal = sys.stderr.isatty()
        due = time.monotonic() - self._shown_at >= (0.1 if on_terminal else _PROGRESS_SECONDS)
        if not due and what == self._what and done < total:
            return
        self._shown_at = time.monotonic()
        far = f"{size(done)} of {size(total)}" if what == BYTES else f"{what}: {done:,} of {total:,}"
        line = far if total else what
        if on_terminal:
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        elif what != self._what or due:
            print(line, file=sys.stderr, flush=True)
        self._what = what

    def event(self, event: object) -> None:
        """What a job tells besides its progress, which is enough here (see `jobs.job.Listener`)."""

    def end_line(self) -> None:
        """Leave the line that counts, where there is one."""
        if self._what and sys.stderr.isatty():
            print(file=sys.stderr)
        self._what = ""


def command(group: typer.Typer, name: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Register a function of a Desk as a command of a group."""

    def register(function: Callable[..., Answer]) -> Callable[..., Answer]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shared = [
            inspect.Parameter(
                key, inspect.Parameter.KEYWORD_ONLY, default=None if key == "home" else False, annotation=kind
            )
            for key, kind in _SHARED.items()
        ]

        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

        @functools.wraps(function)
        def run(context: typer.Context, as_json: bool, home: Path | None, debug: bool, **arguments: Any) -> None:
            before = context.find_root().params
            desk = Desk(home or before["home"], as_json=as_json or before["as_json"])
            _end(functools.partial(function, **arguments), desk, debug=debug or before["debug"])

        parameters = [*own, *shared, context]
        run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        group.command(name)(run)
        return function

    return register


def problem_lines(problems: Iterable[Problem]) -> list[str]:
    """A line for each thing that is wrong with a file of a person's."""
    return [f"  {problem.kind}: {problem.path}: {problem.message}" for problem in problems]


def table(rows: Iterable[Mapping[Any, Any]], columns: Sequence[str]) -> str:
    """Rows as aligned text; numbers with one decimal, to the right."""
    cells = [list(columns), *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    right = [all(_is_number(line[place]) for line in cells[1:]) for place in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    )


def plain(value: Any) -> Any:
    """A value as JSON has it: data classes and settings as objects, NaN as null, paths and times as text."""
    if dump := getattr(value, "model_dump", None):
        return dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return plain({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(entry) for entry in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if number := getattr(value, "item", None):  # of NumPy
        return plain(number())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _end(use_case: Callable[[Desk], Answer], desk: Desk, *, debug: bool) -> None:
    from avion_core.store.environment import refuse_unusable_hub  # not before `--help`

    try:
        # Libraries print where they like; with --json, standard output is for the one object.
        with contextlib.redirect_stdout(sys.stderr) if desk.as_json else contextlib.nullcontext():
            refuse_unusable_hub()
            answer = use_case(desk)
    except (typer.BadParameter, typer.Abort):  # wrong use, or a question that nobody answered: typer says so
        raise
    except (Exception, KeyboardInterrupt) as error:
        desk.end_line()
        if debug:
            traceback.print_exc()
        raise typer.Exit(_say_failure(error, desk)) from None
    print(json.dumps(plain(answer.data), ensure_ascii=False) if desk.as_json else answer.text)
    if answer.code:
        raise typer.Exit(answer.code)


def _say_failure(error: BaseException, desk: Desk) -> int:
    from avion_core.jobs.causes import explain

    cause, sentence = explain(error)
    print(sentence, file=sys.stderr)
    if desk.as_json:
        hint = error.hint if isinstance(error, AvionError) else ""
        print(json.dumps({"error": sentence, "cause": cause, "hint": hint}, ensure_ascii=False))
    return WRONG_USE if cause == "config" else FAILURE


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(",", "").replace(".", "", 1).lstrip("-").isdecimal()
