"""What each published column holds, in one sentence."""

from __future__ import annotations

_ROW = {
    "query_id": "Content hash that names the query.",
    "query": "The query.",
    "query_language": "ISO 639-3 and ISO 15924, as in fra-Latn.",
    "instruction": "What a model that takes instructions is told; empty if nothing.",
    "task": "How the query came to be.",
    "positive_ids": "Documents that answer the query; at least one.",
    "positives": "Their texts.",
    "positive_scores": "Their scores by the miner; higher is nearer.",
    "positive_languages": "Their languages.",
    "negative_ids": "Documents that were mined as not answering the query.",
    "negatives": "Their texts.",
    "negative_scores": "Their scores, comparable within one miner; higher is nearer.",
    "negative_ranks": "Their ranks from 0; -1 for one drawn at random or written by an LLM.",
    "negative_sources": "The miner that found each.",
    "negative_languages": "Their languages.",
    "relevance": "Judge's grades, positives first; null where no judge gave one.",
    "group_id": "Rows and documents that must share a split.",
    "split": "Split of the row; no group is in two.",
    "provenance": "Where the query came from.",
    "provenance.source_doc_id": "Document that the query was written for or stood beside.",
    "provenance.generator": "Model that wrote the query; empty for natural pairs.",
    "provenance.model_revision": "What pins its weights.",
    "provenance.prompt": "Prompt file; empty for natural pairs.",
    "provenance.prompt_sha256": "Of the prompt file.",
    "provenance.seed": "Of the request.",
    "provenance.persona": "Asker that the prompt described; empty if none.",
    "provenance.spec": "What varied inside the task, as JSON.",
    "provenance.paraphrase_of": "Query that this one rewords; empty if none.",
    "provenance.positive_was_relabelled": "Whether the positive was changed.",
    "provenance.original_positive_id": "The positive before that.",
}
_DOCUMENT = {
    "doc_id": "Content hash that names the document.",
    "text": "The document.",
    "title": "Its title; empty if none.",
    "language": "ISO 639-3 and ISO 15924; und if unknown.",
    "language_score": "The detector's confidence, in [0, 1].",
    "topic": "Its topic; empty if none.",
    "source": "Configured source, or the miner.",
    "source_key": "Its key inside the source.",
    "parent_id": "Document that this one is a chunk of; its own id if it is whole.",
    "chunk_index": "Place among the chunks, from 0.",
    "num_chunks": "Chunks of the parent.",
    "entity_key": "Equal for the same thing in any language; empty if unknown.",
}
_REJECTION = {
    "row_id": "Names what stopped.",
    "stage": "Where it stopped.",
    "reason": "Why, in one word.",
    "detail": "The value that decided.",
    "row": "All of it, as JSON.",
}
_MINER = {
    "rank": "Rank from 0 in the miner's own list.",
    "score": "In the miner's own scale; higher is nearer.",
}
_REVIEW = {
    "reviewer": "Its place in the list and its name.",
    "criterion": "What was judged; empty where the review could not be read.",
    "review_score": "On the reviewer's own scale, higher is better; null if it could not be read.",
    "failure": "Why it could not be read; empty if it could.",
}
_PAIR = {
    "positive": "The target's sentence.",
    "positive_language": "Its language.",
    "margin": "Over the neighbours of both sides; higher is surer. It decided.",
    "cosine": "Of the two vectors.",
}

MEANINGS: dict[str, str] = {**_ROW, **_DOCUMENT, **_REJECTION, **_MINER, **_REVIEW, **_PAIR}
