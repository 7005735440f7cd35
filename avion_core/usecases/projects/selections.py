"""Selections: lists of descriptions or images that one page sends to another, kept so that an address can name them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from avion_core.errors import NotFoundError
from avion_core.files import write_text
from avion_core.reading import Subject, fitted, read_json
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case

_FILE = Subject("the list", hint="Choose the items again and send them, or look at all.")


@use_case
def keep_selection(home: Home, project_id: str, ids: Sequence[str]) -> str:
    """Keep a list in its order, however long it is.

    Returns:
        Its key, which follows from what it holds: the same list is kept once.
    """
    content = json.dumps(list(ids))
    key = hashlib.sha256(content.encode()).hexdigest()[:16]
    folder = home.project_folder(project_id) / "selections"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{key}.json", content)
    return key


@use_case
def read_selection(home: Home, project_id: str, key: str) -> list[str]:
    """The list that was kept under a key.

    Raises:
        NotFoundError: the project has none of that key.
    """
    file = home.project_folder(project_id) / "selections" / f"{key}.json"
    if not re.fullmatch("[0-9a-f]{16}", key) or not file.is_file():
        raise NotFoundError(
            "the list in this address no longer exists",
            "Choose the items again and send them, or look at all.",
            value=key,
        )
    return fitted(list[str], read_json(file, _FILE), _FILE, value=str(file))
