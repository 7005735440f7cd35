"""Make the two demo projects, demo/ucmerced and demo/eurosat, from the public data sets.

    python tools/build_demo.py --data ../shared/data

What it makes: images (original bytes), labels.csv (path, label, group, split), project.json, and in
descriptions.jsonl the sentences of MPVR's GPT texts. The descriptions written for this project (writer
`avion-demo`) and verdicts.jsonl are sources, not products: the script keeps them as they stand.

Splits. UC Merced: images 50-74 are the pool that shots and validation images are drawn from, 75-99 the sealed test
set. Neighbours in the pool that share no ground are told by the demo teacher's features (`features.likeness`): numbers
in a row are no safe sign, for a place often goes on beyond them. EuroSAT: of the images that no
pre-training saw, the first 30 of a class by content hash are the pool, the next 30 the test set. UC Merced's crops of
one place may overlap, so every two images of a class are laid over each other in all shifts: those that agree share a
group, and a pool image that shares a place with a test image is left out of the demo.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from pretrain_data import DEMO_EUROSAT_PER_CLASS, EUROSAT_NAMES, MPVR_EUROSAT, UCM_NAMES, eurosat_order

from avion_core.backbones.load import WeightStore, load_towers
from avion_core.data import neighbours
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import scan_folder
from avion_core.data.sources import ImageFolder, Images
from avion_core.descriptions.schema import description_id
from avion_core.descriptions.sentences import sentences
from avion_core.features.likeness import alike
from avion_core.features.store import FeatureStore, image_features
from avion_core.files import write_text

SEED = 2026
MPVR_TEXTS_PER_CLASS = 20
OWN_WRITER, MPVR_WRITER = "avion-demo", "mpvr-gpt"

NOT_IN_RESISC45 = ("agricultural", "buildings")  # UC Merced classes that MPVR has no texts for

PROJECTS = {
    "ucmerced": {
        "name": "ucmerced-demo",
        "title": "UC Merced land use (demo)",
        "licence": "Public domain (imagery of the U.S. Geological Survey)",
        "source": "UC Merced Land Use Dataset, images 50-99 of each class; from USGS National Map Urban Area Imagery",
        "citation": "Y. Yang and S. Newsam, Bag-of-visual-words and spatial extensions for land-use classification, "
        "ACM SIGSPATIAL GIS 2010",
        "keep_together": "features",
    },
    "eurosat": {
        "name": "eurosat-demo",
        "title": "EuroSAT land cover, Sentinel-2 (demo)",
        "licence": "MIT",
        "source": "EuroSAT RGB, 60 images of each class, from Copernicus Sentinel-2 data",
        "citation": "P. Helber, B. Bischke, A. Dengel and D. Borth, EuroSAT: a novel dataset and deep learning "
        "benchmark for land use and land cover classification, IEEE JSTARS 2019",
    },
}


def mpvr_rows(texts_by_name: dict[str, list[str]], names: dict[str, str]) -> list[dict]:
    """Twenty texts of each class, drawn by SEED, one row a sentence with the whole text as its parent.

    Nothing is corrected or left out, save a sentence that the class already has: cut-off, ground-level and invented
    ones are what curation is for.
    """
    rows = {}
    for class_key, name in names.items():
        texts = list(dict.fromkeys(text.strip() for text in texts_by_name[name]))
        for parent in random.Random(f"{SEED} {class_key}").sample(texts, MPVR_TEXTS_PER_CLASS):
            for text in sentences(parent):
                row = {
                    "description_id": description_id(class_key, text),
                    "class_key": class_key,
                    "text": text,
                    "writer": MPVR_WRITER,
                    "model": "gpt-3.5-turbo (MPVR)",
                    "parent": parent,
                }
                rows.setdefault(row["description_id"], row)
    return list(rows.values())


def write_descriptions(path: Path, mpvr: list[dict]) -> None:
    """The project's own texts as they stand in the file, then MPVR's."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    own = [row for row in rows if row["writer"] == OWN_WRITER]
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in own + mpvr))


def class_images(data: Path, name: str) -> dict[str, tuple[list[Path], list[Path]]]:
    """Class key -> (pool, test) of one demo set."""
    folders = sorted(folder for folder in (data / name).iterdir() if folder.is_dir())
    if name == "eurosat":
        ordered = {folder.name: eurosat_order(folder)[:DEMO_EUROSAT_PER_CLASS] for folder in folders}
        return {key: (paths[: len(paths) // 2], paths[len(paths) // 2 :]) for key, paths in ordered.items()}
    numbered = {folder.name: {int(path.stem[-2:]): path for path in folder.iterdir()} for folder in folders}
    return {
        key: ([paths[number] for number in range(50, 75)], [paths[number] for number in range(75, 100)])
        for key, paths in numbered.items()
    }


class GroundFinder:
    """Says whether two crops of one orthophoto show the same ground, from their detail at half resolution.

    For each shift at which at least an eighth of the crops overlaps, the normalized correlation of their detail
    is taken on the overlap. The same ground agrees at ONE shift. Furrows or runway stripes agree along a whole line
    of shifts, wherever they are: so the best shift must stand out, unless it agrees almost exactly.
    """

    SIZE, FRAME = 122, 256  # crops of 244 px, halved; the frame holds every shift without wrapping round
    AGREE, STAND_OUT, EXACT = 0.6, 0.15, 0.92
    NEAR = 6  # shifts this close belong to the same peak

    def __init__(self) -> None:
        self.window = self._spectrum(np.ones((self.SIZE, self.SIZE), np.float32))
        overlap = np.fft.irfft2(self.window * self.window.conj(), (self.FRAME, self.FRAME))
        self.allowed = overlap >= self.SIZE**2 / 8
        shift = np.fft.fftfreq(self.FRAME) * self.FRAME
        self.far = np.hypot(shift[:, None], shift[None]) > self.NEAR

    def _spectrum(self, pixels: np.ndarray) -> np.ndarray:
        return np.fft.rfft2(pixels, (self.FRAME, self.FRAME)).astype(np.complex64)

    def detail(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Spectra of an image's detail (grey minus its blur) and of the detail's square."""
        grey = Image.open(path).convert("L").crop((0, 0, 2 * self.SIZE, 2 * self.SIZE))
        grey = grey.resize((self.SIZE, self.SIZE), Image.Resampling.BOX)
        detail = np.asarray(grey, np.float32) - np.asarray(grey.filter(ImageFilter.GaussianBlur(4)), np.float32)
        return self._spectrum(detail), self._spectrum(detail**2)

    def same(self, first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> bool:
        shape = (self.FRAME, self.FRAME)
        product = np.fft.irfft2(first[0] * second[0].conj(), shape)
        energy_first = np.fft.irfft2(first[1] * self.window.conj(), shape)
        energy_second = np.fft.irfft2(self.window * second[1].conj(), shape)
        norm = np.sqrt(np.clip(energy_first * energy_second, 1, None))
        agreement = np.where(self.allowed, product / norm, -1)
        row, column = divmod(int(agreement.argmax()), self.FRAME)
        best = agreement[row, column]
        rival = np.roll(agreement, (-row, -column), (0, 1))[self.far].max()
        return bool(best >= self.EXACT or (best >= self.AGREE and best - rival >= self.STAND_OUT))


def grouped(pool: list[Path], test: list[Path]) -> tuple[list[list[Path]], list[list[Path]], list[Path]]:
    """Groups of images that share ground, for pool and test, and the pool images left out.

    Left out is a pool image that shares ground with a test image, directly or through other images.
    """
    finder, paths = GroundFinder(), pool + test
    details = [finder.detail(path) for path in paths]
    group = {path: [path] for path in paths}
    for i, first in enumerate(paths):
        for j in range(i):
            other = paths[j]
            if group[first] is not group[other] and finder.same(details[i], details[j]):
                group[other].extend(group[first])
                for path in group[first]:
                    group[path] = group[other]
    groups = list({id(members): members for members in group.values()}.values())
    tests, out = set(test), []
    for members in groups:
        if tests & set(members):
            out += [path for path in members if path not in tests]
            members[:] = [path for path in members if path in tests]
    return [g for g in groups if g[0] not in tests], [g for g in groups if g[0] in tests], sorted(out)


def write_images(demo: Path, images: dict[str, tuple[list[Path], list[Path]]], overlap: bool) -> None:
    """images/<class>/ and labels.csv; `overlap` says whether crops of this set can share ground."""
    rows, left_out = [], []
    shutil.rmtree(demo / "images", ignore_errors=True)
    for class_key, (pool, test) in images.items():
        if overlap:
            pool_groups, test_groups, out = grouped(pool, test)
            left_out += out
        else:
            pool_groups, test_groups = [[path] for path in pool], [[path] for path in test]
        (demo / "images" / class_key).mkdir(parents=True)
        for split, groups in (("", pool_groups), ("test", test_groups)):
            for group in groups:
                for path in group:
                    shutil.copyfile(path, demo / "images" / class_key / path.name)
                    rows.append((f"{class_key}/{path.name}", class_key, min(group).stem if overlap else "", split))
    with (demo / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "label", "group", "split"))
        writer.writerows(sorted(rows))
    groups = len({row[2] for row in rows}) if overlap else 0
    print(f"{demo.name}: {len(rows)} images, {groups} groups, left out: {[path.stem for path in left_out]}")


def keep_neighbours_together(demo: Path, weights: WeightStore) -> None:
    """Groups of the pool in labels.csv, widened to what the demo teacher finds alike; test images keep theirs."""
    images = demo / "images"
    manifest = scan_folder(images, labels=demo / "labels.csv").manifest
    ids = manifest["image_id"].tolist()
    source = ImageFolder(images, dict(zip(ids, manifest["path"], strict=True)))
    with tempfile.TemporaryDirectory() as scratch:
        teacher, store = load_towers("demo-teacher", weights), FeatureStore(Path(scratch))
        seen = image_features(teacher, Images(ids, source), store, recipe=RenderingRecipe())
    sets = alike(seen.numpy(), manifest["label"].tolist(), manifest["split"].tolist(), ids)
    of_pool = [name if not split else "" for name, split in zip(sets, manifest["split"], strict=True)]
    found, problems = neighbours.grouped(manifest, of_pool, "features")
    assert not problems, problems
    first = found.groupby("group")["path"].transform("min")
    found["group"] = [Path(path).stem for path in first]
    rows = found.sort_values("path")[["path", "label", "group", "split"]].itertuples(index=False)
    with (demo / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "label", "group", "split"))
        writer.writerows(rows)
    print(f"{demo.name}: {found['group'].nunique()} groups with what the teacher finds alike")


def prompt_names(name: str, class_keys: list[str]) -> dict[str, str]:
    """As in the demo pair's pre-training captions."""
    names = UCM_NAMES if name == "ucmerced" else EUROSAT_NAMES
    return {key: names.get(key, key.lower()) for key in class_keys}


def mpvr_names(name: str, class_keys: list[str]) -> dict[str, str]:
    """Class key -> the name that MPVR's file has for it, of the classes that it has."""
    if name == "eurosat":
        return {key: MPVR_EUROSAT.get(key, key) for key in class_keys}
    names = UCM_NAMES | {"storagetanks": "storage tank"}
    return {key: names.get(key, key) for key in class_keys if key not in NOT_IN_RESISC45}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("demo"))
    args = parser.parse_args()
    for name, facts in PROJECTS.items():
        demo, images = args.out / name, class_images(args.data, name)
        write_images(demo, images, overlap=name == "ucmerced")
        if facts.get("keep_together") == "features":
            keep_neighbours_together(demo, WeightStore(args.out / "weights"))
        files = {"image_root": "images", "labels": "labels.csv"}
        models = {"teacher": "demo-teacher", "student": "demo-student", "modality": "optical"}
        project = {"name": facts["name"], "title": facts["title"], **files, **models}
        project |= {"classes": prompt_names(name, list(images)), "defaults": {"preset": "demo"}}
        project |= {key: facts[key] for key in ("keep_together", "licence", "source", "citation") if key in facts}
        write_text(demo / "project.json", json.dumps(project, indent=2) + "\n")
        mpvr_file = {"ucmerced": "gpt_RESISC45.json", "eurosat": "gpt_EuroSAT.json"}[name]
        texts = json.loads((args.data / "descriptions" / mpvr_file).read_text(encoding="utf-8"))
        write_descriptions(demo / "descriptions.jsonl", mpvr_rows(texts, mpvr_names(name, list(images))))


if __name__ == "__main__":
    main()
