"""The one way in for descriptions: a file, a path or a pasted reply; a look at what it brings; then the import."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app import shell
from app.components.transfer.class_matching import match_step
from app.components.transfer.exchange_forms import import_report, upload_key
from app.kit.background import computed
from app.state import drafts, notices, studio, visitor, widgets
from avion_core.usecases import policies
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.descriptions import ImportReport, import_descriptions, import_upload
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.projects.uploads import MOST_MB
from avion_core.usecases.transfer.exchange import Holdings
from avion_core.usecases.writing.asking_by_hand import chat_prompt
from avion_core.wording import counted

_UPLOAD, _PATH, _PASTE = "Upload a file", "A path on the server", "Paste a reply"
_KINDS = ["jsonl", "csv", "xlsx", "parquet", "json", "txt", "md"]
_WHAT = (
    "An export of AVION Studio; JSON lines, CSV, Excel or Parquet with a class and a text; one JSON object like "
    '{"class": ["text", "text"]}; or the reply of a chat assistant as text.'
)
_PASTED = "import_pasted"


@dataclass(frozen=True)
class _Source:
    """Where descriptions come from, by a name that changes with its content."""

    name: str
    stamp: str
    read: Callable[..., ImportReport]
    """Takes what `import_descriptions` does behind the path."""


def import_form(project: ProjectSummary, held: Holdings) -> None:
    """Choose what to bring in, see what it brings, match its class names, and import it."""
    if not visitor.may(policies.CHANGE_PROJECTS):
        st.info("Only those who may change projects import descriptions.", icon=":material/lock:")
        return
    way = st.segmented_control(
        "Where are they?", [_UPLOAD, _PATH, _PASTE], default=_UPLOAD, required=True, key="import_way"
    )
    source = {_UPLOAD: _uploaded, _PATH: _named, _PASTE: _pasted}[way](project)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split = st.toggle(
            "Split long texts into sentences",
            key="import_split",
            help="One description per sentence; the long text is kept beside it. Exports are never split again.",
        )
        writer = st.text_input("Written by", key="import_writer", placeholder="where the file does not say", width=280)
    if source is None:
        st.caption("Nothing is imported before you have seen what is in it.")
        return

    def bring(match: Mapping[str, str], leave_out: Collection[str], *, preview: bool) -> ImportReport:
        return source.read(
            split_sentences=split, writer=writer.strip() or None, match=match, leave_out=leave_out, preview=preview
        )

    def look(match: Mapping[str, str], leave_out: Collection[str]) -> ImportReport:
        options = (split, writer, tuple(match.items()), tuple(leave_out))
        key = upload_key(project, held, source.stamp, *options)
        return computed(key, f"Reading {source.name}", lambda _: bring(match, leave_out, preview=True))

    plain_look = look({}, ())
    chosen = match_step(project, plain_look, f"{project.id}_{source.stamp}") if plain_look.unknown_classes else None
    report = look(chosen.match, chosen.leave_out) if chosen and (chosen.match or chosen.leave_out) else plain_look
    import_report(report, new=sum(plain_look.unknown_classes[name] for name in chosen.new) if chosen else 0)
    undecided = chosen.undecided if chosen else 0
    if undecided:
        st.warning(f"{counted(undecided, 'class name')} still to be matched, above.", icon=":material/rule:")
    brings = report.changes or bool(chosen and chosen.new)
    # The tab stays: it was the default only while there was nothing to export.
    stay = {"on_click": widgets.fill, "args": (shell.EXCHANGE_TAB, shell.IMPORT_TAB)}
    disabled = not brings or bool(undecided)
    if st.button(_label(report), icon=":material/upload_file:", type="primary", disabled=disabled, **stay):
        with st.spinner("Importing"):
            match = dict(chosen.match) if chosen else {}
            for name in chosen.new if chosen else ():
                match[name] = add_class(studio.home(), project.id, name)
            done = bring(match, chosen.leave_out if chosen else (), preview=False)
        drafts.forget("import_")
        if way == _PASTE:
            widgets.fill(f"{_PASTED}_again", True)
        notices.say_after_rerun(done.sentence)
        st.rerun()


def _label(report: ImportReport) -> str:
    parts = [counted(report.added, "description")]
    if report.decisions.added:
        parts.append(counted(report.decisions.added, "decision"))
    out = sum(report.left_out.values())
    return f"Import {' and '.join(parts)}" + (f", leave out {out:,}" if out else "")


def _uploaded(project: ProjectSummary) -> _Source | None:
    file = st.file_uploader("File of descriptions", type=_KINDS, key="import_file", help=_WHAT, max_upload_size=MOST_MB)
    if file is None:
        return None

    def read(**options: object) -> ImportReport:
        return import_upload(studio.home(), project.id, file.name, file.getvalue(), **options)  # type: ignore[arg-type]

    return _Source(file.name, file.file_id, read)


def _named(project: ProjectSummary) -> _Source | None:
    written = st.text_input(
        "File on the server", key="import_path", placeholder="/data/descriptions.jsonl", help=_WHAT
    ).strip()
    if not written:
        return None
    path = Path(written)

    def read(**options: object) -> ImportReport:
        return import_descriptions(studio.home(), project.id, path, **options)  # type: ignore[arg-type]

    try:
        changed = path.expanduser().stat().st_mtime_ns
    except (OSError, ValueError, RuntimeError):
        changed = 0  # the use case says why it cannot be read
    return _Source(path.name, f"{written}:{changed}", read)


def _pasted(project: ProjectSummary) -> _Source | None:
    if widgets.shown(f"{_PASTED}_again"):  # what was imported must not lie there to be imported twice
        widgets.fill(f"{_PASTED}_again", False)
        widgets.fill(_PASTED, "")
    with st.expander("What to ask a chat assistant", icon=":material/content_copy:"):
        st.caption("Copy this into any assistant, then paste its reply below. No key is needed.")
        st.code(chat_prompt(studio.home(), project.id), language="text", wrap_lines=True, height=260)
    reply = st.text_area(
        "Reply of the assistant",
        key=_PASTED,
        height=180,
        placeholder='{"forest": ["Aerial view of …", "…"]}\n\nor headings with lists, as the assistant shows them',
    )
    if not reply.strip():
        return None
    content = reply.encode("utf-8", "replace")

    def read(**options: object) -> ImportReport:
        return import_upload(studio.home(), project.id, "the reply.txt", content, **options)  # type: ignore[arg-type]

    return _Source("the reply", hashlib.sha256(content).hexdigest()[:16], read)
