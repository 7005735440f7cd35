"""What a map is to show and how it is laid out, chosen before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.components.maps.map_colours import PARTS
from app.state import visitor
from avion_core.usecases import policies
from avion_core.usecases.insight.alignment import MapSettings, map_settings

METHODS = {"umap": "UMAP", "tsne": "t-SNE"}
_HELP = {name: field.description or "" for name, field in MapSettings.model_fields.items()}
_CHOICES = ("train", "validation", "pool", "unlabelled")


def map_form(images: Mapping[str, int]) -> MapSettings | None:
    """The form; the settings at the moment somebody asks for the map, else None.

    Args:
        images: part -> how many images it has, for the parts that have any.
    """
    defaults = MapSettings()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.segmented_control(
            "Method",
            list(METHODS),
            default=defaults.method,
            required=True,
            format_func=METHODS.__getitem__,
            key="map_method",
            help=_HELP["method"],
            persist_state="session",
        )
        neighbours = st.slider(
            "Perplexity" if method == "tsne" else "Neighbours",
            2,
            100,
            map_settings(method=method).neighbourhood,
            width=170,
            key=f"map_{method}_neighbours",
            help=_HELP["neighbours"],
        )
        min_dist = defaults.min_dist
        if method == "umap":
            min_dist = st.slider(
                "Minimum distance", 0.0, 1.0, min_dist, 0.05, key="map_form_min_dist", width=150, help=_HELP["min_dist"]
            )
        metric = st.selectbox(
            "Metric", ["cosine", "euclidean", "correlation"], key="map_form_metric", width=130, help=_HELP["metric"]
        )
        seed = st.number_input("Seed", 0, 1000, defaults.seed, key="map_form_seed", width=105, help=_HELP["seed"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kinds = st.pills(
            "Items",
            list(defaults.kinds),
            selection_mode="multi",
            default=list(defaults.kinds),
            format_func=lambda kind: f"{kind}s",
            key="map_form_kinds",
            help=_HELP["kinds"],
        )
        there = [part for part in _CHOICES if images.get(part)]
        parts = st.pills(
            "Images",
            there,
            selection_mode="multi",
            default=[part for part in there if part in defaults.parts],
            format_func=lambda part: f"{PARTS[part]} · {images[part]:,}",
            key="map_form_parts",
            help=_HELP["parts"],
        )
        most = st.number_input(
            "Most images",
            10,
            1_000_000,
            defaults.most_images,
            1000,
            key="map_form_most",
            width=150,
            help=_HELP["most_images"],
        )
    chosen = list(parts)
    if images.get("test") and st.toggle(
        f"Show the {images['test']:,} sealed test images as well",
        key="map_form_sealed",
        help="Counts as a look at the sealed test set.",
        disabled=not visitor.may(policies.UNSEAL),
    ):
        chosen.append("test")
    wanted = sum(images[part] for part in chosen) if "image" in kinds else 0
    drawn = f"**{most:,} of {wanted:,}** images, drawn at random" if wanted > most else f"all **{wanted:,}** images"
    with st.container(horizontal=True, vertical_alignment="center"):
        if not st.button("Compute the map", icon=":material/scatter_plot:", type="primary"):
            st.caption(f"Maps {drawn}. You can leave the page meanwhile; the map is kept.")
            return None
    return map_settings(
        method=method,
        neighbours=neighbours,
        min_dist=min_dist,
        metric=metric,
        seed=seed,
        kinds=tuple(kinds),
        parts=tuple(chosen),
        most_images=most,
    )


def map_label(settings: MapSettings) -> str:
    """A map's settings in one line."""
    words = [METHODS[settings.method]]
    words.append(f"{'perplexity' if settings.method == 'tsne' else 'neighbours'} {settings.neighbourhood}")
    if settings.method == "umap":
        words.append(f"min dist {settings.min_dist:g}")
    words += [settings.metric, f"seed {settings.seed}"]
    if set(settings.kinds) != set(MapSettings().kinds):
        words.append(" and ".join(f"{kind}s" for kind in settings.kinds))
    extra = [PARTS[part] for part in settings.parts if part not in MapSettings().parts]
    return " · ".join(words + [f"with {', '.join(extra)}"] * bool(extra))
