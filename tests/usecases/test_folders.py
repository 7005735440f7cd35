"""Who signs in names paths of the server inside the folders of AVION_FOLDERS alone; who works alone names any."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from avion_core.actor import ALONE, STUDIO, Actor
from avion_core.errors import RightsError
from avion_core.usecases.folders import FOLDERS, nameable, own_folder
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions, import_upload
from avion_core.usecases.transfer.packs import pack_project, unpack_project
from avion_core.usecases.writing import ordering
from tests.tiny_studio import make_descriptions, make_images
from tests.usecases.test_policies import USE_CASES, NotToBeOpened

ANA = Actor("Ana", "admin")
SECRET = Path("/etc/passwd")
# Those that are handed paths by other use cases, which ask; and those that take uploads as well, tested below.
PREDICTING = ("insight.prediction.predict", "insight.prediction.predict_with_teacher")
HANDED = {"transfer.archives.new_archive", *PREDICTING}
WITH_PATHS = {
    name: function
    for name, function in USE_CASES.items()
    if any("Path" in str(one.annotation) for one in inspect.signature(inspect.unwrap(function)).parameters.values())
    and name.removeprefix("avion_core.usecases.") not in HANDED
}


@pytest.fixture
def scenes(tmp_path, monkeypatch) -> Path:
    """The one folder that people may name."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    monkeypatch.setenv(FOLDERS, str(folder))
    return folder


def test_there_are_use_cases_with_paths():
    assert len(WITH_PATHS) > 12


@pytest.mark.parametrize("name", WITH_PATHS)
def test_a_use_case_asks_of_its_path_before_all_else(name, scenes):
    function = WITH_PATHS[name]
    arguments = {
        one.name: ([SECRET] if "Sequence" in str(one.annotation) else SECRET) if "Path" in str(one.annotation) else "x"
        for one in list(inspect.signature(inspect.unwrap(function)).parameters.values())[1:]
        if one.default is one.empty or one.name in ("root", "labels")
    }
    with pytest.raises(RightsError, match="outside the folders of the server") as raised:
        function(NotToBeOpened(ANA), **arguments)
    assert f"Choose a path inside {scenes}; whoever starts the studio names them, as in AVION_FOLDERS=" in str(
        raised.value
    )


def test_what_lies_inside_is_theirs_and_links_are_followed(scenes, tmp_path):
    (scenes / "out").symlink_to(tmp_path)
    (scenes / "circle").symlink_to(scenes / "circle")
    assert nameable(ANA, scenes / "a" / "b.csv") == scenes.resolve() / "a" / "b.csv"
    assert nameable(ANA, scenes) == scenes.resolve()
    for outside in ("out", "out/x", "circle/x", "../scenes2", "../x", "nul\0", "~nobody-of-this-name/x"):
        with pytest.raises(RightsError):
            nameable(ANA, scenes / outside if outside[0] != "~" else Path(outside))
    for free in (ALONE, STUDIO):
        assert nameable(free, SECRET) == SECRET


@pytest.mark.parametrize("named", ["", " ", ":"])
def test_without_folders_the_setting_is_named(named, monkeypatch):
    monkeypatch.setenv(FOLDERS, named)
    with pytest.raises(RightsError, match=r"No folder is named yet; .* AVION_FOLDERS=/data/scenes:/data/texts"):
        nameable(ANA, Path("/"))


def test_several_folders(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDERS, f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    assert nameable(ANA, tmp_path / "two" / "x").name == "x"


def test_a_folder_of_the_studios_own_is_open_as_long_as_it_is_used():
    with own_folder("upload") as folder:
        assert nameable(ANA, folder / "x") == folder / "x"
    with pytest.raises(RightsError):
        nameable(ANA, folder / "x")


def test_a_project_made_moved_and_described_inside(home, scenes, tmp_path):
    theirs = home.acting_as(ANA)
    project = create_project(theirs, "inside", make_images(scenes / "images"))
    import_descriptions(theirs, "inside", make_descriptions(scenes / "texts.json"))
    content = make_descriptions(tmp_path / "sent.json").read_bytes()
    assert import_upload(theirs, "inside", "sent.json", content).known == 12
    with pytest.raises(RightsError):
        ordering.plan_writing(theirs, "inside", ordering.WritingSettings(writer="file", file=str(SECRET)))
    pack_project(theirs, "inside", scenes / "inside.avion")
    # A pack names an image root as well: one that may not be named waits to be re-linked.
    again = unpack_project(theirs, scenes / "inside.avion", name="again")
    assert again.image_root == project.image_root
    outside = create_project(home, "outside", make_images(tmp_path / "private"))
    pack_project(home, "outside", scenes / "outside.avion")
    assert unpack_project(home, scenes / "outside.avion", name="alone").image_root == outside.image_root
    theirs_now = unpack_project(theirs, scenes / "outside.avion", name="theirs")
    assert not theirs_now.image_root.exists()
