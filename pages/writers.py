"""Writers: what each language model's texts alone would make of this project."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.review.shared_curation import need_curation
from app.components.writing.writer_table import similarity_chart, verdict_on, writer_table
from app.kit import charts
from app.kit.guard import plain
from app.state import studio
from avion_core.usecases.writing.compare_writers import compare_writers


def page() -> None:
    project = shell.need_project()
    curation = need_curation(project).curation
    found = compare_writers(studio.home(), curation)
    st.markdown(plain(verdict_on(found)))
    writer_table(found)
    st.markdown("**Similarity of the texts to their class's training images** (quartiles; the dot is the median)")
    st.plotly_chart(
        similarity_chart(found),
        config=charts.QUIET,
        key="writer_similarity",
        alt="Similarity quartiles of each writer",
    )
    st.caption(
        "Each writer is scored with the current rules as if its texts were the only ones. Verdicts and edited texts "
        "are left out, so that reviewed and unreviewed writers compare fairly. Where a writer has no text for a "
        "class, the class name is used. Only training shots and validation images are used."
    )
    shell.go_button("Ask another writer", "generate", "edit", primary=False)


page()
