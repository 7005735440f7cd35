"""The page inside a review pack: judge descriptions in any browser, without a network and without AVION Studio."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

_MOST_PICTURES = 8  # of a class; the page is one file and is kept small enough to open at once


def review_sheet(
    project: str,
    facts: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    class_names: Mapping[str, str],
    pictures: Mapping[str, Sequence[bytes]],
) -> bytes:
    """One HTML file that holds all it needs; it shows nobody's verdicts, and saves one's own as a file to merge.

    Args:
        facts: of the pack: its id, by which the browser finds verdicts again when the page is closed and opened; who
            reviews; and the signature that comes home with the verdicts.
        records: as `exchange.read_records` gives them.
        class_names: class key -> prompt name.
        pictures: class key -> JPEG thumbnails of its labelled training images.
    """
    data = {
        "project": project,
        "reviewer": facts["reviewer"],
        "pack": facts["pack"],
        "signature": facts["signature"],
        "names": {key: class_names.get(key, key) for key in {record["class_key"] for record in records}},
        "pictures": {
            key: [f"data:image/jpeg;base64,{base64.b64encode(image).decode()}" for image in found[:_MOST_PICTURES]]
            for key, found in pictures.items()
        },
        "items": [
            {
                "id": record["description_id"],
                "class_key": record["class_key"],
                "original": record["text"],
                "text": record["text_now"],
                "writer": record["writer"],
                "similarity": record["similarity"],
                "z": record["z"],
                "reasons": [reason["sentence"] for reason in record["reasons"] or []],
            }
            for record in records
        ],
    }
    page = files("avion_core.usecases.transfer").joinpath("review_sheet.html").read_text(encoding="utf-8")
    # As JSON inside of a script element: no text of a description may end that element.
    safe = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return page.replace("__DATA__", safe.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")).encode()
