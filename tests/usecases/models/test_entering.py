"""Any CLIP by one entry: from open_clip's list, a hub, a folder or a file, as teacher and as student."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from safetensors.torch import save_file

from avion_core.actor import ALONE, Actor
from avion_core.errors import AvionError, NotFoundError, RightsError
from avion_core.presets import make_config
from avion_core.store.home import Home
from avion_core.usecases.models.catalog import list_models, open_towers
from avion_core.usecases.models.entering import enter_model, forget_model, suggested_name
from avion_core.usecases.models.installing import install_here
from avion_core.usecases.projects.models import set_models
from avion_core.usecases.runs.preflight import preflight
from tests.clip_forms import FORMS, make_clip, tokenizer_file

VIEWS = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear", "resize_mode": "squash"}


def model_folder(folder: Path, form: str) -> Path:
    """A folder as open_clip's push_to_hf_hub makes them."""
    folder.mkdir(parents=True, exist_ok=True)
    description = {"model_cfg": FORMS[form], "preprocess_cfg": VIEWS, "another": 1}
    (folder / "open_clip_config.json").write_text(json.dumps(description), "utf-8")
    weights = {name: tensor.contiguous().clone() for name, tensor in make_clip(form).state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    if form == "siglip":
        tokenizer_file(folder)
    return folder


@pytest.fixture
def hub(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder ORG/NAME/... that a server hands out as the hub does."""
    root = tmp_path / "hub"
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET(head=True)

        def do_GET(self, head: bool = False) -> None:
            path = self.path.partition("?")[0]
            if path.startswith("/api/models/") and (root / path.removeprefix("/api/models/")).is_dir():
                repository = path.removeprefix("/api/models/")
                files = [{"rfilename": file.name} for file in (root / repository).iterdir()]
                said = {"id": repository, "siblings": files, "cardData": {"license": "apache-2.0"}}
                return self.answer(json.dumps(said).encode(), head)
            file = root / path.lstrip("/").replace("/resolve/main/", "/")
            return self.answer(file.read_bytes() if file.is_file() else None, head)

        def answer(self, body: bytes | None, head: bool) -> None:
            self.send_response(404 if body is None else 200)
            self.send_header("X-Repo-Commit", "0" * 40)
            if body is None:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("ETag", f'"{hashlib.sha256(body or b"").hexdigest()}"')
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if body and not head:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    home.weights.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield root
    server.shutdown()
    server.server_close()


def test_a_folder_becomes_a_model_that_teaches_and_learns(home: Home, tmp_path: Path, project) -> None:
    for form in ("siglip", "pe"):
        made = enter_model(home, str(model_folder(tmp_path / form, form)), name=f"my-{form}", licence="CC-BY-4.0")
        assert (made.licence, made.origin) == ("CC-BY-4.0", "")
        assert made.weights == tmp_path / form / "open_clip_model.safetensors"
        install_here(home, made.name, made.weights, threading.Event())
    shown = {model.name: model for model in list_models(home)}
    assert shown["my-siglip"].installed
    assert (shown["my-siglip"].own, shown["my-siglip"].licence) == (True, "CC-BY-4.0")
    towers = open_towers(home, "my-siglip")
    assert "both sides 32 bilinear" in towers.view
    set_models(home, project.id, "my-siglip", "my-pe")
    checks = preflight(home, project.id, make_config(base={"teacher": "my-siglip", "student": "my-pe"}))
    said = {check.title: check for check in checks if check.title in ("Teacher", "Student")}
    assert {check.severity for check in said.values()} == {"ok"}
    assert forget_model(home, "my-pe") > 0
    with pytest.raises(NotFoundError, match="no such model: my-pe"):
        open_towers(home, "my-pe")


def test_a_repository_of_the_hub_becomes_a_model(home: Home, hub: Path) -> None:
    model_folder(hub / "org" / "My.CLIP", "siglip")
    model_folder(hub / "timm" / "a-test", "siglip")  # where its description says the tokenizer is
    made = enter_model(home, "hf-hub:org/My.CLIP")
    assert (made.name, made.licence) == ("my.clip", "apache-2.0 (by the hub's card)")
    assert made.origin == "org/My.CLIP/open_clip_model.safetensors"
    install_here(home, "my.clip", None, threading.Event())
    assert open_towers(home, "my.clip").dim == 32
    (record,) = home.weights.installed()
    assert (record.source, record.licence) == (f"hub: {made.origin}", made.licence)


def test_architectures_of_open_clip(home: Home) -> None:
    assert enter_model(home, "ViT-S-32").origin == ""
    made = enter_model(home, "ViT-B-16:openai", name="openai-b-16", title="OpenAI B/16")
    entry = home.models.find("openai-b-16")
    assert (entry.quick_gelu, entry.title) == (True, "OpenAI B/16")
    assert made.origin == "timm/vit_base_patch16_clip_224.openai/open_clip_model.safetensors"
    pe = enter_model(home, "PE-Core-B-16:meta")
    assert home.models.find(pe.name).preprocessing.resize_mode == "squash"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ViT-B-23", r"no architecture of open_clip.*ViT-B-23\. Did you mean ViT-B-32"),
        ("ViT-B-32:openaj", r"open_clip has no such weights of ViT-B-32: openaj\. It has: .*openai"),
        ("coca_ViT-B-32", r"it is a CoCa"),
        ("roberta-ViT-B-32", r"its text tower is one of transformers"),
        ("/no/such/folder", r"there is no such folder: /no/such/folder"),
        ("hf-hub:org", r"of the form|the form hf-hub:ORG/NAME: org"),
        ("hf-hub:org/nothing", r"the hub was asked in vain"),
        ("hf-hub:org/bare", r"holds no open_clip_config\.json: org/bare"),
        ("hf-hub:org/empty", r"no weights file that is known: org/empty"),
        ("hf-hub:org/odd", r"model_cfg: Field required"),
    ],
)
def test_what_cannot_be_entered_says_why(home: Home, hub: Path, source: str, said: str) -> None:
    (hub / "org" / "bare").mkdir(parents=True)
    for name, content in (("empty", {"model_cfg": FORMS["clip"]}), ("odd", {"text_cfg": {}})):
        (hub / "org" / name).mkdir()
        (hub / "org" / name / "open_clip_config.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(AvionError, match=f"(?i){said}"):
        enter_model(home, source)
    assert not (home.path / "models.yaml").exists()


def test_a_bare_folder_and_a_folder_of_somebody_elses(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(AvionError, match=r"open_clip_config\.json does not exist"):
        enter_model(home, str(tmp_path / "bare"))
    other = home.acting_as(Actor("ana", "admin"))
    with pytest.raises(RightsError):
        enter_model(other, str(model_folder(tmp_path / "theirs", "clip")))
    assert home.actor == ALONE


def test_only_models_of_ones_own_are_forgotten(home: Home) -> None:
    with pytest.raises(NotFoundError, match="This model comes with the package: georsclip-vit-b-32"):
        forget_model(home, "georsclip-vit-b-32")


@pytest.mark.parametrize(
    ("source", "name"),
    [("hf-hub:Org/My CLIP_v2", "my-clip_v2"), ("/data/models/ViT/", "vit"), ("ViT-B-16:openai", "vit-b-16-openai")],
)
def test_a_name_is_made_from_the_source(source: str, name: str) -> None:
    assert suggested_name(source) == name
