"""The shared curation as pages get it: made once, kept, and seen with the reviewer's eyes.

Apart from the shell, since it brings the models' library along.
"""

from __future__ import annotations

from app.kit.background import computed
from app.kit.guard import empty_state, end_page
from app.shell import import_button, need_labels
from app.state import studio
from avion_core.usecases.curation import ReviewerView, SharedCuration, curation_table, reviewer_view
from avion_core.usecases.curation.rules import current_rules
from avion_core.usecases.projects.summaries import ProjectSummary

_KEPT = 4
"""Curations that are kept: each holds the features of all texts of a project."""
FIGURES_HIDDEN = "This review is blind: figures that depend on others' verdicts appear once you have judged every text."


def need_curation(project: ProjectSummary) -> ReviewerView:
    """Every description with the figures that keep or cut it; without descriptions, an empty state, and the page ends.

    The first look computes features (minutes for a large teacher), so it runs beside the page; later looks find them
    and only take in the verdicts given since.
    """
    if not project.descriptions:
        with empty_state(
            "description",
            "No descriptions yet",
            "Import class descriptions: a file, or the reply of any chat assistant.",
        ):
            import_button()
        end_page()
    need_labels(project)
    home = studio.home()
    # What it follows from: texts, images with their labels and place, class names, rules.
    state = (
        project.descriptions,
        project.revision,
        str(project.image_root),
        tuple(entry.prompt_name for entry in project.classes),
        current_rules(home, project.id)[2],
    )
    shared = computed(
        f"curation:{project.id}:{state}",
        "Computing the teacher's features",
        lambda progress: SharedCuration(curation_table(home, project.id, progress=progress)),
        most=_KEPT,
    )
    return reviewer_view(home, shared)
