"""Widgets made from the settings models themselves: their types, limits and one-line helps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.state import widgets
from avion_core.config import RunConfig
from avion_core.settings import fields as setting_fields
from avion_core.settings import flatten
from avion_core.usecases.models.catalog import Model
from avion_core.usecases.runs.choices import method_choices, protocol_choices

BASIC = (
    "method", "data.shots", "data.seed", "distillation.epochs", "distillation.unlabelled_images", "protocol.name",
    "protocol.projects", "device",
)  # fmt: skip

# What only an experiment on the method itself asks for; left out of the plain way of looking.
RESEARCH = (
    "method",
    "protocol.name",
    "protocol.projects",
    "protocol.aliases",
    "protocol.novel_policy",
    "prototypes.source",
    "prototypes.selective",
    "prototypes.z_mode",
    "descriptions.rule_set",
    "model.depth",
    "model.init_std",
    "distillation.projection",
    "distillation.map_texts",
    "distillation.temperature",
    "distillation.weight_decay",
)

_SPANNING = ("protocol.projects", "protocol.aliases")
"""Asked for by protocols that measure on other projects too."""

_PLAIN = {
    "data.shots": "Images per class",
    "data.seed": "Random seed",
    "distillation.epochs": "Epochs",
    "distillation.unlabelled_images": "Images without labels",
    "device": "Device",
}

_STAGES = {
    "": "Models and device",
    "options": "The method's own",
    "data": "Data",
    "descriptions": "Descriptions",
    "prototypes": "Prototypes",
    "model": "Student",
    "distillation": "Distillation",
    "protocol": "Protocol",
}


def settings_form(
    config: RunConfig,
    key: str,
    *,
    models: Sequence[Model] = (),
    projects: Mapping[str, str] | None = None,
    research: bool = True,
    afresh: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Draw the settings of a run, the common ones first.

    Args:
        config: the values to start from.
        key: prefix of the widgets' keys (see `widget_key`); another prefix starts afresh.
        models: the catalog, to choose teacher and student from.
        projects: other projects that a protocol may measure on, id -> name.
        research: every setting under its own name; else plain words, without what only research on the method needs.
        afresh: settings whose start follows another choice, with that choice: another one starts them afresh.

    Returns:
        What differs from `config`, with dotted keys.
    """
    names = {} if research else _PLAIN
    known = {model.name: model.title if model.installed else f"{model.title}, not installed" for model in models}
    students = {model.name: known[model.name] for model in models if model.takes_prompts}
    methods, protocols = method_choices(), protocol_choices()
    choices = {
        "teacher": known,
        "student": students,
        "method": {name: method.title for name, method in methods.items()},
        "protocol.name": {name: protocol.title for name, protocol in protocols.items()},
        "protocol.projects": projects,
    }
    # What is chosen already decides which settings there are.
    method = methods[widgets.typed(widget_key(key, "method")) or config.method]
    protocol = protocols[widgets.typed(widget_key(key, "protocol.name")) or config.protocol.name]
    own = method.settings.model_copy(update=config.options if method.name == config.method else {})
    fields = {
        dotted: (stage, field, value)
        for dotted, stage, field, value in (*_leaves(config), *_leaves(own, "options."))
        if (research or dotted not in RESEARCH)
        and method.uses(dotted)
        and (dotted not in _SPANNING or protocol.spans_projects)
    }
    keys = {dotted: widget_key(f"{key}{(afresh or {}).get(dotted, '')}", dotted) for dotted in fields}
    chosen: dict[str, Any] = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for dotted in BASIC:
            if dotted in fields:
                title = names.get(dotted, label(dotted))
                among = choices.get(dotted)
                chosen[dotted] = _widget(title, *fields[dotted][1:], key=keys[dotted], width=150, among=among)
    with st.expander("Advanced settings", icon=":material/tune:"):
        for stage, heading in _STAGES.items():
            rest = [dotted for dotted, (owner, *_) in fields.items() if owner == stage and dotted not in BASIC]
            if not rest:
                continue
            st.markdown(f"**{heading}**")
            with st.grid(4, min_column_width=200, vertical_alignment="bottom"):
                for dotted in rest:
                    field = fields[dotted][1:]
                    among = choices.get(dotted)
                    chosen[dotted] = _widget(label(dotted), *field, key=keys[dotted], width="stretch", among=among)
    return {dotted: value for dotted, value in chosen.items() if value != fields[dotted][2]}


def _leaves(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, FieldInfo, Any]]:
    """Dotted key, stage, field and value of every setting that has a widget."""
    values = flatten(settings.model_dump())
    for dotted, field in setting_fields(type(settings)).items():
        if field.annotation != dict[str, Any]:  # a method's options: its own model has their fields
            yield f"{prefix}{dotted}", f"{prefix}{dotted}".rpartition(".")[0], field, values[dotted]


def widget_key(key: str, dotted: str) -> str:
    """The key of a setting's widget in the form with that prefix."""
    return f"{key}:{dotted}"


def label(dotted: str) -> str:
    """ "distillation.learning_rate" -> "Learning rate"."""
    words = dotted.rsplit(".", 1)[-1].replace("_", " ")
    return {
        "name": "Protocol",
        "projects": "Other projects",
        "aliases": "Class names that mean the same",
        "zeta": "Outlier cut (ζ)",
        "beta": "Similarity weight (β)",
        "gamma": "Overhead bonus (γ)",
        "template fallback": "Use the class name where a class has no description",
    }.get(words, words[:1].upper() + words[1:])


def _widget(
    title: str,
    field: FieldInfo,
    value: Any,
    *,
    key: str,
    width: int | Literal["stretch"],
    among: Mapping[str, str] | None = None,
) -> Any:
    """One setting's widget; `among`: the values to choose from, with what each is called."""
    shared: dict[str, Any] = {"help": field.description, "key": key, "width": width}
    if isinstance(value, tuple):
        options = list(dict.fromkeys([*(among or {}), *value]))
        return tuple(st.multiselect(title, options, default=list(value), accept_new_options=among is None, **shared))
    if among:
        options = list(dict.fromkeys([*among, value]))
        return st.selectbox(title, options, options.index(value), lambda name: among.get(name, name), **shared)
    if get_origin(field.annotation) is Literal:
        options = list(get_args(field.annotation))
        return st.selectbox(title, options, index=options.index(value), **shared)
    if field.annotation is bool:
        return st.toggle(title, value=value, **shared)
    if field.annotation in (int, float):
        low, high = limits(field)
        kind = field.annotation
        return st.number_input(
            title,
            min_value=None if low is None else kind(low),
            max_value=None if high is None else kind(high),
            value=kind(value),
            step=1 if kind is int else step(value),
            format="%d" if kind is int else "%g",
            **shared,
        )
    return st.text_input(title, value=value, **shared)


def step(value: float) -> float:
    """What + and - change a number by: a tenth of its leading digit's place, 0.0001 for a learning rate of 0.002."""
    return 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 0.01


def limits(field: FieldInfo) -> tuple[float | None, float | None]:
    """Smallest and largest value that a field's constraints allow; a strict bound is moved in by a hair."""
    low = high = None
    for rule in field.metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
        if (above := getattr(rule, "gt", None)) is not None:
            low = above + 1e-6
    return low, high
