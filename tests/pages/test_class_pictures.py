"""Pictures of the classes where texts and answers are about them; none is of the sealed test set."""

from __future__ import annotations

import re
from base64 import b64decode
from io import BytesIO

import pytest
from PIL import Image

from app.components.projects import class_strip
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from tests.app.tiny_home import CLASSES, NAME
from tests.pages.conftest import Open, all_text, settle
from tests.pages.test_predict import dropped


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose small pictures a page asked for."""
    asked: list[str] = []
    real = class_strip._strip

    def noted(paths, recipe):
        asked.extend(paths)
        return real(paths, recipe)

    monkeypatch.setattr(class_strip, "_strip", noted)
    return asked


@pytest.mark.parametrize(("page", "classes"), [("classes", 1), ("sheet", 1), ("generate", len(CLASSES))])
def test_a_page_about_classes_shows_their_training_images(
    page: str, classes: int, home: Home, open_page: Open, asked: list[str]
) -> None:
    open_page(page)
    project = get_project(home, NAME)
    splits, manifest = read_splits(home, project.id), read_manifest(home, project.id)
    ids = dict(zip(manifest["path"], manifest["image_id"], strict=True))
    shown = {ids[path.removeprefix(f"{project.image_root}/")] for path in asked}
    training = splits.shots(1, splits.max_shots)
    assert shown <= {image for images in training.values() for image in images}
    assert sum(bool(shown.intersection(images)) for images in training.values()) == classes
    assert shown.isdisjoint(splits.test)


def test_texts_near_the_cut_have_pictures_beside_them(home: Home, open_page: Open) -> None:
    app = open_page("decisions")
    near = next(one for one in app.expander if one.label == "Texts nearest the cut")
    texts = [one.value for one in near.markdown if "from the cut: " in one.value]
    assert 2 <= len(texts) <= 4
    distances = [float(text.split(", ")[1].split(" ")[0].replace("−", "-")) for text in texts]
    assert distances == sorted(distances, reverse=True)
    pictures = [one.value for one in near.caption if re.fullmatch(r"-?\d\.\d{3}", one.value)]
    assert len(pictures) >= len(texts)


def test_predictions_have_their_pictures_in_the_table(home: Home, open_page: Open) -> None:
    table = dropped(open_page("predict"), home).dataframe[0].value
    for address in table["picture"]:
        kind, _, content = address.partition(",")
        assert kind == "data:image/jpeg;base64"
        assert max(Image.open(BytesIO(b64decode(content))).size) <= 64


def test_the_settings_of_a_generation_choose_the_classes(home: Home, open_page: Open, asked: list[str]) -> None:
    app = open_page("generate")
    asked.clear()
    settle(app.multiselect(key="writing_classes").set_value([CLASSES[0]]).run())
    assert {path.rsplit("/", 2)[1] for path in asked} == {CLASSES[0]}
    assert "What the classes look like" in all_text(app) + str([one.label for one in app.expander])
