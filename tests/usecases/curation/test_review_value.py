from __future__ import annotations

import pytest

from avion_core.config import PrototypesConfig
from avion_core.errors import DataError, NotFoundError
from avion_core.usecases.curation import (
    confusable,
    curation_table,
    record_verdict,
    record_verdicts,
    refresh,
    review_value,
)
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.projects.creating import create_project
from avion_core.wording import counted
from tests import tiny_studio

pytestmark = pytest.mark.usefixtures("tiny_towers")


@pytest.fixture
def curation(home, described):
    return curation_table(home, described.id)


def test_what_matters_comes_first(curation):
    value = review_value(curation)
    rows = curation.table.set_index("description_id").loc[value.order]
    assert value.undecided == len(value.order) == 12
    assert value.alone == rows["decisive"].sum()
    assert rows["decisive"].is_monotonic_decreasing
    assert rows["influence"][~rows["decisive"]].is_monotonic_decreasing
    # Nothing is accepted yet, so rejecting all texts of any class would leave it empty.
    assert (value.that_matter, value.settled) == (12, [])
    assert value.sentence == (
        f"{counted(value.alone, 'verdict')} could each change a prediction on the validation images; taken together, "
        "those on 12 of the 12 undecided texts, in 3 classes."
    )


def test_a_class_whose_rest_cannot_matter_is_settled(home, described, curation):
    texts = curation.table.query("class_key == 'beach'")["description_id"]
    record_verdicts(home, described.id, texts.tolist(), "accept")
    value = review_value(refresh(home, curation))
    assert value.settled == ["beach"]
    assert (value.undecided, value.that_matter) == (8, 8)
    assert not set(texts) & set(value.order)


def test_one_may_stop_when_nothing_can_change(home, described, curation):
    """With weights that follow the similarity alone and hardly, an accepted twin keeps a class where it is."""
    ids = curation.table["description_id"].tolist()
    first = curation.table.groupby("class_key")["description_id"].first().tolist()
    record_verdicts(home, described.id, [item for item in ids if item not in first], "reject")
    for item, text in zip(first, curation.table.set_index("description_id").loc[first, "text"], strict=True):
        other = ids[ids.index(item) + 1]
        record_verdict(home, described.id, other, "edit", text=text)
        record_verdict(home, described.id, other, "accept")
    value = review_value(refresh(home, curation))
    assert (value.undecided, value.that_matter, value.alone) == (3, 0, 0)
    assert value.sentence == (
        "The next 3 cannot change any validation prediction, whatever is decided on them: you may stop."
    )
    record_verdicts(home, described.id, first, "reject")
    decided = review_value(refresh(home, curation))
    assert (decided.order, decided.sentence) == ([], "Every text has a verdict.")


def test_the_nearest_text_of_another_class(curation):
    table = curation.table
    item = table["description_id"][0]
    found = confusable(curation, item)
    assert found is not None
    others = table.index[(table["class_key"] != table["class_key"][0]) & table["kept"]]
    cosines = (curation.embeddings[others] @ curation.embeddings[0]).tolist()
    assert found.similarity == pytest.approx(max(cosines))
    row = table.set_index("description_id").loc[found.description_id]
    assert (found.text, found.class_key) == (row["text"], row["class_key"])
    assert found.class_key != table["class_key"][0]
    with pytest.raises(NotFoundError, match=r"no such description: d9\. Reload the page"):
        confusable(curation, "d9")


def test_no_other_class_keeps_a_text(home, described, curation):
    others = curation.table.query("class_key != 'beach'")["description_id"].tolist()
    record_verdicts(home, described.id, others, "reject")
    assert confusable(refresh(home, curation), curation.table["description_id"][0]) is None


def test_with_the_template_alone_no_verdict_matters(home, described):
    config = run_config(home, described.id, overrides={"prototypes.source": "template"})
    curation = curation_table(home, described.id, config)
    assert not curation.table["decisive"].any()
    assert review_value(curation).that_matter == 0
    assert config.prototypes == PrototypesConfig(source="template")


def test_without_a_label_there_is_nothing_to_judge_by(home, tmp_path):
    folder = tmp_path / "unlabelled"
    tiny_studio.make_images(folder)
    for place, picture in enumerate(sorted(folder.glob("*/*.png"))):
        picture.rename(folder / f"{place}.png")
    for name in tiny_studio.CLASSES:
        (folder / name).rmdir()
    project = create_project(home, "bare", folder, defaults=tiny_studio.DEFAULTS)
    with pytest.raises(DataError, match=r"No class has a labelled training image: bare\. Label a few images"):
        curation_table(home, project.id)
