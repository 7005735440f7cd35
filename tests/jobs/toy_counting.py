"""A kind of job in one file: counting, as docs/add-a-job-kind.md has it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from avion_core.jobs.job import Context, JobKind


class CountingRequest(BaseModel):
    """A count that is wanted."""

    images: int = Field(ge=0)


def count(request: CountingRequest, context: Context) -> dict[str, Any]:
    """Count, and keep the sum."""
    for number in range(request.images):
        context.progress_or_stop(number, request.images, "images")
    context.save("sum.txt", str(request.images))
    return {"counted": request.images}


COUNTING = JobKind("counting", CountingRequest, count)
