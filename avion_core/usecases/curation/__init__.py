"""Curation: every description with the figures that decide on it, people's decisions, and what they are worth.

Only training shots and validation images are looked at here; the test set stays sealed.
"""

from avion_core.store.current_verdicts import Unseen
from avion_core.store.verdicts import Decision
from avion_core.usecases.curation.blind import Sight, my_sight, visible_verdicts
from avion_core.usecases.curation.deciding import (
    history,
    record_verdict,
    record_verdicts,
    undo,
    undo_decision,
)
from avion_core.usecases.curation.evidence import Confusable, Evidence, Match, confusable, evidence
from avion_core.usecases.curation.refreshing import as_judged, decision_preview, refresh
from avion_core.usecases.curation.shared import (
    RemainingValue,
    ReviewerView,
    SharedCuration,
    reviewer_view,
    seen_by,
)
from avion_core.usecases.curation.table import Curation, Preview, curation_table
from avion_core.usecases.curation.value import ReviewValue, review_value

__all__ = [
    "Confusable",
    "Curation",
    "Decision",
    "Evidence",
    "Match",
    "Preview",
    "RemainingValue",
    "ReviewValue",
    "ReviewerView",
    "SharedCuration",
    "Sight",
    "Unseen",
    "as_judged",
    "confusable",
    "curation_table",
    "decision_preview",
    "evidence",
    "history",
    "my_sight",
    "record_verdict",
    "record_verdicts",
    "refresh",
    "review_value",
    "reviewer_view",
    "seen_by",
    "undo",
    "undo_decision",
    "visible_verdicts",
]
