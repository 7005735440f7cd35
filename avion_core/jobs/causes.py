"""From any error to one word for a badge and one sentence for a person."""

from __future__ import annotations

import errno

from avion_core.errors import AvionError


def explain(error: BaseException) -> tuple[str, str]:
    """The cause in a word or two, and a plain sentence or two with the way out."""
    if isinstance(error, AvionError):
        return error.cause, str(error)
    if _out_of_memory(error):
        return "out of memory", (
            "The machine ran out of memory. Choose a smaller distillation.batch_size or smaller models, or close other "
            "programs."
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            "disk full",
            f"The disk is full: {error.filename or 'no space left'}. Free some space, then resume the run.",
        )
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "It was interrupted before it could save. Resume it from the last checkpoint."
    said = (str(error).strip() or "no message").splitlines()[0]
    return "unexpected", (
        f"Something unexpected went wrong ({type(error).__name__}: {said}). Run it again with --debug to see where, or "
        "read the run's log, and please report it."
    )


def _out_of_memory(error: BaseException) -> bool:
    """torch has a class of its own for the GPU, and an ordinary RuntimeError for the CPU."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )
