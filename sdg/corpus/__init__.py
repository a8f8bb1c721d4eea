"""Documents from any source: read, normalise, identify, chunk, deduplicate, group.

    readers/  ─► RAW_DOCUMENTS ─► cut_documents ─► DOCUMENTS ─┬─► find_duplicates ─► VERDICTS
    (one file                     per reader batch            │    over all sources     │
     per kind)                                                └─► apply_duplicates ◄────┘ per shard

The unit of the conservation law is the piece: a chunk, or a raw document rejected whole.

Why duplicates are found apart from dropping them: the search is global and needs ids, hashes and
band keys only, the dropping is local to a shard. Neither ever holds the corpus's texts.

Why a document is never judged by its chunks' language: one decision per document is three times
cheaper, and a chunk of names and dates is often too short to be judged at all.
"""

from sdg.corpus.contract import RAW_DOCUMENTS, STAGE, VERDICTS, CorpusConfig
from sdg.corpus.documents import cut_documents
from sdg.corpus.duplicates import DUPLICATE_COLUMNS, Rereadable, apply_duplicates, find_duplicates

__all__ = [
    "DUPLICATE_COLUMNS",
    "RAW_DOCUMENTS",
    "STAGE",
    "VERDICTS",
    "CorpusConfig",
    "Rereadable",
    "apply_duplicates",
    "cut_documents",
    "find_duplicates",
]
