"""A text classifier of a few kilobytes with random weights, made where a test needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Problem = Literal["multi_label_classification", "single_label_classification"]


def write_classifier(
    folder: Path, *, labels: tuple[str, ...] = ("fine", "toxic"), problem: Problem | None = None
) -> Path:
    """Write a BERT of one layer, seed 0, that reads 14 words at a time, and return its folder."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "vile", "river", "who", "built", "the", "of"]
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, words[1]))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), words, strict=False))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=16, **names
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=32,
        initializer_range=2.0,
        id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
        problem_type=problem,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder
