"""The command line's entry and its groups; the arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from avion_core import __version__
from avion_core.cli.frame import AsJson, Debug, HomeFolder

TOUR = """AVION Studio: adapt a remote-sensing CLIP from a few labelled images and LLM-written class descriptions.

\b
A first tour, offline:
  avion demo                           make the demo projects
  avion prototypes ucmerced-demo       what the rules keep, cut and weigh
  avion train ucmerced-demo            train a student, minutes on a laptop
  avion evaluate latest                its accuracy on validation images
  avion placebo ucmerced-demo          whether the words of descriptions carry meaning
  avion app                            the studio in the browser

\b
With your own images:
  avion datasets list                  the published data sets; also show, get, verify
  avion projects look FOLDER           what is in it, before it is a project
  avion projects create mine FOLDER    class folders, or --labels FILE
  avion labels import mine FILE        labels from a table; see also avion classes
  avion captions import mine FILE      a caption JSON, for --protocol retrieval
  avion descriptions import mine FILE  JSONL, CSV or {"class": ["text", ...]}
  avion models download NAME           or: avion models add NAME FILE
  avion train mine --shots 16
  avion predict latest FOLDER
  avion runs export latest --out FILE  the student as a zip

\b
Long trainings:
  avion train mine --queue             in the background, one after another
  avion runs list                      their status; also stop, kill, resume, delete
  avion sweeps run FILE                a grid of runs in YAML; then: avion sweeps table
  avion jobs list                      the same for maps, generations and all other long work

\b
With colleagues on your network:
  avion app --lan                      everybody signs in; prints the first admin's link
  avion users invite --role reviewer   a link for one colleague
  avion agreement mine                 kappa, alpha and the conflicts
  avion backup list                    copies of the database, made every day

\b
Without a network, and to another machine:
  avion review pack mine --out FILE    a colleague reviews elsewhere; avion review merge
  avion projects pack mine --out FILE  all of a project in one file; avion projects unpack
  avion projects relink mine FOLDER    after the images moved
  avion capsule RUN --out FILE         what a publication's figures were made from; avion verify

Every command takes --json (one object on standard output), --home (the home folder) and --debug.
"""

_QUIET: dict[str, Any] = {"add_completion": False, "no_args_is_help": True, "rich_markup_mode": None}
app = typer.Typer(help=TOUR, pretty_exceptions_enable=False, **_QUIET)
projects = typer.Typer(help="Image folders with classes and frozen splits.", **_QUIET)
labels = typer.Typer(help="Labels of images: export and import.", **_QUIET)
captions = typer.Typer(help="Captions of images, for retrieval.", **_QUIET)
classes = typer.Typer(help="Classes and their cards: definitions, includes, excludes, names, colours.", **_QUIET)
datasets = typer.Typer(help="Published data sets: what they are, where to get them, whether a copy is whole.", **_QUIET)
descriptions = typer.Typer(help="Class descriptions: import, export, list, and RS-Flag.", **_QUIET)
review = typer.Typer(help="Review without a network: send packs out, merge the verdicts that come back.", **_QUIET)
runs = typer.Typer(help="Trainings: status, stop, kill, resume, and export of the student as a zip.", **_QUIET)
sweeps = typer.Typer(help="Grids of runs in one file, and their tables.", **_QUIET)
jobs = typer.Typer(help="Long work of every kind: status, log, start, stop, resume.", **_QUIET)
models = typer.Typer(help="Weights of teachers and students.", **_QUIET)
users = typer.Typer(help="Accounts of people who share a studio, and their roles.", **_QUIET)
backup = typer.Typer(help="Copies of the database.", **_QUIET)
app.add_typer(projects, name="projects")
app.add_typer(labels, name="labels")
app.add_typer(captions, name="captions")
app.add_typer(classes, name="classes")
app.add_typer(datasets, name="datasets")
app.add_typer(descriptions, name="descriptions")
app.add_typer(review, name="review")
app.add_typer(runs, name="runs")
app.add_typer(sweeps, name="sweeps")
app.add_typer(jobs, name="jobs")
app.add_typer(models, name="models")
app.add_typer(users, name="users")
app.add_typer(backup, name="backup")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"AVION Studio {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
]


@app.callback()
def _before_the_command(
    as_json: AsJson = False, home: HomeFolder = None, debug: Debug = False, version: Version = False
) -> None:
    """Take what all commands share before their name too; `frame.command` reads it."""


ProjectName = Annotated[str, typer.Argument(metavar="PROJECT", help="A project's name or id.")]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it.")]
Preview = Annotated[bool, typer.Option("--preview", help="Only say what would be done; change nothing.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the beginning of one, or latest.")]
Limit = Annotated[int, typer.Option(help="The most rows to list.")]
Page = Annotated[int, typer.Option(help="Which page of the list, counted from 1.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, such as distillation.learning_rate=0.001."),
]
InBackground = Annotated[
    bool, typer.Option("--queue", help="Let a job do it in the background and return; see `avion jobs list`.")
]
Preset = Annotated[str, typer.Option(help="recommended, paper, authors, demo, or an ablation: B0 to B7, P0, P-full.")]
Shots = Annotated[int | None, typer.Option(help="Labelled training images per class.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the frozen split to use: 1, 2 or 3.")]


class Paged(Protocol):
    """One page of a long list."""

    @property
    def found(self) -> int: ...
    @property
    def page(self) -> int: ...
    @property
    def pages(self) -> int: ...


def page_line(paged: Paged) -> str:
    """A last line for a list that goes on; "" where all of it is shown."""
    if paged.pages == 1:
        return ""
    return f"\n\nPage {paged.page:,} of {paged.pages:,}, {paged.found:,} in all; see --page and --limit."
