"""What to say of a validation figure: how near the images that it is made on lie to the training shots."""

from __future__ import annotations

from avion_core.protocols.nearness import FAR_ACCURACY, FARTHER_TEST_SHARE
from avion_core.protocols.report import Report


def trust_in_validation(report: Report) -> list[str]:
    """Sentences to stand beside the validation figure of each part; none of a report of an earlier version.

    See `protocols.nearness` for what was measured.
    """
    said: list[str] = []
    for part in report.parts:
        far, share = (report.figure(part.name, metric) for metric in (FAR_ACCURACY, FARTHER_TEST_SHARE))
        if far is None:
            continue
        begin = f"{part.title}: " if part.title else ""
        if share is not None:
            farther = f"{share['value']:.0f} % of the sealed test images lie farther from every training shot"
            begin += f"{farther} than a validation image usually does"
            if share["low"] > 50:
                begin += ", so the validation figure promises too much for images of other places. "
            else:
                begin += " (50 % would be even), so nothing speaks against the validation figure. "
        ends = f"On the half of the validation images that is farthest from the shots: {far['value']:.1f} %"
        said.append(f"{begin}{ends} ({far['n']:,} images, {far['low']:.0f} to {far['high']:.0f}).")
    return said
