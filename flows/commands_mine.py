"""Commands for pairs and data sets that there are: mine, bitext, relabel, decontaminate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.command_line import (
    NO_SETTINGS,
    JsonOption,
    SetOption,
    app,
    print_json,
)


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
    set_: SetOption = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Find hard negatives for pairs you already have; what is finished is not done again."""
    from flows.mine import run_mine
    from flows.report import print_outcome

    given = _inputs(pairs, corpus, query_vectors, document_vectors)
    outcome = run_mine(config, preset, out, given, set_)
    if as_json:
        print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())


@app.command()
def calibrate(  # noqa: PLR0913, PLR0917 - one option each
    out: Annotated[
        Path, typer.Option("--out", help="Directory; mining into it later finds the vectors.")
    ],
    rule: Annotated[str, typer.Option(help="percent, margin or absolute.")] = "percent",
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Share of the nearest documents to drop: 0.2, or fra-Latn=0.3."),
    ] = None,
    like: Annotated[
        str, typer.Option(help="eng-Latn=0.95: drop as much as this threshold does there.")
    ] = "",
    queries: Annotated[int, typer.Option(help="Sample, at most.", min=1)] = 2000,
    depth: Annotated[int, typer.Option(help="Nearest documents of each query.", min=1)] = 100,
    pairs: Annotated[str | None, typer.Option(help="As for mine.")] = None,
    corpus: Annotated[str | None, typer.Option(help="As for mine.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file.")] = None,
    preset: Annotated[str | None, typer.Option(help="A published recipe.")] = None,
    query_vectors: Annotated[str | None, typer.Option(help="As for mine.")] = None,
    document_vectors: Annotated[str | None, typer.Option(help="As for mine.")] = None,
    set_: SetOption = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Find thresholds per language for a rule of `mine` that fit your encoder and pairs."""
    from flows.calibration import Wish, print_calibrated, run_calibrate

    given = _inputs(pairs, corpus, query_vectors, document_vectors)
    wish = Wish(rule, tuple(drop or ()), like, queries, depth)
    found = run_calibrate(config, preset, out, given, set_, wish)
    if as_json:
        print_json(found.to_json())
    else:
        print_calibrated(found, Console())


@app.command()
def subsample(  # noqa: PLR0913, PLR0917 - one option each
    out: Annotated[Path, typer.Option("--out", help="Directory of the smaller corpus.")],
    top_n: Annotated[
        int | None,
        typer.Option(help="Nearest documents of a query, of each miner; default 250.", min=1),
    ] = None,
    max_documents: Annotated[
        int | None, typer.Option(help="Documents that stay, at most.", min=1)
    ] = None,
    pairs: Annotated[str | None, typer.Option(help="As for mine.")] = None,
    corpus: Annotated[str | None, typer.Option(help="As for mine.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file.")] = None,
    preset: Annotated[str | None, typer.Option(help="A published recipe.")] = None,
    query_vectors: Annotated[str | None, typer.Option(help="As for mine.")] = None,
    document_vectors: Annotated[str | None, typer.Option(help="As for mine.")] = None,
    set_: SetOption = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Make a corpus smaller and as hard to search: what any miner finds, and all positives."""
    from flows.report import print_outcome
    from flows.subsample import run_subsample
    from flows.subsample_publish import Limits
    from mining.subsample import TOP_N

    given = _inputs(pairs, corpus, query_vectors, document_vectors)
    limits = Limits(top_n or TOP_N, max_documents)
    outcome = run_subsample(config, preset, out, given, set_, limits)
    if as_json:
        print_json(outcome.to_json())
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
    set_: SetOption = NO_SETTINGS,
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
        print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())


@app.command()
def relabel(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    config: Annotated[
        Path | None, typer.Option("--config", help="A YAML file: generators, judge, relabel.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory of the result; default DIR-relabelled.")
    ] = None,
    set_: SetOption = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Judge the negatives of a finished data set, relabel its positives; DIR is not changed."""
    from flows.relabel_command import relabel_data_set
    from flows.report import print_outcome

    outcome = relabel_data_set(directory, config, out, set_)
    if as_json:
        print_json(outcome.to_json())
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
        print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())


def _inputs(
    pairs: str | None,
    corpus: str | None,
    query_vectors: str | None,
    document_vectors: str | None,
) -> list[str]:
    """Return the files that a command was given, as settings."""
    return _arguments(
        {
            "pairs.path": pairs,
            "corpus.path": corpus,
            "vectors.queries": query_vectors,
            "vectors.documents": document_vectors,
        }
    )


def _arguments(given: dict[str, str | None]) -> list[str]:
    """Return what was given as settings, as `--set` would."""
    return [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
