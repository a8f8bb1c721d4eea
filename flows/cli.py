"""The command line: arguments in, exit status out.

Exit status: 0 done, 1 a gate failed, 2 wrong usage or configuration, 3 a backend failed for good.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flows.interrupt import end_at_once_on_interrupt
from sdg.errors import GateError, PairmillError
from sdg.vllm_process import set_process_defaults

app = typer.Typer(
    help="Documents in, an audited training set for text-embedding models out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigArgument = Annotated[
    Path, typer.Argument(help="A YAML file, or the name of a preset (demo).", metavar="CONFIG")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Directory of the data set; default runs/<name>.")
]
SetOption = Annotated[
    list[str], typer.Option("--set", help="Change a setting: --set mining.num_negatives=8.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value, for machines.")]
CountOption = Annotated[int, typer.Option("-n", min=1, help="Rows to show.")]

_NO_SETTINGS: list[str] = []


@app.command()
def build(
    config: ConfigArgument,
    out: OutOption = None,
    set_: SetOption = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Run or resume the whole flow; what is finished is not done again."""
    from flows.build import run_build
    from flows.report import print_outcome

    outcome = run_build(config, out, set_)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())
    if outcome.failed_gates:
        from flows.audit_report import print_failed

        if not as_json:
            print_failed(outcome, Console())
        raise GateError.of(outcome.failed_gates)


@app.command()
def plan(
    config: ConfigArgument,
    out: OutOption = None,
    set_: SetOption = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Show what a build would do; reads the corpus, asks no LLM."""
    from flows.preview import plan_run, print_plan

    planned = plan_run(config, out, set_)
    if as_json:
        _print_json(planned.to_json())
    else:
        print_plan(planned, Console())


@app.command()
def preview(
    config: ConfigArgument,
    out: OutOption = None,
    set_: SetOption = _NO_SETTINGS,
    count: CountOption = 5,
    as_json: JsonOption = False,
) -> None:
    """Build a few rows with the real models and show them with prompts, scores and rejections."""
    from flows.preview import preview_rows, print_preview

    previewed = preview_rows(config, out, set_, count)
    if as_json:
        _print_json(previewed.to_json())
    else:
        print_preview(previewed, Console())


@app.command()
def mine(  # noqa: PLR0913, PLR0917 - one option each
    out: Annotated[Path, typer.Option("--out", help="Directory of the data set.")],
    pairs: Annotated[
        str | None,
        typer.Option(help="Queries with positives: Parquet, JSONL, JSON, a folder, a data set."),
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Documents; without it, the positives of all pairs.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file.")] = None,
    preset: Annotated[str | None, typer.Option(help="A published recipe: nv-embed-v2 …")] = None,
    query_vectors: Annotated[
        str | None, typer.Option(help="Ready vectors, one per row of the pairs: .npy, Parquet.")
    ] = None,
    document_vectors: Annotated[
        str | None, typer.Option(help="Ready vectors, one per row of the corpus.")
    ] = None,
    set_: SetOption = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Find hard negatives for pairs you already have; what is finished is not done again."""
    from flows.mine import run_mine
    from flows.report import print_outcome

    given = {
        "pairs.path": pairs,
        "corpus.path": corpus,
        "vectors.queries": query_vectors,
        "vectors.documents": document_vectors,
    }
    outcome = run_mine(config, preset, out, _arguments(given), set_)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())


@app.command()
def bitext(  # noqa: PLR0913, PLR0917 - one option each
    out: Annotated[Path, typer.Option("--out", help="Directory of the pairs.")],
    source: Annotated[
        str | None,
        typer.Option(help="Sentences: Parquet, JSONL, JSON, a folder, a data set. The queries."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Sentences in another language. The positives.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file.")] = None,
    preset: Annotated[str | None, typer.Option(help="A published recipe: laser-bitext.")] = None,
    source_vectors: Annotated[
        str | None, typer.Option(help="Ready vectors, one per row of the source: .npy, Parquet.")
    ] = None,
    target_vectors: Annotated[
        str | None, typer.Option(help="Ready vectors, one per row of the target.")
    ] = None,
    set_: SetOption = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Find translations among two sets of sentences: pairs that `pairmill mine` takes."""
    from flows.bitext import run_bitext
    from flows.report import print_outcome

    given = {
        "source.path": source,
        "target.path": target,
        "vectors.source": source_vectors,
        "vectors.target": target_vectors,
    }
    outcome = run_bitext(config, preset, out, _arguments(given), set_)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())


@app.command()
def show(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    stage: Annotated[str | None, typer.Option(help="Show rows that this stage rejected.")] = None,
    reason: Annotated[str | None, typer.Option(help="Show rows rejected for this reason.")] = None,
    split: Annotated[str | None, typer.Option(help="Show kept rows of this split only.")] = None,
    count: CountOption = 10,
    as_json: JsonOption = False,
) -> None:
    """Look at rows: kept, or rejected and why."""
    from data_cards import show as rows_of

    if split is not None and (stage or reason):
        from sdg.errors import ConfigError

        raise ConfigError(
            f"`--split` must stand without `--stage` and `--reason`, but is {split!r} beside them "
            "instead. Rejected rows have no split."
        )
    if stage or reason:
        table = rows_of.rejected_rows(directory, stage=stage, reason=reason, limit=count)
    else:
        table = rows_of.kept_rows(directory, split=split, limit=count)
    rows = table.to_pylist()
    if as_json:
        _print_json(rows)
        return
    console = Console()
    for row in rows:
        console.print(rows_of.describe_row(row), markup=False, highlight=False)
    console.print(f"{len(rows)} rows shown (-n {count})", markup=False)


@app.command()
def relabel(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    config: Annotated[
        Path | None, typer.Option("--config", help="A YAML file: generators, judge, relabel.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory of the result; default DIR-relabelled.")
    ] = None,
    set_: SetOption = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Judge the negatives of a finished data set, relabel its positives; DIR is not changed."""
    from flows.relabel_command import relabel_data_set
    from flows.report import print_outcome

    outcome = relabel_data_set(directory, config, out, set_)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())


@app.command()
def decontaminate(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    against: Annotated[
        list[str],
        typer.Option(help="BEIR directory, Parquet, JSONL, or a .txt file of document ids."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Directory of the result; default DIR-decontaminated."),
    ] = None,
    ngram_words: Annotated[
        int, typer.Option(help="Words in a row that must be equal.", min=5, max=64)
    ] = 13,
    as_json: JsonOption = False,
) -> None:
    """Write a copy of a finished data set without what evaluation sets hold; DIR is not changed."""
    from flows.relabel_command import decontaminate_data_set
    from flows.report import print_outcome

    outcome = decontaminate_data_set(directory, against, out, ngram_words)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())


@app.command()
def card(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    set_: Annotated[
        list[str],
        typer.Option("--set", help="State a fact of the card: --set date_published=2026-11-21."),
    ] = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Check a finished data set against its manifest; render card and Croissant again."""
    from data_cards import layout
    from flows.card_command import render_again

    path = render_again(directory, set_)
    paths = {"card": str(path), "croissant": str(path.with_name(layout.CROISSANT))}
    if as_json:
        _print_json(paths)
    else:
        for name, shown in paths.items():
            Console().print(f"{name}: {shown}", markup=False)


@app.command()
def serve(
    configs: Annotated[list[Path], typer.Argument(help="Files with a schedule.", metavar="CONFIG")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of data sets; default runs/.")
    ] = None,
    set_: SetOption = _NO_SETTINGS,
) -> None:
    """Register the scheduled flows with the configured Prefect server and run them when due."""
    from flows.serve import serve_configs

    serve_configs(configs, set_, out)


@app.command()
def audit(
    data_set: Annotated[
        str,
        typer.Argument(
            help="A data set of any layout: a directory, a file, or a hub id.", metavar="DIR"
        ),
    ],
    config: Annotated[
        Path | None, typer.Option("--config", help="A YAML file: metrics, gates, judge.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where metrics go; default DIR/audit, else DIR-audit."),
    ] = None,
    against: Annotated[
        list[str],
        typer.Option(help="An evaluation set that must not be in it: a BEIR directory, a table."),
    ] = _NO_SETTINGS,
    set_: SetOption = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Measure whether a data set is any good; a figure past a gate's limit is exit status 1."""
    from flows.audit import audit_data_set, failures
    from flows.audit_report import print_audit

    outcome = audit_data_set(data_set, config, out, [*_evaluation_sets(against), *set_])
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_audit(outcome, Console())
    failed = failures(outcome)
    if failed:
        raise GateError.of(failed)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A finished data set.", metavar="OLD")],
    new: Annotated[Path, typer.Argument(help="Its next version.", metavar="NEW")],
    as_json: JsonOption = False,
) -> None:
    """Print what changed between two versions, as a section for NEW/CHANGELOG.md."""
    from data_cards.changelog import render_changes
    from flows.diff_command import diff_data_sets

    changes = diff_data_sets(old, new)
    if as_json:
        _print_json(changes.to_json())
    else:
        sys.stdout.write(render_changes(changes))


@app.command()
def export(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="triplet, n-tuple, labeled-pair, labeled-list, flagembedding, tevatron, nemo, "
            "pylate, beir.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory of the export; default DIR-<format>.")
    ] = None,
    split: Annotated[
        list[str], typer.Option("--split", help="Export this split only; may be repeated.")
    ] = _NO_SETTINGS,
    set_: Annotated[
        list[str], typer.Option("--set", help="A setting of the format: --set scores=list.")
    ] = _NO_SETTINGS,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another export in that directory.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a finished data set as files for one trainer; DIR is not changed."""
    from flows.export import export_data_set
    from flows.export_report import print_export

    outcome = export_data_set(
        directory, format_, out, splits=split, overrides=set_, overwrite=overwrite
    )
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_export(outcome, Console())


@app.command()
def publish(
    directory: Annotated[
        Path, typer.Argument(help="A finished data set or export.", metavar="DIR")
    ],
    target: Annotated[
        str, typer.Argument(help="s3://…, file:///…, hf://datasets/OWNER/NAME", metavar="TARGET")
    ],
    yes: Annotated[
        bool, typer.Option("--yes-publish", help="Send; without it, only say what would be sent.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept-licences", help="Sign off the notice of licences.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="A new repository on the hub is public.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a finished directory elsewhere; a dry run unless told otherwise."""
    from flows.export_report import print_upload
    from flows.upload import upload

    outcome = upload(directory, target, yes=yes, accept_licences=accept, public=public)
    if as_json:
        _print_json(outcome.to_json())
    else:
        print_upload(outcome, Console())


@app.command(name="eval-set")
def eval_set(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    out: Annotated[Path, typer.Option("--out", help="Directory of the evaluation set (BEIR).")],
    set_: SetOption = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Make an evaluation set from documents and human-written texts that DIR did not use."""
    from flows.eval_set import make_eval_set, print_eval_set

    record = make_eval_set(directory, out, set_)
    if as_json:
        _print_json(record)
    else:
        print_eval_set(record, out, Console())


@app.command()
def probe(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    evaluation: Annotated[
        Path, typer.Option("--eval", help="Evaluation set: a BEIR directory.", metavar="BEIR_DIR")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for probe.json; default DIR/audit.")
    ] = None,
    set_: SetOption = _NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Train a small encoder on a data set and measure it before and after, by negatives."""
    from flows.probe import print_probe, run_probe

    probed = run_probe(directory, evaluation, out, set_)
    if as_json:
        _print_json(probed.results.to_json())
    else:
        print_probe(probed, Console())


def main() -> None:
    """Run the command line; a `PairmillError` becomes one message and its exit status."""
    # Thread settings are read when torch is imported, so they come before anything else.
    set_process_defaults(os.environ)
    end_at_once_on_interrupt()
    if not sys.warnoptions:
        # Deprecations inside vLLM and torch are no news to whoever builds a data set.
        warnings.simplefilter("ignore")
    try:
        app()
    except PairmillError as error:
        sys.stderr.write(f"pairmill: {error}\n")
        sys.exit(error.exit_status)


def _arguments(given: dict[str, str | None]) -> list[str]:
    """Return what was given as settings, as `--set` would."""
    return [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]


def _evaluation_sets(paths: list[str]) -> list[str]:
    """Return evaluation sets as the setting that names them."""
    return [f"against={json.dumps([{'path': path} for path in paths])}"] if paths else []


def _print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
