"""Who may do what: one table, from each use case to the right that it needs.

A use case is a public function of this package that works on a home. `use_case` asks whether the home's actor holds
the right before anything else happens, whatever page, command or script it is called from. Pages ask `may` as well,
but only to show what a person cannot press.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from avion_core.actor import ROLES, Actor
from avion_core.errors import RightsError
from avion_core.store.home import Home

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Right:
    """Something that only some may do: in words that follow "may", and the roles that hold it."""

    what: str
    holders: tuple[str, ...]

    @property
    def whom(self) -> str:
        """Who holds it, in words: "an adjudicator or an admin"."""
        return " or ".join(f"{'an' if holder[0] in 'aeiou' else 'a'} {holder}" for holder in self.holders)


_LEADING = ("adjudicator", "admin")

ENTER = Right("come to the door", ("stranger", *ROLES))
SEE = Right("look into this studio", ROLES)
REVIEW = Right("review descriptions and label images", ROLES)
ADJUDICATE = Right("settle conflicts between reviewers", _LEADING)
CHANGE_RULES = Right("change the rules of selection", _LEADING)
CHANGE_PROJECTS = Right("change projects, their classes and descriptions", _LEADING)
TRAIN = Right("start and stop trainings", _LEADING)
UNSEAL = Right("open the sealed test set", ("admin",))
ADMINISTER = Right("manage users, models and backups", ("admin",))

RIGHTS = (REVIEW, ADJUDICATE, CHANGE_RULES, CHANGE_PROJECTS, TRAIN, UNSEAL, ADMINISTER)

_TABLE: dict[Right, dict[str, str]] = {
    ENTER: {
        "people.accounts": "accounts_are_on cookie_name person_of read_invite accept_invite sign_in sign_out",
    },
    SEE: {
        "curation.agreement": "agreement conflicts review_progress",
        "curation.blind": "my_sight sees_all visible_verdicts",
        "curation.deciding": "history",
        "curation.outside": "outside_accuracy",
        "curation.refreshing": "refresh",
        "curation.rules": "current_rules rule_versions run_config saved_rules",
        "curation.shared": "reviewer_view",
        "curation.table": "curation_table",
        "insight.alignment": "get_map image_counts list_maps read_map",
        "insight.classifiers": "fitted_temperature open_student student_classifier teacher_classifier",
        "insight.compare": "change_between compare_runs",
        "insight.confusion": "confusions contrasts refreshed try_texts",
        "insight.evaluation": "is_outdated kept_report looks pictures published",
        "insight.map_subjects": "map_inputs map_subject",
        "insight.measuring": "evaluation_job",
        "insight.image_search": "search",
        "insight.journal": "changes_since journal_entries next_steps stale",
        "insight.ladder": "ladder",
        "insight.placebo": "placebo_job read_placebo",
        "insight.prediction": "export_student predict predict_with_teacher",
        "insight.report_contents": "run_contents",
        "insight.written_report": "write_report",
        "insight.protocol_runs": "over_seeds over_shots",
        "insight.teacher_state": "state_of teacher_state",
        "installation.resources": "storage",
        "installation.serving": "invite_link",
        "job_control": "list_jobs",
        "jobs": "active_jobs get_job job_view log_tail start_or_wait",
        "models.catalog": "list_models open_towers usable_pair",
        "models.installing": "installing_jobs",
        "people.accounts": "list_accounts reset_password",
        "projects.captions": "caption_counts",
        "projects.class_aliases": "class_aliases",
        "projects.classes": "class_changes export_cards",
        "projects.current_descriptions": "current_descriptions",
        "projects.current_images": "current_images known_images",
        "projects.descriptions": "read_for",
        "projects.freeze": "freeze kept_captions",
        "projects.images": "class_pictures image_path image_table",
        "projects.labels": "export_labels export_split unlabelled",
        "projects.summaries": "get_project list_projects project_names read_manifest read_projects "
        "read_problems read_splits summary_of",
        "projects.text_lengths": "too_long_for_teacher unread_ends",
        "projects.models": "models_change",
        "projects.selections": "keep_selection read_selection",
        "runs.caption_checks": "caption_checks",
        "runs.estimate": "estimate",
        "runs.label_budget": "within_budget",
        "runs.command_line": "cli_command",
        "runs.preflight": "preflight refuse_unready",
        "runs.listing": "known_runs page_of_runs",
        "runs.trained": "student_run trained_run",
        "runs.planning": "by_project_ids plan_run planned_config",
        "runs.sweeps": "read_sweep sweep_cells",
        "insight.sweep_tables": "sweep_document sweep_table",
        "runs.training": "sleeping_queue",
        "runs.views": "computed_with curves get_run list_runs right_on_validation run_view",
        "transfer.archives": "new_archive",
        "transfer.exchange": "export_descriptions holdings read_records",
        "transfer.relink": "look_at_root",
        "transfer.review_packs": "opened_packs returned_verdicts",
        "writing.asking_by_hand": "chat_prompt",
        "writing.compare_writers": "compare_writers",
        "writing.confusable_classes": "confusable_classes",
        "writing.generations": "descriptions_written exchanges get_generation list_generations",
        "writing.ordering": "plan_writing preview",
        "writing.prompts": "prompts",
    },
    REVIEW: {
        "curation.deciding": "record_verdict record_verdicts undo undo_decision",
        "curation.label_suggestions": "suggest_labels",
        "insight.alignment": "embed_map start_map stop_map",
        "insight.evaluation": "evaluate_run",
        "insight.measuring": "start_evaluation",
        "insight.placebo": "placebo_here start_placebo",
        "insight.sweep_tables": "measure_sweep",
        "job_control": "kill_job resume_job start_job_now stop_job",
        "jobs": "enqueue forget kill queue_again",
        "projects.labels": "give_labels import_labels undo_labels",
    },
    ADJUDICATE: {"curation.agreement": "set_blind"},
    CHANGE_RULES: {"curation.rules": "restore_rules save_rules"},
    CHANGE_PROJECTS: {
        "insight.confusion": "add_contrastive",
        "insight.prediction": "image_files",
        "projects.captions": "import_captions",
        "projects.class_aliases": "forget_alias",
        "projects.classes": "add_class edit_card import_cards merge_classes rename_class split_class undo_change",
        "projects.descriptions": "bring_in import_descriptions import_upload",
        "projects.images": "look_at_labels look_into set_recipe",
        "projects.labels": "draw_splits",
        "projects.models": "set_models",
        "projects.creating": "create_project open_demo",
        "projects.data_sets": "get_data_set verify_data_set",
        "projects.demo_results": "first_settings install_demo_results made_from ship_features shown_items",
        "projects.from_features": "create_from_features",
        "projects.near_copies": "seek_near_copies",
        "projects.neighbours": "keep_neighbours",
        "transfer.capsule.making": "capsule_bytes make_capsule make_sweep_capsule",
        "transfer.capsule.materials": "find_materials",
        "transfer.packs": "add_features pack_project staging_folder take_in unpack_project",
        "transfer.relink": "check_root relink",
        "transfer.whole_projects": "archive_project delete_project duplicate_project rename_project",
        "transfer.review_packs": "make_review_pack merge_review open_review_pack packed_review",
        "transfer.review_pictures": "pictures_of shots_of",
        "writing.ordering": "ask_to_stop order_descriptions resume start write_here",
        "writing.prompts": "keep_prompt",
    },
    TRAIN: {
        "job_control": "start_job",
        "runs.deleting": "delete_run",
        "runs.sweeps": "launch_grid",
        "runs.launching": "create_run launch launch_sweep",
        "runs.marking": "pin_baseline rename_run",
        "transfer.capsule.verifying": "verify_capsule",
        "runs.training": "kill queue_again resume run_here stop wake_queue",
    },
    UNSEAL: {
        "insight.alignment": "look_at_test_map",
        "insight.measuring": "look_at_test_figures opened_report",
        "projects.images": "look_at_test_images",
    },
    ADMINISTER: {
        "installation.backup": "back_up back_up_if_due backups_are_ours list_backups losses of_people restore_backup "
        "restore_damaged",
        "installation.leftovers": "clear_home",
        "installation.serving": "prepare_server",
        "models.catalog": "remove_model",
        "models.entering": "enter_model forget_model",
        "models.installing": "clear_failures install_here start_adding start_download",
        "people.accounts": "add_account invite list_invites set_disabled set_role withdraw_invite",
    },
}


def right_for(module: str, name: str) -> Right:
    """The right that a use case needs.

    Raises:
        LookupError: the table above has no line for it. Every use case needs one.
    """
    subject = module.removeprefix("avion_core.usecases.")
    for right, named in _TABLE.items():
        if name in named.get(subject, "").split():
            return right
    raise LookupError(f"{subject}.{name} has no policy: say in {__name__} which right it needs")


def use_case(function: Callable[Concatenate[Home, P], T]) -> Callable[Concatenate[Home, P], T]:
    """Declare a use case: its right is asked of whoever the home is open for, before all else."""
    right = right_for(function.__module__, function.__name__)

    @functools.wraps(function)
    def asking(home: Home, /, *args: P.args, **kwargs: P.kwargs) -> T:
        demand(home.actor, right)
        return function(home, *args, **kwargs)

    return asking


def may(actor: Actor, right: Right) -> bool:
    """Whether somebody holds the right."""
    return actor.role in right.holders


def demand(actor: Actor, right: Right) -> None:
    """Let it pass, or raise: for what a use case needs only in some cases.

    Raises:
        RightsError: they do not hold the right.
    """
    if may(actor, right):
        return
    if actor.role == "stranger":
        raise RightsError(f"without signing in you may not {right.what}", "Sign in first.")
    raise RightsError(f"as {actor.role} you may not {right.what}", f"Ask {right.whom} of this studio.")
