"""Settings of a map, chosen before anything is computed."""

from __future__ import annotations

from typing import Any

import streamlit as st


def map_form() -> tuple[str, dict[str, Any]]:
    """Returns the method ("umap" or "tsne") and its settings."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.segmented_control(
            "Method",
            ["umap", "tsne"],
            default="umap",
            required=True,
            format_func={"umap": "UMAP", "tsne": "t-SNE"}.__getitem__,
            key="map_method",
            bind="query-params",
        )
        if method == "umap":
            settings: dict[str, Any] = {
                "n_neighbors": st.slider(
                    "Neighbours", 2, 100, 15, help="Few show fine structure, many the overall shape.", width=260
                ),
                "min_dist": st.slider("Least distance", 0.0, 1.0, 0.1, help="How tightly points may pack.", width=260),
            }
        else:
            settings = {
                "perplexity": st.slider(
                    "Perplexity", 5, 100, 30, help="Roughly, how many neighbours each point attends to.", width=260
                ),
            }
        settings["seed"] = st.number_input("Seed", 1, 1000, 1, help="The same seed gives the same map.", width=110)
    return method, settings
