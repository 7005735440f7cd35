"""From a folder of images to a manifest: one row per content, and a list of everything that is wrong.

Files that cannot be used are reported, never fatal. The manifest's order and content depend on what the
files are, not on the order in which the file system lists them.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from avion_core.data.class_names import is_readable, name_problems
from avion_core.data.images import Decoded, content_id, decode_image
from avion_core.data.labels import SAFEST_SPLIT, ImageLabel, read_labels
from avion_core.data.layout import FolderOrder, labels_of, read_layout
from avion_core.data.leftovers import is_leftover_folder, thumbnails
from avion_core.data.near_copies import Glimpse, glimpse, shown_twice
from avion_core.data.neighbours import keep_together
from avion_core.data.problems import ImageError, Problem
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.split_names import split_of
from avion_core.errors import DataError
from avion_core.progress import Progress
from avion_core.reading import of_the_system
from avion_core.wording import counted

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff")
MANIFEST_COLUMNS = {
    "image_id": str, "path": str, "label": str, "group": str, "split": str,
    "width": "int64", "height": "int64", "bands": "int64", "depth": str, "bytes": "int64",
}  # fmt: skip

_NEARLY_ALL = 0.99  # share of a picture without data from which on it is reported


@dataclass(frozen=True)
class Scan:
    """What a folder holds."""

    manifest: pd.DataFrame
    """Columns MANIFEST_COLUMNS, one row per content, sorted by path. `path` is relative to the folder, with "/";
    `label` is the class key or "" (unlabelled); `group` or "" (unknown); `split` is "" or the fixed one; width and
    height as displayed, `bands` and `depth` (see `data.recipe.Depth`) as stored, `bytes` of the file. Manifests of
    before there was a depth lack it."""
    problems: list[Problem]
    """Sorted by path and kind."""


@dataclass(frozen=True)
class _Found:
    image_id: str
    path: str
    label: str
    group: str
    split: str
    width: int
    height: int
    bands: int
    depth: str
    bytes: int


def scan_folder(
    root: Path,
    *,
    recipe: RenderingRecipe = RenderingRecipe(),  # noqa: B008 - frozen
    labels: Path | None = None,
    class_folders: bool = True,
    order: FolderOrder | None = None,
    progress: Progress | None = None,
) -> Scan:
    """Read every picture below `root` once: hash it, decode it by the recipe, and report what cannot be used.

    Without a label file, a picture's class is the first folder on its way (none directly in `root`: unlabelled),
    and folders inside a class folder are groups; `order` says so where folders are splits, or hold the classes (see
    `data.layout`). With one (CSV or Parquet: path, label and, if wanted, group and
    split; or a caption JSON), it alone gives labels, and pictures that it does not list are unlabelled.
    `class_folders` off leaves all pictures unlabelled, and their folders mean nothing.

    Near-copies (see `data.near_copies`) are reported and become one group, so that no split divides them.
    Copies of one content become one row: the first labelled path. Copies whose labels differ become one unlabelled
    row, and copies whose fixed splits differ go to the test set, so that no doubt leaks into training.

    Raises:
        DataError: no such folder, no picture in it, or a label file that cannot be used as a whole.
    """
    root = Path(root)
    paths, problems = _list_pictures(root, labels)
    if labels is None and class_folders:
        known, layout_problems = labels_of(paths, order or "class")
        problems += layout_problems + ([] if order else _layout_problems(known))
    elif labels is None:
        known = {}
    else:
        known, label_problems = read_labels(Path(labels), root, set(paths))
        problems += label_problems + _passed_over(known)

    found: list[_Found] = []
    glimpses: dict[str, Glimpse | None] = {}

    def read(path: str) -> tuple[_Found | None, Problem | None]:
        return _read(root, path, known.get(path, ImageLabel()), recipe, glimpses)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for done, (row, problem) in enumerate(pool.map(read, paths), start=1):
            found += [row] if row else []
            problems += [problem] if problem else []
            if progress is not None:
                progress(done, len(paths), "reading images")

    rows, copy_problems = _one_row_per_content(found)
    if progress is not None:
        progress(len(paths), len(paths), "looking for near-copies")
    listed = [row.path for row in rows]
    sets = shown_twice(listed, [glimpses[path] for path in listed])
    labels_found = [ImageLabel(row.label, row.group, row.split) for row in rows]
    groups, near_problems = keep_together(listed, labels_found, sets)
    rows = [replace(row, group=group) for row, group in zip(rows, groups, strict=True)]
    problems += near_problems
    problems += copy_problems + name_problems({row.label for row in rows if row.label})
    manifest = pd.DataFrame([asdict(row) for row in rows], columns=list(MANIFEST_COLUMNS)).astype(MANIFEST_COLUMNS)
    return Scan(manifest, sorted(problems, key=lambda problem: (problem.path, problem.kind)))


def list_pictures(root: Path) -> list[str]:
    """Paths, relative to the folder and sorted, of the files below it that look like pictures; none is opened.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    return find_pictures(root)[0]


def find_pictures(root: Path) -> tuple[list[str], list[Problem]]:
    """As `list_pictures`, and what else lies there: other kinds of files, and what a system left."""
    return _list_pictures(Path(root), None)


def content_ids(root: Path, paths: Sequence[str], progress: Progress | None = None) -> dict[str, str]:
    """Path, relative to the folder -> image id of its content; "" for files that cannot be read."""

    def read(path: str) -> str:
        try:
            return content_id(root / path)
        except OSError:
            return ""

    found: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for done, (path, image_id) in enumerate(zip(paths, pool.map(read, paths), strict=True), start=1):
            found[path] = image_id
            if progress is not None:
                progress(done, len(paths), "comparing images")
    return found


def _list_pictures(root: Path, labels: Path | None) -> tuple[list[str], list[Problem]]:
    if not root.is_dir():
        raise DataError("the image folder does not exist", "Check the path.", value=str(root))
    if of_the_system(root):
        hint = "Choose a folder of pictures."
        raise DataError("this folder is the system's view of itself, not a place for images", hint, value=str(root))
    pictures: list[str] = []
    problems: list[Problem] = []
    left: Counter[str] = Counter()
    others: dict[str, list[str]] = defaultdict(list)
    for file in _walk(root, left):
        path = file.relative_to(root).as_posix()
        if not is_readable(path):
            shown = path.encode("utf-8", "backslashreplace").decode()
            problems.append(Problem("unreadable_name", shown, "Its name cannot be stored; rename the file."))
        elif file.suffix.lower() not in SUFFIXES:
            if labels is None or file.resolve() != Path(labels).resolve():
                others[file.suffix.lower()].append(path)
        elif not file.is_file():
            problems.append(Problem("unreadable", path, "It is not a regular file, or it is a broken link."))
        else:
            pictures.append(path)
    small = set(thumbnails(pictures)) if labels is None else set[str]()
    pictures = [path for path in pictures if path not in small]
    said = "It is the system's own, not part of the data; what is in it was left out"
    problems += [Problem("leftover", path, f"{said} ({counted(count, 'file')}).") for path, count in left.items()]
    if small:
        said = f"{counted(len(small), 'thumbnail')} beside the pictures they show left out."
        problems.append(Problem("leftover", min(small), said))
    if not pictures:
        raise DataError("the folder holds no image", f"Image files end in {', '.join(SUFFIXES)}.", value=str(root))
    for suffix, files in others.items():
        problems.append(
            Problem(
                "unsupported",
                min(files),
                f"{counted(len(files), 'file')} ending in “{suffix}” left out; images end in {', '.join(SUFFIXES)}.",
            )
        )
    return sorted(pictures), problems


def _walk(root: Path, left: Counter[str]) -> Iterator[Path]:
    """All files below root without hidden ones; linked folders are followed, each once.

    Args:
        left: counts the files in each of the system's own folders, which are not walked.
    """
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or of_the_system(Path(folder)):
            subfolders.clear()
            continue
        seen.add(real)
        for name in filter(is_leftover_folder, subfolders):
            own = Path(folder, name)
            if files_in := sum(len(inside) for _, _, inside in os.walk(own)):
                left[own.relative_to(root).as_posix()] = files_in
        subfolders[:] = sorted(name for name in subfolders if name[0] != "." and not is_leftover_folder(name))
        yield from (Path(folder, name) for name in files if not name.startswith("."))


def _layout_problems(known: dict[str, ImageLabel]) -> list[Problem]:
    """Layouts that make folders into the wrong classes, told before anybody trains on them."""
    layout = read_layout(known)
    if not layout.question:
        return []
    first = min(label.label for label in known.values() if label.label)
    return [Problem("layout", first, f"{layout.question} Say what the folders are: {layout.order}?")]


def _passed_over(known: dict[str, ImageLabel]) -> list[Problem]:
    """Folders that are named like splits, under a table that names none."""
    if any(label.split for label in known.values()):
        return []
    folders = {folder for path in known for folder in path.split("/")[:-1] if split_of(folder)}
    if len({split_of(folder) for folder in folders}) < 2:
        return []
    said = "are named like splits, but the label table has no split: it was drawn without them. Add a column split"
    return [Problem("layout", min(folders), f"The folders {', '.join(sorted(folders))} {said} to keep the given one.")]


def _read(
    root: Path, path: str, label: ImageLabel, recipe: RenderingRecipe, glimpses: dict[str, Glimpse | None]
) -> tuple[_Found | None, Problem | None]:
    """A picture's row, and what is odd about it; no row where it cannot be used. Its glimpse goes into `glimpses`."""
    file = root / path
    try:
        picture = decode_image(file, recipe)
        size = file.stat().st_size
        found = _Found(
            content_id(file),
            path,
            label.label,
            label.group,
            label.split,
            *picture.image.size,
            picture.bands,
            picture.depth,
            size,
        )
    except ImageError as error:
        return None, Problem(error.kind, path, str(error))
    except OSError as error:
        return None, Problem("unreadable", path, f"It cannot be read: {error.strerror}.")
    said = shows_nothing(picture, recipe)
    glimpses[path] = None if said else glimpse(picture.image)
    return found, Problem("blank", path, said) if said else None


def shows_nothing(picture: Decoded, recipe: RenderingRecipe) -> str:
    """Why a picture would teach nothing; "" where it shows something."""
    if picture.hidden >= _NEARLY_ALL:
        return f"It shows nothing: {100 * picture.hidden:.4g} % of it is no data or transparent. Remove it."
    width, height = picture.image.size
    if width * height == 1:
        return "It shows nothing: it is a single pixel. Remove it."
    if len(picture.image.getcolors(1) or ()) == 1:
        stretched = recipe.low is not None and picture.depth == (recipe.depth or picture.depth)
        because = "the recipe's stretch maps all of its values to one colour. Change the stretch" if stretched else ""
        return f"It shows nothing: {because or 'all of it is one colour. Remove it'}."
    return ""


def _one_row_per_content(found: list[_Found]) -> tuple[list[_Found], list[Problem]]:
    by_content: dict[str, list[_Found]] = defaultdict(list)
    for row in sorted(found, key=lambda row: row.path):
        by_content[row.image_id].append(row)
    rows, problems = [], []
    for copies in by_content.values():
        row, problem = _merge(copies)
        rows.append(row)
        problems += problem
    return sorted(rows, key=lambda row: row.path), problems


def _merge(copies: list[_Found]) -> tuple[_Found, list[Problem]]:
    labels = Counter(row.label for row in copies if row.label)
    first = next((row for row in copies if row.label), copies[0])
    if len(copies) == 1:
        return first, []
    group = min((row.group for row in copies if row.group), default="")
    split = min((row.split for row in copies), key=SAFEST_SPLIT.index)
    label = first.label if len(labels) < 2 else ""
    merged = replace(first, label=label, group=group, split=split)
    others = ", ".join(f"{row.path} ({row.label or 'unlabelled'})" for row in copies if row is not first)
    if len(labels) > 1:
        message = f"The same image as {others}, under another label. It was kept once, without a label."
        return merged, [Problem("conflict", first.path, message)]
    if len({row.split for row in copies if row.split}) > 1:
        message = f"The same image as {others}, in another split. It was kept once, in {split}."
        return merged, [Problem("conflict", first.path, message)]
    return merged, [Problem("duplicate", first.path, f"The same image as {others}. It was kept once.")]
