"""`streamlit`, over use cases that take their time: what fast keys meet on a busy server."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from random import Random
from typing import Any

from streamlit.web import cli

from avion_core.usecases import curation
from avion_core.usecases.projects import labels

MOST_SECONDS = 0.5  # that a verdict or a label takes; keys come many times as fast


def slowly(use_case: Callable[..., Any]) -> Callable[..., Any]:
    draw = Random(0)

    @wraps(use_case)
    def wait_first(*given: Any, **named: Any) -> Any:
        time.sleep(draw.uniform(0, MOST_SECONDS))
        return use_case(*given, **named)

    return wait_first


if __name__ == "__main__":
    curation.record_verdict = slowly(curation.record_verdict)
    labels.give_labels = slowly(labels.give_labels)
    cli.main()
