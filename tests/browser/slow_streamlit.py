"""`streamlit`, over use cases that take their time: what fast keys meet on a busy server."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from streamlit.web import cli

from avion_core.studio import curation, labels

SECONDS = 0.25  # a verdict or a label; keys come eight times as fast


def slowly(use_case: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(use_case)
    def wait_first(*given: Any, **named: Any) -> Any:
        time.sleep(SECONDS)
        return use_case(*given, **named)

    return wait_first


if __name__ == "__main__":
    curation.record_verdict = slowly(curation.record_verdict)
    labels.give_labels = slowly(labels.give_labels)
    cli.main()
