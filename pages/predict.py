"""Predict: drop images, get classes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from app import session, shell
from app.components.gallery import gallery
from avion_core.studio.prediction import predict


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
        shares = zip(table["prompt_name"], table["probability"], strict=True)
        captions = [f"{name} · {share:.0%}" for name, share in shares]
        gallery(paths, captions, project.recipe, columns=6)
    table.insert(0, "file", [file.name for file in files])
    table = table.drop(columns=["path"])
    percent = st.column_config.NumberColumn(format="percent")
    st.dataframe(table, hide_index=True, column_config={"probability": percent, "margin": percent}, alt="Predictions")
    st.download_button(
        "Export as CSV",
        table.to_csv(index=False).encode(),
        "predictions.csv",
        "text/csv",
        icon=":material/download:",
    )


page()
