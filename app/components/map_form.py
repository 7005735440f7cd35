"""Settings of a map, chosen before anything is computed."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

Method = Literal["umap", "tsne"]

_NAMES: dict[Method, str] = {"umap": "UMAP", "tsne": "t-SNE"}
_NEIGHBOURS: dict[Method, tuple[int, str, str]] = {
    "umap": (15, "Neighbours", "How many neighbours each point stays close to: few show fine structure."),
    "tsne": (30, "Perplexity", "Roughly how many neighbours each point attends to: few show fine structure."),
}


def map_form() -> tuple[Method, dict[str, Any]]:
    """Returns the method ("umap" or "tsne") and its settings."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Method",
            list(_NAMES),
            default="umap",
            required=True,
            format_func=_NAMES.__getitem__,
            key="map_method",
            bind="query-params",
        )
        method: Method = "tsne" if chosen == "tsne" else "umap"
        default, label, help_text = _NEIGHBOURS[method]
        neighbours = st.slider(label, 2, 100, default, help=help_text, width=260, key=f"map_{method}_neighbours")
        seed = st.number_input("Seed", 0, 1000, 0, help="The same seed gives the same map.", width=120, key="map_seed")
    return method, {"neighbours": neighbours, "seed": seed}
