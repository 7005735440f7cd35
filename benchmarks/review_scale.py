"""How long a review waits: a project of 1,000 classes x 50 descriptions beside one of 21 x 50, in one run.

    python -m benchmarks.review_scale [--classes 1000] [--repeats 20] [--quick]

The descriptions are the bundled demos' own, each told apart by the name of its class; images are 6 small pictures a
class. Their features are synthetic (a direction per class, and noise) and kept where the demo teacher's would be, so
that reading them is part of what is timed and computing them is not. A fresh process, its models loaded, opens each
project; medians of the repeats, in seconds by the clock and, behind it, of the processor: on a machine that does other
work besides, the second is what the studio itself takes. The lines that begin with "page" run the app's own page, with
everything on it, and count what AppTest itself takes too. --quick takes 42 classes and two repeats.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from avion_core.actor import ALONE

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo"
TEXTS, IMAGES = 50, 6
SMALL = 21
LIMITS = {
    "open the review": 2.0,
    "verdict + refresh": 0.15,
    "preview of rules": 0.2,
    "page: opened": 2.0,
    "page: filtered": 0.3,
    "page: verdict": 0.3,
}
"""What the review promises, in seconds: `preview of rules` of the small project, the others of the large one."""


def make_project(home_folder: Path, classes: int) -> None:
    """Create a project, write its descriptions and the features of everything in it."""
    import torch
    from PIL import Image
    from torch.nn.functional import normalize

    from avion_core.backbones.towers import resolve_precision
    from avion_core.features.shards import content_key
    from avion_core.usecases.curation.rules import run_config
    from avion_core.usecases.installation.home import Home
    from avion_core.usecases.models.catalog import open_towers
    from avion_core.usecases.projects.creating import create_project
    from avion_core.usecases.projects.descriptions import import_descriptions
    from avion_core.usecases.projects.summaries import read_manifest

    home, name = Home(home_folder, ALONE), str(classes)
    keys = [f"class{place:04d}" for place in range(classes)]
    pictures = home_folder / "pictures" / name
    for place, key in enumerate(keys):
        (pictures / key).mkdir(parents=True)
        for number in range(IMAGES):
            colour = (place % 256, place // 256 * 16 + number, classes % 256)
            Image.new("RGB", (8, 8), colour).save(pictures / key / f"{number}.png")
    defaults: Any = {"data": {"shots": 2}}
    project = create_project(home, name, pictures, teacher="demo-teacher", student="demo-student", defaults=defaults)
    lines = [line for which in ("ucmerced", "eurosat") for line in (DEMO / which / "descriptions.jsonl").open()]
    real = [json.loads(line)["text"].rstrip(".") for line in lines]
    texts = {
        key: [f"{real[(TEXTS * place + number) % len(real)]}, {key}." for number in range(TEXTS)]
        for place, key in enumerate(keys)
    }
    (home_folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    import_descriptions(home, name, home_folder / "texts.json", writer="benchmark")

    towers = open_towers(home, "demo-teacher")
    chance = torch.Generator().manual_seed(classes)

    def around(centres: torch.Tensor, each: int, noise: float) -> torch.Tensor:
        spread = noise * torch.randn(len(centres) * each, towers.dim, generator=chance) / towers.dim**0.5
        return normalize(centres.repeat_interleave(each, 0) + spread, dim=1)

    centres = normalize(torch.randn(classes, towers.dim, generator=chance), dim=1)
    place_of = {key: place for place, key in enumerate(keys)}
    manifest = read_manifest(home, project.id)
    images = around(centres[[place_of[key] for key in manifest["label"]]], 1, 1.5)
    precision = resolve_precision("auto", towers.device)
    space = home.features.space(
        towers.dim,
        kind="image",
        weights=towers.weights_hash,
        view=towers.view,
        recipe=project.recipe.model_dump_json(),
        precision=precision,
    )
    space.write(list(manifest["image_id"]), images)
    space = home.features.space(towers.dim, kind="text", weights=towers.weights_hash)
    space.write([content_key(text) for key in keys for text in texts[key]], around(centres, TEXTS, 1.2))
    template = run_config(home, project.id).model.template
    space.write([content_key(template.format(entry.prompt_name)) for entry in project.classes], centres)


class Session:
    """What one reviewer waits for, in the order of a session; `seconds` by name of the thing waited for."""

    def __init__(self, home_folder: Path, project: str) -> None:
        from avion_core.usecases import curation
        from avion_core.usecases.curation.rules import run_config
        from avion_core.usecases.installation.home import Home
        from avion_core.usecases.models.catalog import open_towers
        from avion_core.usecases.projects.summaries import get_project

        self.cases, self.get_project = curation, get_project
        self.home, self.project = Home(home_folder, ALONE), project
        self.seconds: dict[str, list[tuple[float, float]]] = {}
        open_towers(self.home, run_config(self.home, project).teacher)
        gc.collect()
        gc.freeze()  # as the app does once it has started
        self.curation = self.timed("open the review", self.open)
        self.ids = self.curation.table["description_id"].tolist()

    def timed(self, what: str, work: Callable[..., Any], *arguments: Any) -> Any:
        clock, processor = time.perf_counter(), time.process_time()
        result = work(*arguments)
        took = (time.perf_counter() - clock, time.process_time() - processor)
        self.seconds.setdefault(what, []).append(took)
        return result

    def open(self) -> Any:
        return self.cases.curation_table(self.home, self.project)

    def judge(self, number: int) -> None:
        item, verdict = self.ids[number * 37 % len(self.ids)], ("accept", "reject")[number % 2]
        self.cases.record_verdict(self.home, self.project, item, verdict)
        self.refresh()

    def refresh(self) -> None:
        self.curation = self.cases.refresh(self.home, self.curation)

    def filter(self, number: int) -> int:
        """Words, verdict, a rule and a range of z at once, most influence first."""
        table = self.curation.table
        fits = table["text"].str.contains("roof", case=False, regex=False) & (table["verdict"] == "undecided")
        fits &= table["rule_words"] & table["z"].between(0, 1 + number / 10)
        return len(table[fits].sort_values(["decisive", "influence"], ascending=False, kind="stable"))

    def preview(self, number: int) -> None:
        from avion_core.config import DescriptionsConfig, PrototypesConfig

        self.cases.decision_preview(self.curation, PrototypesConfig(zeta=2 + number / 10), DescriptionsConfig())

    def many(self, ids: list[str]) -> None:
        self.cases.record_verdicts(self.home, self.project, ids, "accept")

    def work_through(self, repeats: int) -> None:
        self.judge(0)
        for number in range(1, repeats + 1):
            self.timed("verdict + refresh", self.judge, number)
            self.timed("summary of the project", self.get_project, self.home, self.project)
            self.timed("one's own verdicts", self.cases.my_sight, self.home, self.project)
            self.timed("filter and sort", self.filter, number)
            self.timed("nearest text elsewhere", self.cases.confusable, self.curation, self.ids[number])
        for number in range(min(3, repeats)):
            self.timed("preview of rules", self.preview, number)
            self.timed("value of review", self.cases.review_value, self.curation)
        self.timed("1,000 verdicts in one go", self.many, self.ids[:1000])
        self.timed("refresh after 1,000", self.refresh)
        self.timed("undo of 1,000", self.cases.undo, self.home, self.project)

    def half_judged(self) -> None:
        self.many(self.ids[::2])
        self.curation = self.timed("open, half of it judged", self.open)
        value = self.timed("value, half of it judged", self.cases.review_value, self.curation)
        print(f"{self.project} classes, half judged. {value.sentence}", file=sys.stderr)


class Page:
    """The review page of the app itself, run whole at each step as a browser would have it run."""

    def __init__(self, session: Session, project: str) -> None:
        from streamlit.testing.v1 import AppTest

        from app.state.filter_values import KEYS

        os.environ["AVION_HOME"] = str(session.home.path)
        self.timed, self.flag_filter = session.timed, KEYS["RS-Flag"]
        self.app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=600)
        self.app.query_params["project"] = session.get_project(session.home, project).id
        self.app.run()
        self.app.switch_page("../pages/review.py")

    def opened(self) -> Page:
        self.timed("page: opened", self.open)
        return self

    @property
    def card(self) -> dict[str, Any] | None:
        told = [json.loads(component.proto.json) for component in self.app.get("bidi_component")]
        return next((data for data in told if "cursor" in data), None)

    def open(self) -> None:
        self.app.run()
        while self.card is None:  # the curation is made beside the page, which looks again
            time.sleep(0.05)
            self.app.run()

    def filter(self, flag: str) -> None:
        self.app.selectbox(key=self.flag_filter).select(flag).run()

    def judge(self, number: int) -> None:
        sender = {name: self.card[name] for name in ("project", "reviewer")}
        decision = {"seq": number, "token": f"tab-{number}", "id": self.card["cursor"], "action": "reject"}
        self.app.session_state["outbox"] = {"queue": [{"component": "review_card", **sender, **decision}]}
        self.app.run()

    def work_through(self, repeats: int) -> None:
        for number in range(repeats):
            self.timed("page: filtered", self.filter, ("flagged", "not flagged")[number % 2])
            self.timed("page: verdict", self.judge, number + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="42 classes and two repeats")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.quick:
        asked.classes, asked.repeats = 2 * SMALL, 2
    if asked.measure:
        session = Session(asked.home, str(asked.measure))
        session.work_through(asked.repeats)
        Page(session, str(SMALL)).open()  # what the page imports is there once a server has shown it to anybody
        Page(session, str(asked.measure)).opened().work_through(asked.repeats)
        session.half_judged()
        print(json.dumps(session.seconds))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for classes in (SMALL, asked.classes):
            make_project(Path(folder), classes)
            command = [sys.executable, "-m", "benchmarks.review_scale", "--home", folder, "--measure", str(classes)]
            command += ["--repeats", str(asked.repeats)]
            found[classes] = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    print(f"{'':<26} {SMALL:>5} x {TEXTS:<13} {asked.classes:>5} x {TEXTS:<13} ratio")
    for what, small in found[SMALL].items():
        sides = [[median(times) for times in zip(*side, strict=True)] for side in (small, found[asked.classes][what])]
        shown = [f"{clock:8.3f} s ({processor:.3f})" for clock, processor in sides]
        limit = f"  under {LIMITS[what]} s" if what in LIMITS else ""
        print(f"{what:<26} {shown[0]:<21} {shown[1]:<21} {sides[1][1] / sides[0][1]:5.1f}{limit}")


if __name__ == "__main__":
    main()
