"""What a person chooses before descriptions are written, and what would be sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import streamlit as st

from app.kit.background import duration
from app.kit.both_texts import both_texts, save_label
from app.kit.guard import plain
from app.state import notices, studio, visitor, widgets
from app.state.forms import open_form
from avion_core.errors import EditedMeanwhileError
from avion_core.usecases import policies
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.writing.ordering import (
    CONTRAST_PROMPT,
    DEFAULT_PROMPT,
    KEYS,
    WriterName,
    WritingPlan,
    WritingSettings,
    keys_present,
    make_writing_settings,
    preview,
)
from avion_core.usecases.writing.prompts import keep_prompt, prompts

CONTRASTS_PER_CLASS = 5
"""Enough to see whether they help; asked again with more, it tops up."""

_CLASSES, _APART = "writing_classes", "writing_apart"
_FIELDS = WritingSettings.model_fields
_NAMES = {
    "gemini": "Gemini",
    "openai-compatible": "OpenAI-compatible (Ollama, vLLM, LM Studio, ...)",
    "file": "A file written elsewhere",
}


def writing_form(project: ProjectSummary) -> WritingSettings:
    """All settings of a generation.

    Raises:
        ConfigError: one that cannot be used.
    """
    names = {entry.key: entry.prompt_name for entry in project.classes}
    chosen: dict[str, Any] = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen["writer"] = st.selectbox(
            "Writer", get_args(WriterName), format_func=_NAMES.__getitem__, key="writing_writer", width=300
        )
        if chosen["writer"] == "file":
            chosen["file"] = st.text_input("File on the server", key="writing_file", help=_help("file"), width=420)
        else:
            chosen["model"] = st.text_input(
                "Model",
                placeholder=_placeholder(str(chosen["writer"])),
                key="writing_model",
                help=_help("model"),
                width=200,
            )
            may = visitor.may(policies.ADMINISTER)
            chosen["base_url"] = st.text_input(
                "Address",
                placeholder="the provider's own",
                key="writing_address",
                help=_help("base_url") if may else "The studio's API key is sent there: only an admin can change it.",
                width=300,
                disabled=not may,
            )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen["classes"] = _class_choice("Classes", names, "all", key=_CLASSES, width=230)
        chosen["distinguish_from"] = _class_choice(
            "Distinguished from",
            names,
            "those the teacher confuses",
            key=_APART,
            width=270,
            help=_help("distinguish_from"),
        )
        contrast = bool(chosen["distinguish_from"])
        known = list(prompts(studio.home()))
        default = known.index(CONTRAST_PROMPT if contrast else DEFAULT_PROMPT)
        chosen["prompt"] = st.selectbox("Prompt", known, default, key="writing_prompt", width=170)
        count = CONTRASTS_PER_CLASS if contrast else 50
        chosen["per_class"] = st.number_input(
            "Per class", 1, 1000, count, key="writing_count", help=_help("per_class"), width=120
        )
    with st.expander("How the images were taken", icon=":material/satellite_alt:"):
        chosen["imaging"] = {"modality": project.modality, **_imaging()}
    with st.expander("More settings", icon=":material/tune:"):
        chosen |= _more(teacher_names=not contrast)
    return make_writing_settings(chosen)


def fill_contrast(classes: Sequence[str]) -> None:
    """Callback: let the form order texts of each class that tell it from the others."""
    for widget in (_CLASSES, _APART):
        widgets.fill(widget, list(classes))


def _class_choice(
    title: str, names: Mapping[str, str], placeholder: str, *, key: str, width: int, help: str | None = None
) -> tuple[str, ...]:
    # A class that was merged or removed since is no option any more.
    widgets.forget_unknown_among(key, list(names))
    return tuple(
        st.multiselect(
            title,
            list(names),
            format_func=names.__getitem__,
            placeholder=placeholder,
            key=key,
            help=help,
            width=width,
            bind="query-params",
        )
    )


def _imaging() -> dict[str, str]:
    with st.container(horizontal=True):
        return {
            "view": st.selectbox("View", ["nadir", "oblique"], key="writing_view", width=130),
            "sensor": st.text_input("Sensor", placeholder="Sentinel-2", key="writing_sensor", width=180),
            "resolution": st.text_input("Resolution", placeholder="0.3 m", key="writing_resolution", width=150),
            "region": st.text_input("Region", placeholder="Western Europe", key="writing_region", width=180),
            "season": st.text_input("Season", placeholder="summer", key="writing_season", width=150),
        }


def _more(*, teacher_names: bool) -> dict[str, Any]:
    languages = get_args(_FIELDS["language"].annotation)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = {
            "language": st.selectbox("Language", languages, key="writing_language", help=_help("language"), width=160),
            "distinguish": st.number_input(
                "Confusable classes named",
                0,
                10,
                3,
                key="writing_distinguish",
                help=_help("distinguish"),
                width=190,
                disabled=not teacher_names,
            ),
            "pictures": st.number_input(
                "Training images attached", 0, 8, 0, key="writing_pictures", help=_help("pictures"), width=200
            ),
            "concurrency": st.number_input(
                "Requests in parallel", 1, 64, 4, key="writing_concurrency", help=_help("concurrency"), width=150
            ),
            "requests_per_minute": st.number_input(
                "Requests a minute", 1.0, None, None, key="writing_rpm", help=_help("requests_per_minute"), width=170
            ),
            "timeout_seconds": st.number_input(
                "Timeout (s)", 1.0, 3600.0, 180.0, key="writing_timeout", help=_help("timeout_seconds"), width=140
            ),
            "price_in": st.number_input(
                "Price in / M tokens", 0.0, None, None, key="writing_price_in", help=_help("price_in"), width=170
            ),
            "price_out": st.number_input(
                "Price out / M tokens", 0.0, None, None, key="writing_price_out", help=_help("price_out"), width=170
            ),
        }
    if chosen["pictures"]:
        st.info(
            f"{chosen['pictures']} training images of each class leave this machine with every request. Validation and "
            "test images never do.",
            icon=":material/image:",
        )
    return chosen


def show_key(settings: WritingSettings) -> None:
    """Whether the writer's key is in the environment; never the key."""
    if settings.writer == "file":
        return
    name = KEYS[settings.writer][0]
    if keys_present()[settings.writer]:
        st.caption(f":material/key: A key is set in the environment ({name}). It is never stored or shown.")
    elif settings.writer == "openai-compatible" and settings.base_url:
        st.caption(":material/key_off: No key is set; a server of your own needs none.")
    else:
        st.warning(
            f"Set {name} in the environment of the studio and start it again, or choose another writer.",
            title="No key for this writer",
            icon=":material/key_off:",
        )


def show_prompt(project: ProjectSummary, settings: WritingSettings) -> None:
    """What would be sent for a class, word for word; and the prompt to read, copy and edit."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    with st.expander("What is sent", icon=":material/visibility:"):
        asked = settings.classes or tuple(names)
        widgets.forget_unknown("writing_preview", asked)
        key = st.selectbox("Class", asked, format_func=names.__getitem__, key="writing_preview", width=260)
        # Naming confusable classes needs the teacher; the preview shows the rest at once.
        sent = preview(studio.home(), project.id, settings.model_copy(update={"distinguish": 0}), key)
        left, right = st.columns(2)
        left.markdown("**Instructions** (the prompt, the same for all classes)")
        left.code(sent.instructions, language=None, wrap_lines=True, height=420)
        right.markdown("**Data** (this class, as JSON: nothing in it can become an instruction)")
        right.code(json.dumps(json.loads(sent.data), indent=1, ensure_ascii=False), language="json", height=420)
        if settings.distinguish and not settings.distinguish_from:
            right.caption(f"With it go up to {settings.distinguish} classes that the teacher confuses with this one.")
    with st.expander("Edit the prompt", icon=":material/edit_note:"):
        chosen = prompts(studio.home())[settings.prompt]
        form = open_form(f"prompt_text_{settings.prompt}", chosen.text)
        text = st.text_area("Prompt", form.begun, height=420, key=form.key)
        form.follow(chosen.text, typed=text != form.begun)
        both_texts(form)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Save as", placeholder="my-prompt", key="prompt_name", width=240)
            may = visitor.may(policies.CHANGE_PROJECTS)
            label = save_label(form, "Save")
            if st.button(label, icon=":material/save:", key=form.save_key, disabled=not may):
                try:
                    saved = keep_prompt(studio.home(), name, text, opened=form.opened)
                except EditedMeanwhileError as error:
                    form.refuse(error, error.now["prompt"])
                else:
                    form.start_again()
                    notices.say_after_rerun(f"Saved as {saved.version}")
                st.rerun()


def show_plan(plan: WritingPlan) -> None:
    """What it would take, in one line."""
    made = plan.estimate
    if not made.descriptions:
        st.success("Every class has its descriptions from this writer and model already.", icon=":material/check:")
        return
    cost = "no price is set" if made.cost is None else f"cost about {made.cost:.2f}"
    st.markdown(
        f"**{made.descriptions:,}** descriptions of **{made.classes:,}** classes in **{made.requests:,}** requests: "
        f"about {made.tokens_in:,} tokens sent and {made.tokens_out:,} written ({cost}), {duration(made.seconds)}."
    )
    if plan.note:
        st.caption(plain(plan.note))


def _help(name: str) -> str | None:
    return _FIELDS[name].description


def _placeholder(writer: str) -> str:
    return "the current default" if writer == "gemini" else "llama3.3, gpt-6-luna, ..."
