"""Personas: who asks. A file of them, and which one, or which few, each request is given.

    a file, one persona per line ─► read_personas ─► with_random_persona    spec["persona"]
                                                 └─► with_nearest_personas  spec["personas"]

With "random", the seed of a request draws one persona (KaLM-Embedding draws from Persona Hub at
random, arXiv 2501.01028). With "nearest", a request gets the few personas that are most like its
document, and the LLM picks one of them (Qwen3-Embedding, arXiv 2506.05176).

A persona is text from outside like any document: one line, no control characters, never a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

import prompts
from sdg import store
from sdg.errors import ContractError, DataError
from sdg.ids import comparison_key, fingerprint, normalise_text, seed_for
from sdg.part import Part
from sdg.request_rows import with_specs

Floats = npt.NDArray[np.float32]

PACKAGED = "packaged"
# Categories Cc, Cs, Zl and Zp.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Scores held at a time: rows times columns of a block of the matrix product, 32 MB.
_BLOCK_REQUESTS = 512
_BLOCK_PERSONAS = 16_384
# Candidates per place in the list that are scored again exactly.
_SPARE = 4


class PersonaConfig(Part):
    """Who asks.

    Attributes:
        path: A text file in UTF-8 with one persona per line, or Parquet; "packaged" for the small
            set in English that comes with Pairmill.
        column: Of Parquet: the column that holds them.
        choose: "random": one per request. "nearest": the `top_k` most like the document, by the
            run's encoder, of which the LLM picks one.
        top_k: 5 is Qwen3-Embedding's.
        max_characters: A longer persona is refused; own. One that long is no line but a document.
    """

    path: str = Field(min_length=1)
    column: str = "persona"
    choose: Literal["random", "nearest"] = "random"
    top_k: int = Field(default=5, ge=1)
    max_characters: int = Field(default=1000, ge=1)


@dataclass(frozen=True, slots=True)
class Personas:
    """What a file holds.

    Attributes:
        texts: Each persona once, sorted: neither the order of the file nor its format decides who
            is drawn.
        duplicates: Lines left out because an equal one was there; case and signs do not count.
        empty: Empty lines left out.
    """

    texts: tuple[str, ...]
    duplicates: int
    empty: int

    def identity(self) -> str:
        """Return a fingerprint of the texts; where they lie is not part of it."""
        return fingerprint(list(self.texts))


def read_personas(config: PersonaConfig) -> Personas:
    """Return the personas of a file.

    Raises:
        DataError: If it cannot be read, holds none, or one that is too long, that has a line break
            or another control character; the message names the place.
    """
    path = prompts.personas_file() if config.path == PACKAGED else Path(config.path)
    kept: dict[str, str] = {}
    duplicates = empty = 0
    for number, line in enumerate(_lines(path, config.column), 1):
        text = line.strip()
        _check(text, path, number, config.max_characters)
        text = normalise_text(text)
        key = comparison_key(text)
        if not text:
            empty += 1
        elif key in kept:
            duplicates += 1
            kept[key] = min(kept[key], text)
        else:
            kept[key] = text
    if not kept:
        raise DataError(
            f"`{path}` must hold at least one persona, but its {empty} lines are empty. "
            "Write one persona per line."
        )
    return Personas(tuple(sorted(kept.values())), duplicates, empty)


def with_random_persona(requests: pa.Table, personas: Personas, seed: int) -> pa.Table:
    """Return requests that each have one persona in their spec, and so other ids and seeds.

    Args:
        requests: REQUESTS; the seed of each draws its persona.
        personas: To draw from, each as likely as any other.
        seed: The run's seed.
    """
    texts = personas.texts
    specs = []
    for drawn, spec in zip(requests["seed"].to_pylist(), _specs(requests), strict=True):
        place = seed_for(drawn, "persona") % len(texts)
        specs.append({**spec, "persona": texts[place]})
    return with_specs(requests, specs, seed)


def with_nearest_personas(
    requests: pa.Table, personas: Personas, nearest: npt.NDArray[np.int64], seed: int
) -> pa.Table:
    """Return requests that each have a list of personas in their spec, and so other ids and seeds.

    Args:
        requests: REQUESTS, R rows.
        personas: P of them.
        nearest: (R, K) places of each request's personas, as of `nearest_personas`.
        seed: The run's seed.
    """
    if nearest.shape[:1] != (requests.num_rows,):
        raise ContractError(
            f"Each of {requests.num_rows} requests must have its personas, but those of "
            f"{len(nearest)} are given instead. Pass one row of places per request."
        )
    specs = [
        {**spec, "personas": [personas.texts[place] for place in places]}
        for spec, places in zip(_specs(requests), nearest.tolist(), strict=True)
    ]
    return with_specs(requests, specs, seed)


def nearest_personas(documents: Floats, personas: Floats, top_k: int) -> npt.NDArray[np.int64]:
    """Return the places of the personas that are most like each document.

    A block of the product is held at a time, whatever R and P are. Its candidates are scored again
    one by one in float64, so that a row's result does not depend on the rows beside it.

    Args:
        documents: (R, D) float32 unit rows.
        personas: (P, D) float32 unit rows.
        top_k: K, at least 1.

    Returns:
        (R, min(K, P)) int64 by similarity, highest first; the lower place first between equals.
    """
    places = np.empty((len(documents), min(top_k, len(personas))), np.int64)
    for start in range(0, len(documents), _BLOCK_REQUESTS):
        block = documents[start : start + _BLOCK_REQUESTS]
        places[start : start + len(block)] = _nearest(block, personas, top_k)
    return places


def _nearest(block: Floats, personas: Floats, top_k: int) -> npt.NDArray[np.int64]:
    width = min(top_k * _SPARE, len(personas))
    scores = np.empty((len(block), 0), np.float32)
    found = np.empty((len(block), 0), np.int64)
    for start in range(0, len(personas), _BLOCK_PERSONAS):
        part = block @ personas[start : start + _BLOCK_PERSONAS].T
        columns = _highest(part, width)
        scores = np.hstack([scores, np.take_along_axis(part, columns, axis=1)])
        found = np.hstack([found, columns + start])
        columns = _highest(scores, width)
        scores = np.take_along_axis(scores, columns, axis=1)
        found = np.take_along_axis(found, columns, axis=1)
    exact = np.einsum("rd,rkd->rk", block.astype(np.float64), personas[found].astype(np.float64))
    columns = np.argsort(-exact, axis=1, kind="stable")[:, :top_k]
    return np.take_along_axis(found, columns, axis=1)


def _highest(scores: Floats, width: int) -> npt.NDArray[np.int64]:
    """Return the columns of the `width` highest scores per row, ascending; the first of equals."""
    if scores.shape[1] <= width:
        columns = np.arange(scores.shape[1], dtype=np.int64)
        return np.broadcast_to(columns, scores.shape)
    columns = np.argpartition(-scores, width - 1, axis=1)[:, :width]
    lowest = np.take_along_axis(scores, columns, axis=1).min(axis=1, keepdims=True)
    is_tied = (scores >= lowest).sum(axis=1) > width
    columns[is_tied] = np.argsort(-scores[is_tied], axis=1, kind="stable")[:, :width]
    return np.sort(columns, axis=1)


def _lines(path: Path, column: str) -> Iterable[str]:
    if path.suffix == ".parquet":
        return _column(path, column)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"`{path}` must be a readable text file in UTF-8, one persona per line, but reading "
            f"it gave: {error}. Correct the path, or save it as UTF-8."
        ) from error
    return text.split("\n")[: -1 if text.endswith("\n") else None]


def _column(path: Path, column: str) -> Sequence[str]:
    values = store.read_parquet(path, [column])
    if column not in values.column_names:
        raise DataError(f"`{path}` must have the column {column!r}, but has not. Name another.")
    kind = values[column].type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(
            f"The column {column!r} of `{path}` must hold strings, but holds {kind} instead. "
            "Name another one with `column`."
        )
    return [text or "" for text in values[column].to_pylist()]


def _check(text: str, path: Path, number: int, max_characters: int) -> None:
    if len(text) > max_characters:
        raise DataError(
            f"Each persona in `{path}` must have at most {max_characters} characters, but number "
            f"{number} has {len(text)} instead. Shorten it, or raise `personas.max_characters`."
        )
    if control := _CONTROL.search(text):
        raise DataError(
            f"Each persona in `{path}` must be one line without control characters, but number "
            f"{number} holds {control[0]!a}. Remove it."
        )


def _specs(requests: pa.Table) -> list[dict[str, Any]]:
    return [json.loads(spec) for spec in requests["spec"].to_pylist()]
