"""Sliders for the rules of selection; help texts and limits come from the settings models."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from avion_core.config import DescriptionsConfig, PrototypesConfig

# What a slider spans; the launch page takes any value that the settings allow.
_SPANS = {"zeta": (0.5, 10.0, 0.1), "beta": (0.0, 100.0, 1.0), "gamma": (0.0, 6.0, 0.1)}


def rules_form(
    prototypes: PrototypesConfig, descriptions: DescriptionsConfig, key: str
) -> tuple[PrototypesConfig, DescriptionsConfig]:
    """Draw the rules, starting from those in force; another `key` starts afresh.

    Returns:
        The rules as they now stand on the page.
    """
    fields = PrototypesConfig.model_fields
    rule_set = _choice(DescriptionsConfig, "rule_set", "Rule set", descriptions.rule_set, key)
    flag_mode = _choice(PrototypesConfig, "flag_mode", "RS-Flag counts as", prototypes.flag_mode, key)
    z_mode = _choice(PrototypesConfig, "z_mode", "Robust z", prototypes.z_mode, key)
    chosen = {}
    for name, label in (
        ("zeta", "Outlier cut (ζ)"),
        ("beta", "Similarity weight (β)"),
        ("gamma", "Overhead bonus (γ)"),
    ):
        low, high, step = _SPANS[name]
        value = getattr(prototypes, name)
        chosen[name] = st.slider(
            label,
            min(low, value),
            max(high, value),
            value,
            step,
            help=fields[name].description,
            key=f"{key}_{name}",
        )
    return (
        prototypes.model_copy(update={"flag_mode": flag_mode, "z_mode": z_mode, **chosen}),
        descriptions.model_copy(update={"rule_set": rule_set}),
    )


def _choice(model: type, name: str, label: str, value: str, key: str) -> str:
    field = model.model_fields[name]
    return st.segmented_control(
        label,
        get_args(field.annotation),
        default=value,
        required=True,
        format_func=lambda option: option.replace("_", " "),
        help=field.description,
        key=f"{key}_{name}",
    )
