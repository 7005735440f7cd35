"""What a run can be: methods and protocols as the launch form and other pages offer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from avion_core.config import RunConfig, Stage
from avion_core.methods import METHODS, find_method
from avion_core.protocols import PROTOCOLS
from avion_core.usecases.runs.views import RunView


@dataclass(frozen=True)
class MethodChoice:
    """A method for people: see `methods.method.Method`."""

    name: str
    title: str
    what: str
    settings: Stage
    """Its own settings as they are by default."""
    reads: tuple[str, ...]
    """The beginnings of the shared settings that it uses."""
    trains_student: bool
    curves: Mapping[str, tuple[str, str]]

    def uses(self, dotted: str) -> bool:
        """Whether a setting matters to it; those outside the stages of the method matter to all."""
        stage = dotted.partition(".")[0]
        own = stage in ("descriptions", "prototypes", "model", "distillation") and dotted != "model.template"
        return not own or dotted.startswith(self.reads)


@dataclass(frozen=True)
class ProtocolChoice:
    """A protocol for people: see `protocols.protocol.Protocol`."""

    name: str
    title: str
    what: str
    spans_projects: bool
    over_shots: bool


def method_choices() -> dict[str, MethodChoice]:
    """Every method by its name."""
    return {name: method_choice(name) for name in METHODS}


def method_choice(name: str) -> MethodChoice:
    """One method.

    Raises:
        ConfigError: there is none of this name.
    """
    method = find_method(name)
    own = method.Settings()
    return MethodChoice(name, method.title, method.what, own, method.reads, method.trains_student, method.curves)


def protocol_choices() -> dict[str, ProtocolChoice]:
    """Every protocol by its name."""
    return {
        name: ProtocolChoice(name, entry.title, entry.what, entry.spans_projects, entry.drawn_over == "shots")
        for name, entry in PROTOCOLS.items()
    }


def on_captions(run: RunView) -> bool:
    """Whether a run trains on images with captions, and not on classes."""
    return run.config.protocol.name in PROTOCOLS and PROTOCOLS[run.config.protocol.name].by_captions


def trains_student(run: RunView) -> bool:
    """Whether a run leaves a student that tells classes apart, to predict, map and export with."""
    known = run.config.method in METHODS
    return known and find_method(run.config.method).trains_student and not on_captions(run)


def describe(config: RunConfig) -> str:
    """What is trained, in a word: "AVION", "linear probe (teacher)"."""
    title = find_method(config.method).title
    model = config.options.get("model")
    return f"{title} ({model})" if model else title
