"""One real model in real vLLM, started once for all tests here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from sdg.llm import ENGINES, ChatRequest, Engine, Message, Reply, Sampling, ScoreRequest
from sdg.llm.journal import Journal
from sdg.llm.packaged_weights import ensure_model
from sdg.llm.vllm_core import Core, Job, run_jobs

NAME = "packaged:smollm2-135m-instruct"
PASSAGES = (
    "The lighthouse of Arvik was built in 1874 by the engineer Maria Lund on a granite reef.",
    "Rice noodles are soaked in warm water for ten minutes, then fried with garlic and lime.",
    "The marsh harrier is a bird of prey that nests in reed beds and feeds on small mammals.",
)
QUERIES = (
    " who built the lighthouse of Arvik",
    " how long do rice noodles have to soak before frying",
    " which bird of prey nests in reed beds",
)

pytestmark = pytest.mark.llm


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    built = ENGINES.build({"engine": "vllm", "model": NAME})
    yield built
    built.close()


def ask(key: str, prompt: str, **sampling: object) -> ChatRequest:
    given = {"temperature": 0.7, "max_tokens": 16, "stop": ("\n",), **sampling}
    return ChatRequest(key, prompt, (), Sampling.model_validate(given), 1)


def only(engine: Engine, request: ChatRequest) -> Reply:
    (reply,) = engine.complete([request])
    assert reply.key == request.key
    return reply


def test_the_converted_model_keeps_its_chat_template() -> None:
    template = (ensure_model(NAME) / "chat_template.jinja").read_text(encoding="utf-8")
    assert "<|im_start|>" in template


def test_four_candidates_come_in_one_reply_with_logprobs_and_tokens(engine: Engine) -> None:
    requests = [
        ask(f"r{i}", f"Passage: {passage}\nQuestion:", num_candidates=4)
        for i, passage in enumerate(PASSAGES)
    ]
    replies = {reply.key: reply for reply in engine.complete(requests)}
    assert sorted(replies) == ["r0", "r1", "r2"]
    for reply in replies.values():
        assert (len(reply.candidates), reply.failure) == (4, "")
        assert all(c.mean_logprob is not None and c.mean_logprob < 0 for c in reply.candidates)
        assert all("\n" not in c.text for c in reply.candidates)
        assert 20 < reply.prompt_tokens < 60
        assert 4 <= reply.completion_tokens <= 64
    assert len({c.text for reply in replies.values() for c in reply.candidates}) > 3


def test_a_reply_cut_at_max_tokens_says_length(engine: Engine) -> None:
    candidate = only(engine, ask("a", "Once upon a time", max_tokens=3, stop=())).candidates[0]
    assert candidate.finish_reason == "length"


def test_each_query_is_likeliest_after_its_own_passage(engine: Engine) -> None:
    requests = [
        ScoreRequest(f"{p}{q}", f"Passage: {passage}\nQuestion:", query)
        for p, passage in enumerate(PASSAGES)
        for q, query in enumerate(QUERIES)
    ]
    scores = {score.key: score for score in engine.score(requests)}
    for q in range(3):
        column = [scores[f"{p}{q}"].mean_logprob or -99.0 for p in range(3)]
        assert column.index(max(column)) == q, column
        assert len({scores[f"{p}{q}"].num_tokens for p in range(3)}) == 1


def test_a_score_is_the_mean_of_what_generation_reports(engine: Engine) -> None:
    """Greedy text, scored again, must get the log-probability it was written with (bf16)."""
    reply = only(engine, ask("a", "The capital of France is", temperature=0.0, stop=()))
    written = reply.candidates[0]
    (score,) = engine.score([ScoreRequest("a", "The capital of France is", written.text)])
    assert score.num_tokens == reply.completion_tokens
    assert score.mean_logprob == pytest.approx(written.mean_logprob, abs=0.05)


@pytest.mark.parametrize("extra", [0, 1])
def test_a_request_fits_exactly_or_is_too_long(engine: Engine, extra: int) -> None:
    """2048 tokens in all: " a" is one token each, 16 of them are kept for the reply."""
    reply = only(engine, ask("a", " a" * (2032 + extra), stop=()))
    assert (reply.prompt_tokens, reply.failure) == (2032 + extra, "too_long" if extra else "")


def test_too_long_and_impossible_requests_do_not_hinder_the_others(engine: Engine) -> None:
    requests = [
        ask("long", "word " * 5000),
        ask("greedy", "Hello", temperature=0.0, num_candidates=2),
        ask("nothing", ""),
        ChatRequest("schema", "Hello", (), Sampling(max_tokens=8), 1, '{"type": "nonsense"}'),
        ask("good", "Hello"),
    ]
    found = {reply.key: reply.failure for reply in engine.complete(requests)}
    assert found == {
        "long": "too_long",
        "greedy": "refused",
        "nothing": "refused",
        "schema": "refused",
        "good": "",
    }
    scores = engine.score(
        [ScoreRequest("long", "word " * 5000, " x"), ScoreRequest("none", "x", "")]
    )
    assert {s.key: s.failure for s in scores} == {"long": "too_long", "none": "refused"}


def test_chat_with_a_schema_gives_json_of_the_schema(engine: Engine) -> None:
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string", "maxLength": 40}},
        "required": ["query"],
        "additionalProperties": False,
    }
    messages = (Message("user", f"Write a search query for this text: {PASSAGES[0]}"),)
    sampling = Sampling(max_tokens=64, num_candidates=2)
    reply = only(engine, ChatRequest("a", "", messages, sampling, 1, json.dumps(schema)))
    for candidate in reply.candidates:
        if candidate.finish_reason == "stop":
            assert list(json.loads(candidate.text)) == ["query"]
        else:
            assert candidate.text.startswith("{")


def test_threads_share_the_engine_and_get_their_own_answers(engine: Engine, tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}
    with Journal(tmp_path / "j.db") as journal:

        def work(name: str) -> None:
            requests = [ask(f"{name}{i}", f"Number {name}{i} is", max_tokens=4) for i in range(6)]
            found[name] = [reply.key for reply in journal.complete(engine, requests)]

        threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.usage.sent == 18
    assert found == {name: [f"{name}{i}" for i in range(6)] for name in "abc"}


def test_answers_that_one_step_finishes_come_together(engine: Engine) -> None:
    """The journal commits a group at once, and vLLM waits for it."""
    requests = [ask(f"r{i}", f"Number {i} is", max_tokens=3, stop=()) for i in range(3)]
    (group,) = engine.complete_in_groups(requests)
    assert sorted(reply.key for reply in group) == ["r0", "r1", "r2"]


class OneSequencePerStep:
    """Stands for vLLM's engine: in a step ends one sequence of the request with the most left."""

    def __init__(self, sequences: int) -> None:
        self.sequences = sequences
        self.left: dict[str, int] = {}
        self.seen: list[tuple[int, int]] = []

    def add_request(self, name: str, *_: object, **__: object) -> None:
        self.left[name] = self.sequences

    def get_num_unfinished_requests(self) -> int:
        return sum(self.left.values())

    def step(self) -> list[SimpleNamespace]:
        self.seen.append((len(self.left), self.get_num_unfinished_requests()))
        name = max(self.left, key=lambda own: self.left[own])
        self.left[name] -= 1
        if self.left[name]:
            return []
        del self.left[name]
        part = SimpleNamespace(finish_reason="stop")
        return [SimpleNamespace(request_id=name, finished=True, outputs=[part])]


def test_candidates_that_are_done_make_room_for_other_requests() -> None:
    vllm = OneSequencePerStep(sequences=4)
    core = Core(SimpleNamespace(llm_engine=vllm), None)

    def read(output: SimpleNamespace) -> Reply:
        return Reply(output.request_id, (), "", "", 1, 1)

    def fail(failure: str, detail: str) -> Reply:
        return Reply("", (), failure, detail, 1, 0)

    jobs = [Job(f"k{number}", [1], None, read, fail) for number in range(6)]
    replies = [reply for group in run_jobs(core, jobs, max_sequences=8) for reply in group]
    assert sorted(reply.key for reply in replies) == ["r1", "r2", "r3", "r4", "r5", "r6"]
    requests, sequences = zip(*vllm.seen, strict=True)
    # Two whole requests fill the eight places; six fit where each has a candidate or two left.
    assert (requests[0], max(requests), max(sequences)) == (2, 6, 11)


def test_an_iterator_closed_early_leaves_nothing_behind(engine: Engine) -> None:
    stream = engine.complete([ask(f"r{i}", f"Number {i} is") for i in range(20)])
    assert next(stream).failure == ""
    stream.close()  # type: ignore[attr-defined]
    assert only(engine, ask("after", "Hello")).failure == ""


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a LoRA adapter of random matrices, large enough to change what is said."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("adapter")
    config = json.loads((ensure_model(NAME) / "config.json").read_text())
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    draw = torch.Generator().manual_seed(0)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        own = f"base_model.model.model.layers.{layer}.mlp.down_proj"
        tensors[f"{own}.lora_A.weight"] = torch.randn(4, inner, generator=draw) * 0.2
        tensors[f"{own}.lora_B.weight"] = torch.randn(hidden, 4, generator=draw) * 0.2
    save_file(tensors, folder / "adapter_model.safetensors")
    told = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["down_proj"]}
    told |= {"bias": "none", "task_type": "CAUSAL_LM", "use_dora": False, "use_rslora": False}
    (folder / "adapter_config.json").write_text(json.dumps(told))
    return folder


@pytest.mark.slow
def test_an_adapter_changes_what_is_said_and_who_said_it(engine: Engine, adapter: Path) -> None:
    request = ask("a", "The capital of France is", temperature=0.0, stop=())
    plain = only(engine, request).candidates[0].text
    engine.close()
    adapted = ENGINES.build({"engine": "vllm", "model": NAME, "adapter": str(adapter)})
    assert only(adapted, request).candidates[0].text != plain
    assert adapted.revision().startswith(engine.revision() + "+")
    assert adapted.identity() != engine.identity()
    adapted.close()
