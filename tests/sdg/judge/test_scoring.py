"""Judges that compare scores: bounds, signs, several positives, and a server that ranks."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from sdg.errors import BackendError
from sdg.judge.cross_encoder import CrossEncoderJudge
from sdg.judge.rerank_server import RerankServer
from sdg.judge.scoring import ScoringJudge
from tests.sdg.judge.asked import CASE, Answers


class Fixed(ScoringJudge):
    """Gives each text its score."""

    name: ClassVar[str] = "fixed"
    table: dict[str, float]

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [self.table[text] for _, text in pairs]


def flags(positive: float, candidates: Sequence[float], **bound: float) -> list[bool | None]:
    texts = [CASE.positives[0], *(c.text for c in CASE.candidates)]
    judge = Fixed(table=dict(zip(texts, [positive, *candidates], strict=True)), **bound)
    return [v.is_relevant for v in judge.judge([CASE], Answers(), 1)]


def test_each_bound_flags_what_is_above_it_and_keeps_what_is_on_it() -> None:
    assert flags(1.0, [0.91, 0.9, 0.89], fraction=0.9) == [True, False, False]
    assert flags(1.0, [0.76, 0.75, 0.7], margin=0.25) == [True, False, False]
    assert flags(1.0, [0.6, 0.5, 0.4], threshold=0.5) == [True, False, False]
    assert flags(1.0, [1.3, 1.25, 1.0], margin=-0.25) == [True, False, False]


def test_a_fraction_lies_below_a_negative_positive_not_above() -> None:
    """`positive * 0.9` would be above a positive of -2: the sign bug of a public miner."""
    assert flags(-2.0, [-1.9, -2.1, -2.3], fraction=0.9) == [True, True, False]


def test_the_lowest_positive_is_the_anchor() -> None:
    case = replace(CASE, positives=("high", "low"))
    table = {"high": 5.0, "low": 1.0} | {c.text: 2.0 for c in CASE.candidates}
    found = Fixed(table=table, margin=0.0).judge([case], Answers(), 1)
    assert [v.is_relevant for v in found] == [True] * 3


def test_a_score_that_is_no_number_is_no_verdict() -> None:
    assert flags(1.0, [math.nan, 2.0, 0.0], margin=0.0) == [None, True, False]
    assert flags(math.nan, [1.0, 2.0, 0.0], margin=0.0) == [None, None, None]


def test_a_threshold_needs_nothing_of_the_positive_and_does_not_ask_for_it() -> None:
    long_positive = replace(CASE, positives=("longer than twelve characters",))
    short = tuple(c._replace(text=t) for c, t in zip(CASE.candidates, "abc", strict=True))
    case = replace(long_positive, candidates=short)
    # The table has no score of the positive: asking for it is an error.
    found = Cutting(table={"a": 0.6, "b": 0.5, "c": math.nan}, threshold=0.5).judge(
        [case, case], Answers(), 1
    )
    assert [v.is_relevant for v in found] == [True, False, None] * 2
    assert [v.was_cut for v in found] == [False] * 6


@pytest.mark.parametrize("bounds", [{}, {"margin": 0.1, "threshold": 0.5}])
def test_exactly_one_bound_is_given(bounds: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="one at a time"):
        Fixed(table={}, **bounds)


@pytest.mark.slow
def test_a_cross_encoder_in_a_folder_scores_pairs_like_the_library(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    library = pytest.importorskip("sentence_transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "brell", "river", "orla", "bronze", "lies", "on"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt"))
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=1,
        initializer_range=0.3,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    judge = CrossEncoderJudge(model=str(tmp_path / "model"), margin=0.0, batch_size=2)
    pairs = [(CASE.query, text) for text in [*CASE.positives, *(c.text for c in CASE.candidates)]]
    expected = library.CrossEncoder(str(tmp_path / "model"), device="cpu").predict(
        [list(pair) for pair in pairs]
    )
    assert judge.scores(pairs) == pytest.approx(expected.tolist(), abs=1e-6)
    low, high = sorted(expected[1:])[:2]
    assert high - low > 1e-4
    between = CrossEncoderJudge(model=judge.model, threshold=float(low + high) / 2)
    found = between.judge([CASE], Answers(), 1)
    assert [v.is_relevant for v in found] == [bool(s > low + 1e-5) for s in expected[1:]]
    assert judge.are_cut([("orla", "bronze " * 9), ("orla", "bronze")]) == [False, False]
    short = CrossEncoderJudge(model=judge.model, margin=0.0, max_length=8)
    # [CLS] orla [SEP] bronze x n [SEP]
    assert short.are_cut([("orla", "bronze " * n) for n in (4, 5)]) == [False, True]
    assert re.fullmatch("folder-sha256:[0-9a-f]{64}", judge.revision())
    assert "batch_size" not in judge.identity()
    with pytest.raises(BackendError, match="CUDA"):
        CrossEncoderJudge(model=str(tmp_path / "model"), margin=0.0, device="cuda:7").scores(pairs)


class _Ranks(BaseHTTPRequestHandler):
    """Scores a document by its length, worst order first; refuses texts that say so.

    Attributes:
        asked: Bodies of all calls so far.
    """

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        body: dict[str, Any] = json.loads(self.rfile.read(size))
        results = [
            {"index": i, "relevance_score": float(len(text))}
            for i, text in enumerate(body["documents"])
        ]
        self.asked.append(body)
        texts = [body["query"], *body["documents"]]
        refuse = any("refuse" in text for text in texts) or self.path != "/v1/rerank"
        answer = json.dumps({"error": "no"} if refuse else {"results": results[::-1]}).encode()
        self.send_response(400 if refuse else 200)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def ranker() -> Iterator[str]:
    _Ranks.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ranks)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def test_a_server_that_ranks_judges_by_its_scores_in_our_order(ranker: str) -> None:
    judge = RerankServer(base_urls=(ranker,), model="r", model_revision="1", threshold=26.0)
    refused = replace(CASE, query_id="q2", query="refuse this")
    found = judge.judge([CASE, refused], Answers(), 1)
    lengths = [float(len(c.text)) for c in CASE.candidates]
    assert [v.score for v in found[:3]] == lengths
    assert [v.is_relevant for v in found[:3]] == [length > 26 for length in lengths]
    assert [(v.query_id, v.failure) for v in found[3:]] == [("q2", "no_score")] * 3


@pytest.mark.parametrize("place", range(5))
def test_a_document_that_is_refused_costs_its_own_score_only(ranker: str, place: int) -> None:
    texts = ["a", "bb", "ccc", "dddd", "eeeee"]
    texts[place] = "refuse " * 100
    judge = RerankServer(base_urls=(ranker,), model="r", model_revision="1", threshold=0.0)
    scores = judge.scores([("q", text) for text in texts])
    assert [place for place, score in enumerate(scores) if math.isnan(score)] == [place]
    assert [s for s in scores if not math.isnan(s)] == [len(t) for t in texts if len(t) < 9]
    # Halves and their halves, not one call for each document of a long list; and the two short
    # texts that show that the server ranks at all.
    assert len(_Ranks.asked) in (6, 8)


def test_a_server_that_refuses_everything_is_an_error_with_what_it_says_after_two_calls(
    ranker: str,
) -> None:
    url = ranker.replace("/v1", "/v2")
    judge = RerankServer(
        base_urls=(url,), model="r", model_revision="1", threshold=0.0, max_in_flight=1
    )
    with pytest.raises(BackendError, match=r"ranks with " r'.*HTTP 400: \{"error": "no"\}'):
        judge.scores([(f"q{place // 9}", "text") for place in range(90)])
    assert [len(body["documents"]) for body in _Ranks.asked] == [9, 1]


@pytest.mark.parametrize("pairs", [1, 6])
def test_texts_that_are_all_refused_are_no_error_of_a_server_that_ranks(
    ranker: str, pairs: int
) -> None:
    judge = RerankServer(base_urls=(ranker,), model="r", model_revision="1", threshold=0.0)
    scores = judge.scores([(f"q{place}", "refuse " * 100) for place in range(pairs)])
    assert [math.isnan(score) for score in scores] == [True] * pairs
    # Each pair once, and the two short texts once.
    assert len(_Ranks.asked) == pairs + 1


def test_a_server_that_has_ranked_is_not_asked_whether_it_does(ranker: str) -> None:
    judge = RerankServer(
        base_urls=(ranker,), model="r", model_revision="1", threshold=0.0, max_in_flight=1
    )
    scores = judge.scores([("q", "a"), ("r", "refuse")])
    assert scores[0] == 1.0
    assert math.isnan(scores[1])
    assert [body["query"] for body in _Ranks.asked] == ["q", "r"]


def test_more_fields_are_sent_with_every_call_and_decide_the_verdicts(ranker: str) -> None:
    plain = RerankServer(base_urls=(ranker,), model="r", model_revision="1", threshold=0.0)
    cutting = plain.model_copy(update={"extra_body": {"truncate_prompt_tokens": -1, "model": "x"}})
    cutting.scores([("q", "a"), ("r", "b")])
    told = [(body["model"], body["truncate_prompt_tokens"]) for body in _Ranks.asked]
    assert told == [("r", -1), ("r", -1)]
    assert cutting.identity() != plain.identity()


class Cutting(Fixed):
    """Reads 12 characters."""

    name: ClassVar[str] = "cutting"

    def are_cut(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        return [len(text) > 12 for _, text in pairs]


def test_a_verdict_says_whether_any_of_its_texts_was_cut() -> None:
    case = replace(
        CASE,
        positives=("short",),
        candidates=tuple(
            own._replace(text=text)
            for own, text in zip(CASE.candidates, ["low", "longer than that", "high"], strict=True)
        ),
    )
    table = {"short": 1.0, "low": 0.1, "longer than that": 0.5, "high": 2.0, "a long positive": 1.0}
    judge = Cutting(table=table, margin=0.0)
    assert [v.was_cut for v in judge.judge([case], Answers(), 1)] == [False, True, False]
    cut = replace(case, positives=("short", "a long positive"))
    assert [v.was_cut for v in judge.judge([cut], Answers(), 1)] == [True, True, True]


def test_a_server_that_is_not_there_is_an_error_that_names_it() -> None:
    judge = RerankServer(
        base_urls=("http://127.0.0.1:9/v1",),
        model="r",
        model_revision="1",
        threshold=0.0,
        max_attempts=1,
    )
    with pytest.raises(BackendError, match=r"127\.0\.0\.1:9"):
        judge.judge([CASE], Answers(), 1)
