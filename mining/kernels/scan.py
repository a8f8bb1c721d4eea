"""The scan of one tile of products: count what is above, keep the best k inside the bounds.

A product is within `slack` of the exact score; what that leaves open is scored exactly. A float32
sum before that would save nothing: reading the document is what costs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.kernels.compiler import compiled
from mining.kernels.scores import exact_score

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# Documents whose products are looked at together: a chunk without a hit costs one comparison each.
CHUNK = 64


@compiled
def insert(  # noqa: PLR0913, PLR0917 - three lists and what goes into them
    scores: Floats,
    rows: Rows,
    orders: Rows,
    sizes: Rows,
    q: int,
    score: np.float32,
    row: int,
    order: int,
) -> None:
    """Put a document into the list of query `q`, by score descending, then order.

    Args:
        scores: (Q, k) float32.
        rows: (Q, k) int64.
        orders: (Q, k) int64; lower goes first between equal scores.
        sizes: (Q,) entries in use.
        q: Number of the query.
        score: Of the document.
        row: Of the document.
        order: Of the document.
    """
    place = sizes[q]
    if place == scores.shape[1]:
        place -= 1
        last = scores[q, place]
        if score < last or (score == last and order > orders[q, place]):
            return
    else:
        sizes[q] += 1
    while place > 0 and (
        scores[q, place - 1] < score
        or (scores[q, place - 1] == score and orders[q, place - 1] > order)
    ):
        scores[q, place] = scores[q, place - 1]
        rows[q, place] = rows[q, place - 1]
        orders[q, place] = orders[q, place - 1]
        place -= 1
    scores[q, place] = score
    rows[q, place] = row
    orders[q, place] = order


@compiled
def count_hits(
    products: npt.NDArray[np.generic],
    steps: Floats,
    lowest: np.float32,
    hits: npt.NDArray[np.int32],
) -> None:
    """Write how many of each `CHUNK` of a row's products times their steps reach `lowest`.

    This is the loop that sees every pair; it is kept so plain that it becomes vector instructions.
    """
    num_full = products.shape[0] // CHUNK
    for chunk in range(num_full):
        count = np.int32(0)
        for d in range(chunk * CHUNK, chunk * CHUNK + CHUNK):
            value = np.float32(products[d]) * steps[d]
            count += np.int32(1) if value >= lowest else np.int32(0)
        hits[chunk] = count
    if num_full * CHUNK < products.shape[0]:
        hits[num_full] = np.int32(0)
        for d in range(num_full * CHUNK, products.shape[0]):
            value = np.float32(products[d]) * steps[d]
            hits[num_full] += np.int32(1) if value >= lowest else np.int32(0)


@compiled
def scale_chunk(
    products: npt.NDArray[np.generic], steps: Floats, start: int, values: Floats
) -> None:
    """Write `CHUNK` products from `start` on times their steps; NaN beyond the end."""
    if start + CHUNK <= products.shape[0]:
        for d in range(CHUNK):
            values[d] = np.float32(products[start + d]) * steps[start + d]
        return
    values[:] = np.nan
    for d in range(products.shape[0] - start):
        values[d] = np.float32(products[start + d]) * steps[start + d]


@compiled
def scan_tile(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one pass over the tile
    tile: npt.NDArray[np.generic],
    query_step: Floats,
    document_step: Floats,
    slack: Floats,
    queries: Floats,
    documents: Floats,
    first: int,
    order: Rows,
    upper: Floats,
    lower: Floats,
    rank_scores: Floats,
    scores: Floats,
    rows: Rows,
    orders: Rows,
    sizes: Rows,
    above_upper: Rows,
    above_rank: Rows,
) -> None:
    """Bring the best k of every query up to date with one tile of products.

    `tile[q, d] * query_step[q] * document_step[d]` is within `slack[q]` of the exact score. A
    document for which that decides nothing is scored exactly, so the result is exact.

    Args:
        tile: (Q, B) float32 or int32 products.
        query_step: (Q,) float32, positive.
        document_step: (B,) float32, positive.
        slack: (Q,) float32.
        queries: (Q, D) float32.
        documents: (B, D) float32.
        first: Row of the first document in the corpus.
        order: (B,) place of each document in the order of ids.
        upper: (Q,) highest score that is wanted.
        lower: (Q,) lowest score that is wanted.
        rank_scores: (Q,) scores above which documents are counted.
        scores: (Q, k) float32, changed: the best so far, the first `sizes[q]` in use.
        rows: (Q, k) changed.
        orders: (Q, k) changed.
        sizes: (Q,) changed.
        above_upper: (Q,) changed; documents that score more than `upper`.
        above_rank: (Q,) changed; documents that score more than `rank_scores`.
    """
    k = scores.shape[1]
    num_chunks = (tile.shape[1] + CHUNK - 1) // CHUNK
    values = np.empty(CHUNK, np.float32)
    flags = np.zeros(CHUNK, np.uint8)
    words = flags.view(np.uint64)
    hits = np.zeros(num_chunks, np.int32)
    for q in range(tile.shape[0]):
        products = tile[q]
        scale = np.float32(1.0) / query_step[q]
        high = (upper[q] + slack[q]) * scale
        rank_high = (rank_scores[q] + slack[q]) * scale
        rank_low = (rank_scores[q] - slack[q]) * scale
        # What may be above `upper` is looked at even if nothing below it is wanted.
        cut = min(max(lower[q], scores[q, k - 1]) if sizes[q] == k else lower[q], upper[q])
        low = (cut - slack[q]) * scale
        count_hits(products, document_step, min(low, rank_low), hits)
        for chunk in range(num_chunks):
            if hits[chunk] == 0:
                continue
            start = chunk * CHUNK
            scale_chunk(products, document_step, start, values)
            over = np.int32(0)
            over_rank = np.int32(0)
            for place in range(CHUNK):
                over += np.int32(1) if values[place] > high else np.int32(0)
                over_rank += np.int32(1) if values[place] > rank_high else np.int32(0)
            for place in range(CHUNK):
                wanted = (values[place] >= low) & (values[place] <= high)
                near = (values[place] >= rank_low) & (values[place] <= rank_high)
                flags[place] = np.uint8(1) if wanted | near else np.uint8(0)
            above_upper[q] += over
            above_rank[q] += over_rank
            for word in range(CHUNK // 8):
                # Eight flags as one number.
                if words[word] == 0:
                    continue
                for place in range(8 * word, 8 * word + 8):
                    if flags[place] == 0:
                        continue
                    value = values[place]
                    near = (value >= rank_low) & (value <= rank_high)
                    maybe_wanted = value <= high
                    if not near and value < low:
                        # The cut rose since the flag was set.
                        continue
                    d = start + place
                    score = exact_score(queries, q, documents, d)
                    if near and score > rank_scores[q]:
                        above_rank[q] += 1
                    if not maybe_wanted:
                        continue
                    if score > upper[q]:
                        above_upper[q] += 1
                        continue
                    if score < cut or score < lower[q]:
                        continue
                    insert(scores, rows, orders, sizes, q, score, first + d, order[d])
                    if sizes[q] == k and scores[q, k - 1] > cut:
                        cut = scores[q, k - 1]
                        low = (cut - slack[q]) * scale
