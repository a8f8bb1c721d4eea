"""What verdicts do to one row: its query is dropped, its negatives leave, or become positives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sdg.ids import comparison_key
from sdg.judge import Verdict
from sdg.judge.config import JudgeConfig

# Why a negative left its row; counted beside the drops of the mining rules.
FALSE_NEGATIVE = "judged_false_negative"
BECAME_POSITIVE = "became_positive"
NEAR_NEW_POSITIVE = "near_new_positive"
UNREADABLE = "judged_unreadable"
LEFT = (FALSE_NEGATIVE, BECAME_POSITIVE, NEAR_NEW_POSITIVE, UNREADABLE)


class Document(NamedTuple):
    """What a decision needs of a document."""

    text: str
    entity_key: str


class Decision(NamedTuple):
    """What becomes of a row.

    Attributes:
        reason: Why the query is dropped; "" if it stays.
        detail: For people: what decided.
        fates: For each candidate in its order: why it leaves, one of LEFT, or "" if it stays.
    """

    reason: str
    detail: str
    fates: tuple[str, ...]


def decide(
    verdicts: Sequence[Verdict],
    policy: JudgeConfig,
    documents: Mapping[str, Document],
) -> Decision:
    """Return what becomes of a row whose candidates were judged.

    The first that holds owns the row: `no_readable_verdict` (with `on_unreadable: reject`; with
    `drop`, if not one verdict can be read), `too_many_false_negatives`, `has_false_negative` (with
    `policy: remove`).

    Args:
        verdicts: The last one on each candidate, in the order of the candidates.
        policy: What to do.
        documents: At least the candidates.
    """
    unread = [v for v in verdicts if v.is_relevant is None]
    flagged = [v.doc_id for v in verdicts if v.is_relevant]
    stays = ("",) * len(verdicts)
    is_lost = policy.on_unreadable == "reject" or (
        # Whatever would fill the row up, nobody has read anything of it.
        policy.on_unreadable == "drop" and len(unread) == len(verdicts)
    )
    if unread and is_lost:
        failures = ", ".join(sorted({v.failure for v in unread}))
        return Decision("no_readable_verdict", f"{len(unread)}: {failures}", stays)
    if len(flagged) > policy.max_flags:
        return Decision(
            "too_many_false_negatives", f"{len(flagged)} flagged, at most {policy.max_flags}", stays
        )
    if flagged and policy.policy == "remove":
        return Decision("has_false_negative", ", ".join(flagged), stays)
    new = [documents[doc_id] for doc_id in flagged] if policy.policy == "relabel" else []
    return Decision("", "", tuple(_fate(v, documents, new, policy) for v in verdicts))


def _fate(
    verdict: Verdict,
    documents: Mapping[str, Document],
    new: Sequence[Document],
    policy: JudgeConfig,
) -> str:
    if verdict.is_relevant:
        return BECAME_POSITIVE if policy.policy == "relabel" else FALSE_NEGATIVE
    if verdict.is_relevant is None and policy.on_unreadable == "drop":
        return UNREADABLE
    own = documents[verdict.doc_id]
    near = any(is_near(own, positive, policy.near_duplicate) for positive in new)
    return NEAR_NEW_POSITIVE if near else ""


def is_near(one: Document, other: Document, jaccard: float) -> bool:
    """Return whether two documents are the same entity, or share more than `jaccard` of words."""
    if one.entity_key and one.entity_key == other.entity_key:
        return True
    keys = comparison_key(one.text), comparison_key(other.text)
    left, right = (frozenset(key.split()) for key in keys)
    shared = len(left & right)
    return keys[0] == keys[1] or shared > jaccard * (len(left) + len(right) - shared)
