"""Predict: drop images, get classes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from app import session, shell
from app.components.gallery import gallery
from avion_core.studio.insight import predict


def page() -> None:
    project = shell.need_project()
    run = shell.need_run(project, ("finished", "stopped"), "Predictions need a trained student.")
    files = st.file_uploader(
        "Images",
        type=["png", "jpg", "jpeg", "tif", "tiff"],
        accept_multiple_files=True,
        help="Read with this project's rendering recipe.",
    )
    if not files:
        st.caption("Drop some images above. They stay on this computer and are forgotten when the page closes.")
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for place, file in enumerate(files):
            # The name is the visitor's: only its ending is used.
            path = Path(folder) / f"{place:04d}{Path(file.name).suffix.lower()}"
            path.write_bytes(file.getvalue())
            paths.append(path)
        with st.spinner(f"Classifying {len(paths)} images"):
            table = predict(session.home(), run.id, paths)
        names = {entry.key: entry.prompt_name for entry in project.classes}
        captions = [
            f"{names.get(row.class_key, row.class_key)} · {100 * row.probability:.0f} %" for row in table.itertuples()
        ]
        gallery(paths, captions, project.recipe, columns=6)
    table["file"] = [file.name for file in files]
    st.dataframe(table.drop(columns=["path"]), hide_index=True, alt="Predictions")
    st.download_button(
        "Export as CSV",
        table.drop(columns=["path"]).to_csv(index=False).encode(),
        "predictions.csv",
        "text/csv",
        icon=":material/download:",
    )


page()
