"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.String(12)
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("image_root", sa.String, nullable=False),
        sa.Column("modality", sa.String(20), nullable=False),
        sa.Column("teacher", sa.String, nullable=False),
        sa.Column("student", sa.String, nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("defaults", sa.JSON, nullable=False),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("baseline_run", _ID, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("name", name="uq_projects_name"),
    )
    op.create_table(
        "classes",
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("class_key", sa.String(200), nullable=False),
        sa.Column("prompt_name", sa.String, nullable=False),
        sa.Column("local_name", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("definition", sa.String, nullable=False),
        sa.Column("includes", sa.String, nullable=False),
        sa.Column("excludes", sa.String, nullable=False),
        sa.Column("parent", sa.String, nullable=False),
        sa.Column("colour", sa.String, nullable=False),
        sa.Column("retired", sa.Boolean, nullable=False),
        sa.Column("merged_into", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "class_key", name="pk_classes"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_classes_project_id_projects"),
    )
    op.create_table(
        "class_changes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("class_key", sa.String(200), nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("undone_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_class_changes"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_class_changes_project_id_projects"),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("image_id", sa.String(64), nullable=False),
        sa.Column("class_key", sa.String(200), nullable=True),
        sa.Column("guess", sa.String, nullable=False),
        sa.Column("reviewer", sa.String, nullable=False),
        sa.Column("batch", sa.String(32), nullable=True),
        sa.Column("token", sa.String(80), nullable=False),
        sa.Column("undoes", sa.Integer, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.ForeignKeyConstraint(
            ["project_id", "class_key"],
            ["classes.project_id", "classes.class_key"],
            name="fk_labels_project_id_classes",
        ),
        sa.ForeignKeyConstraint(["undoes"], ["labels.id"], name="fk_labels_undoes_labels"),
        sa.UniqueConstraint("token", name="uq_labels_token"),
        sa.UniqueConstraint("undoes", name="uq_labels_undoes"),
    )
    op.create_index("ix_labels_image", "labels", ["project_id", "image_id"])
    _make_append_only("labels")
    op.create_table(
        "generations",
        sa.Column("id", _ID, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("prompt_version", sa.String, nullable=False),
        sa.Column("prompt", sa.String, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("classes", sa.Integer, nullable=False),
        sa.Column("classes_done", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("stop_requested", sa.Boolean, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=True),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("lease", _ID, nullable=True),
        sa.Column("host", sa.String, nullable=True),
        sa.Column("pid", sa.Integer, nullable=True),
        sa.Column("process_started", sa.Float, nullable=True),
        sa.Column("heartbeat_at", _MOMENT, nullable=True),
        sa.Column("cause", sa.String, nullable=True),
        sa.Column("error", sa.String, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_generations_project_id_projects"),
    )
    op.create_index("ix_generations_project", "generations", ["project_id", "created_at"])
    op.create_table(
        "replies",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("generation_id", _ID, nullable=False),
        sa.Column("class_key", sa.String(200), nullable=False),
        sa.Column("data", sa.String, nullable=False),
        sa.Column("pictures", sa.Integer, nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("got", sa.Integer, nullable=False),
        sa.Column("dropped", sa.JSON, nullable=False),
        sa.Column("problem", sa.String, nullable=False),
        sa.Column("raw", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("tokens_in", sa.Integer, nullable=False),
        sa.Column("tokens_out", sa.Integer, nullable=False),
        sa.Column("cost", sa.Float, nullable=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replies"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_replies_project_id_projects"),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name="fk_replies_generation_id_generations"),
    )
    op.create_index("ix_replies_generation", "replies", ["generation_id", "class_key"])
    op.create_table(
        "descriptions",
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("description_id", sa.String(64), nullable=False),
        sa.Column("class_key", sa.String(200), nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("writer", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("prompt_version", sa.String, nullable=False),
        sa.Column("viewpoint", sa.String, nullable=False),
        sa.Column("visual_cues", sa.String, nullable=False),
        sa.Column("spatial_cues", sa.String, nullable=False),
        sa.Column("raw_reply", sa.String, nullable=False),
        sa.Column("tokens_in", sa.Integer, nullable=False),
        sa.Column("tokens_out", sa.Integer, nullable=False),
        sa.Column("parent", sa.String, nullable=False),
        sa.Column("written_at", sa.String, nullable=False),
        sa.Column("reply_id", sa.Integer, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "description_id", name="pk_descriptions"),
        sa.ForeignKeyConstraint(["reply_id"], ["replies.id"], name="fk_descriptions_reply_id_replies"),
        sa.ForeignKeyConstraint(
            ["project_id", "class_key"],
            ["classes.project_id", "classes.class_key"],
            name="fk_descriptions_project_id_classes",
        ),
    )
    op.create_table(
        "rule_versions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("prototypes", sa.JSON, nullable=False),
        sa.Column("descriptions", sa.JSON, nullable=False),
        sa.Column("reviewer", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rule_versions"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_rule_versions_project_id_projects"),
        sa.UniqueConstraint("project_id", "number", name="uq_rule_versions_project_id"),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("description_id", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(10), nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("reviewer", sa.String, nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("token", sa.String(80), nullable=False),
        sa.Column("batch", sa.String(32), nullable=True),
        sa.Column("adjudicates", sa.Boolean, nullable=False),
        sa.Column("undoes", sa.Integer, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sa.ForeignKeyConstraint(
            ["project_id", "description_id"],
            ["descriptions.project_id", "descriptions.description_id"],
            name="fk_verdicts_project_id_descriptions",
        ),
        sa.ForeignKeyConstraint(["undoes"], ["verdicts.id"], name="fk_verdicts_undoes_verdicts"),
        sa.UniqueConstraint("token", name="uq_verdicts_token"),
        sa.UniqueConstraint("undoes", name="uq_verdicts_undoes"),
    )
    op.create_index("ix_verdicts_description", "verdicts", ["project_id", "description_id"])
    op.create_index("ix_verdicts_batch", "verdicts", ["batch"])
    _make_append_only("verdicts")
    op.create_table(
        "runs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("based_on", _ID, nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("stop_requested", sa.Boolean, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=True),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("lease", _ID, nullable=True),
        sa.Column("host", sa.String, nullable=True),
        sa.Column("pid", sa.Integer, nullable=True),
        sa.Column("process_started", sa.Float, nullable=True),
        sa.Column("heartbeat_at", _MOMENT, nullable=True),
        sa.Column("device", sa.String, nullable=True),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("accuracy", sa.Float, nullable=True),
        sa.Column("expected_end", _MOMENT, nullable=True),
        sa.Column("preparation_seconds", sa.Float, nullable=True),
        sa.Column("seconds_per_step", sa.Float, nullable=True),
        sa.Column("peak_bytes", sa.BigInteger, nullable=True),
        sa.Column("cause", sa.String, nullable=True),
        sa.Column("error", sa.String, nullable=True),
        sa.Column("summary", sa.JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_runs_project_id_projects"),
    )
    op.create_index("ix_runs_project", "runs", ["project_id", "created_at"])
    op.create_table(
        "looks",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_looks"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_looks_run_id_runs"),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("sentence", sa.String, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_journal_project_id_projects"),
    )
    op.create_index("ix_journal_project", "journal", ["project_id", "created_at"])
    op.create_table(
        "accounts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("disabled_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    op.create_table(
        "invites",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("made_by", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("account_id", _ID, nullable=True),
        sa.Column("resets", _ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invites"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_invites_account_id_accounts"),
        sa.ForeignKeyConstraint(["resets"], ["accounts.id"], name="fk_invites_resets_accounts"),
        sa.UniqueConstraint("secret_hash", name="uq_invites_secret_hash"),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sign_ins_account_id_accounts"),
        sa.UniqueConstraint("secret_hash", name="uq_sign_ins_secret_hash"),
    )


def _make_append_only(table: str) -> None:
    """The database itself refuses to change or delete a row of `table`."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_append_only() RETURNS trigger AS $$ "
            f"BEGIN RAISE EXCEPTION '{table} are append-only'; END $$ LANGUAGE plpgsql"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()"
        )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
        )
