"""The images, captions and unlabelled texts that the demo pair is trained on, and the views of an image."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from pathlib import Path

import numpy as np
from PIL import Image

VIEWS, STORED_SIZE, TEACHER_SIZE = 5, 144, 224
TEMPLATE = "a satellite photo of {}."
UCM_NAMES = {
    "baseballdiamond": "baseball diamond",
    "denseresidential": "dense residential",
    "golfcourse": "golf course",
    "mediumresidential": "medium residential",
    "mobilehomepark": "mobile home park",
    "parkinglot": "parking lot",
    "sparseresidential": "sparse residential",
    "storagetanks": "storage tanks",
    "tenniscourt": "tennis court",
}
EUROSAT_NAMES = {
    "AnnualCrop": "annual crop land",
    "HerbaceousVegetation": "herbaceous vegetation land",
    "Highway": "highway or road",
    "Industrial": "industrial buildings",
    "Pasture": "pasture land",
    "PermanentCrop": "permanent crop land",
    "Residential": "residential buildings",
    "SeaLake": "sea or lake",
}
MPVR_EUROSAT = {
    "AnnualCrop": "Annual Crop Land",
    "HerbaceousVegetation": "Herbaceous Vegetation Land",
    "Highway": "Highway or Road",
    "Industrial": "Industrial Buildings",
    "Pasture": "Pasture Land",
    "PermanentCrop": "Permanent Crop Land",
    "Residential": "Residential Buildings",
    "SeaLake": "Sea or Lake",
}
DEMO_EUROSAT_PER_CLASS = 60


def words(name: str) -> str:
    """`StorageTanks` -> `storage tanks`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def eurosat_order(folder: Path) -> list[Path]:
    """One class's images by content hash: the first 60 are the demo's, the next 40 the held-out figures'."""
    return sorted(folder.iterdir(), key=lambda p: hashlib.sha256(p.read_bytes()).hexdigest())


def collect(data: Path) -> list[dict]:
    """Every usable image: path, set, class name, split (train, val, test) and its captions."""
    captions: dict[str, list[str]] = {}
    split_of: dict[str, str] = {}
    for name in ("rsicd", "ucm_captions"):
        for image in json.loads((data / f"captions/dataset_{name}.json").read_text())["images"]:
            if image["path"]:
                captions[image["path"]] = sorted({s["raw"].strip(" .") for s in image["sentences"]})
                split_of[image["path"]] = image["split"]
    rows = []
    for path in sorted((data / "ucmerced").glob("*/*.jpg")):
        number = int(path.stem[-2:])
        split = "train" if number < 45 else "val" if number < 50 else "test"
        name = UCM_NAMES.get(path.parent.name, path.parent.name)
        rows.append({"path": path, "set": "ucmerced", "class": name, "split": split})
    for path in sorted((data / "aid150").glob("*/*.jpg")):
        split = split_of.get(str(path.relative_to(data)), "train")
        rows.append({"path": path, "set": "aid", "class": words(path.parent.name), "split": split})
    mpvr = {
        writer: json.loads((data / f"descriptions/{writer}_EuroSAT.json").read_text()) for writer in ("gpt", "mixtral")
    }
    for folder in sorted((data / "eurosat").iterdir()):
        name = EUROSAT_NAMES.get(folder.name, words(folder.name))
        texts = [t for w in mpvr.values() for t in w[MPVR_EUROSAT.get(folder.name, folder.name)]]
        sentences = sorted({s.strip() for t in texts for s in re.split(r"(?<=[.!?])\s+", t) if len(s.split()) >= 6})
        for i, path in enumerate(eurosat_order(folder)):
            split = "demo" if i < DEMO_EUROSAT_PER_CLASS else "test" if i < 100 else "val" if i < 120 else "train"
            rows.append({"path": path, "set": "eurosat", "class": name, "split": split, "captions": sentences})
    for row in rows:
        own = captions.get(str(row["path"].relative_to(data)))
        row["captions"] = own or row.get("captions") or [f"an aerial image of {row['class']}"]
    return rows


def random_view(image: Image.Image, rng: random.Random) -> Image.Image:
    """A turned, mirrored crop of 55 to 100 % of the area, kept square."""
    side = int(min(image.size) * math.sqrt(rng.uniform(0.55, 1.0)))
    left, top = rng.randint(0, image.width - side), rng.randint(0, image.height - side)
    image = image.crop((left, top, left + side, top + side))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.rotate(90 * rng.randint(0, 3))


def square(image: Image.Image, size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BICUBIC)


class ViewSet:
    """Each item: all views of one image for the teacher (V, 3, 224, 224) and the student (V, 144, 144, 3)."""

    def __init__(self, rows: list[dict]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        row = self.rows[index]
        image = Image.open(row["path"]).convert("RGB")
        rng = random.Random(index)
        count = VIEWS if row["split"] == "train" else 1
        views = [square(image, min(image.size))] + [random_view(image, rng) for _ in range(count - 1)]
        teacher = np.stack([np.asarray(v.resize((TEACHER_SIZE,) * 2, Image.Resampling.BICUBIC)) for v in views])
        student = np.stack([np.asarray(v.resize((STORED_SIZE,) * 2, Image.Resampling.BICUBIC)) for v in views])
        return teacher, student


def extra_texts(data: Path) -> list[str]:
    """Unlabelled texts, for the student's text tower to follow the teacher's beyond the captions' words."""
    found: set[str] = set()
    for path in sorted((data / "descriptions").glob("*.json")):
        for name, texts in json.loads(path.read_text()).items():
            found.update(template.format(name.lower()) for template in (TEMPLATE, "{}", "an aerial image of {}."))
            found.update(s.strip() for t in texts for s in re.split(r"(?<=[.!?])\s+", t) if len(s.split()) >= 4)
    for image in json.loads((data / "captions/dataset_rsitmd.json").read_text())["images"]:
        found.update(s["raw"].strip(" .") for s in image["sentences"] if s["raw"].strip(" ."))
    return sorted(found)
