"""Taking a project elsewhere: packing it into one file, unpacking one, finding its images again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from app.kit.background import computed
from app.kit.guard import code, plain
from app.state import address, notices, project_requests, studio
from avion_core.errors import AvionError
from avion_core.progress import Progress
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.transfer.exchange import file_name
from avion_core.usecases.transfer.packs import pack_project, unpack_project
from avion_core.usecases.transfer.relink import RootCheck, check_root, look_at_root, relink
from avion_core.wording import counted

_SHOWN_PATHS = 5


def moved_images(project: ProjectSummary) -> None:
    """Says so when the images are not where they were."""
    look = look_at_root(studio.home(), project.id)
    if look.lacking:
        st.warning(
            "Scores that are known already still work; whatever has to read an image fails. Re-link "
            "them under “Move, pack and re-link”, below.",
            title=plain(look.sentence.removesuffix(".")),
            icon=":material/folder_off:",
        )


def moving_forms(project: ProjectSummary) -> None:
    """Re-link, pack and unpack."""
    lacking = look_at_root(studio.home(), project.id).lacking
    opened = bool(lacking or project_requests.asked_move())
    with st.expander("Move, pack and re-link", icon=":material/drive_file_move:", expanded=opened):
        images, pack, unpack = st.tabs(["Re-link the images", "Pack this project", "Unpack a project"])
        with images:
            _relink_form(project)
        with pack:
            _pack_form(project)
        with unpack:
            _unpack_form()


def _relink_form(project: ProjectSummary) -> None:
    st.markdown(
        f"The images are expected in {code(project.image_root)}. If they moved, give their new "
        "folder: it is linked once their content is found to be the same."
    )
    with st.form("relink", border=False):
        folder = st.text_input("Image folder now", key="relink_folder", placeholder=str(project.image_root))
        if st.form_submit_button("Compare", icon=":material/compare:") and folder.strip():
            project_requests.ask_move("relink", project.id, folder.strip())
    asked = project_requests.asked_move()
    if asked is None or asked[:2] != ("relink", project.id):
        return
    root = Path(asked[2])
    check = _done(f"compare:{asked}", f"Comparing the images in {root}", _comparison(project, root))
    _show_check(check)
    if not check.found:
        return
    label = "Link this folder" if check.complete else f"Link it with {counted(check.found, 'image')}"
    with st.container(horizontal=True):
        if st.button(label, icon=":material/link:", type="primary", key="relink_now"):
            with st.spinner("Linking"):
                relink(studio.home(), project.id, root, incomplete=True)
            _end(f"The images are linked to {root}")
        if st.button("Cancel", key="relink_cancel"):
            project_requests.end_move()
            st.rerun()


def _comparison(project: ProjectSummary, root: Path) -> Any:
    home = studio.home()
    return lambda progress: check_root(home, project.id, root, progress=progress)


def _show_check(check: RootCheck) -> None:
    if check.complete:
        st.success(plain(check.sentence), icon=":material/verified:")
        return
    st.warning(plain(check.sentence), icon=":material/rule:")
    for title, paths in (("Missing", check.missing), ("With another content", check.changed)):
        if paths:
            some = "\n".join(f"- {plain(path)}" for path in paths[:_SHOWN_PATHS])
            more = f"\n- and {len(paths) - _SHOWN_PATHS:,} more" if len(paths) > _SHOWN_PATHS else ""
            st.markdown(f"**{title}**\n{some}{more}")


def _pack_form(project: ProjectSummary) -> None:
    st.markdown(
        "One file with descriptions, verdicts, labels, rules, splits, journal and runs with their students; "
        "no teacher weights and no accounts."
    )
    with st.form("pack", border=False):
        path = st.text_input("File", value=str(Path.home() / file_name(project.name, ".avion")), key="pack_path")
        with st.container(horizontal=True):
            images = st.toggle("With the image files", key="pack_images")
            features = st.toggle(
                "With embeddings", key="pack_features", help="Saves hours of computing on a machine without a GPU."
            )
        if st.form_submit_button("Pack", icon=":material/inventory_2:") and path.strip():
            project_requests.ask_move("pack", project.id, path.strip(), images, features)
    asked = project_requests.asked_move()
    if asked is None or asked[:2] != ("pack", project.id):
        return
    home = studio.home()
    _, _, target, with_images, with_features, _ = asked

    def pack(progress: Progress) -> str:
        packed = pack_project(
            home, project.id, Path(target), images=with_images, features=with_features, progress=progress
        )
        return f"{packed.path}: {packed.sentence}"

    _end(_done(f"pack:{asked}", f"Packing {project.name}", pack))


def _unpack_form() -> None:
    with st.form("unpack", border=False):
        path = st.text_input("Packed project", key="unpack_path", placeholder="/media/stick/harbours.avion")
        name = st.text_input("Name", key="unpack_name", placeholder="the project's own name, unless taken")
        if st.form_submit_button("Unpack", icon=":material/unarchive:") and path.strip():
            project_requests.ask_move("unpack", path.strip(), name.strip())
    asked = project_requests.asked_move()
    if asked is None or asked[0] != "unpack":
        return
    home = studio.home()
    _, source, wanted, _ = asked

    def unpack(progress: Progress) -> ProjectSummary:
        return unpack_project(home, Path(source), name=wanted or None, progress=progress)

    project = _done(f"unpack:{asked}", f"Unpacking {source}", unpack)
    address.choose(address.PROJECT, project.id)
    _end(f"{project.name} is unpacked")


def _done(key: str, title: str, work: Any) -> Any:
    """The result of work that was asked for; where it fails, nothing is asked for any more."""
    try:
        return computed(key, title, work)
    except AvionError:
        project_requests.end_move()
        raise


def _end(message: str) -> None:
    project_requests.end_move()
    notices.say_after_rerun(message)
    st.rerun()
