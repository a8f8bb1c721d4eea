"""Hand-written rules that say the same in other words: what a false negative looks like.

They are crude on purpose: no model is asked, so the same text gives the same paraphrase for ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

# A dot inside a number, and after a short word or an initial, ends no sentence.
_SENTENCE_END = re.compile(r"(?<=[\w\"'»)\]]{3}[.!?]) +(?=[A-ZÀ-Ý0-9\"«¿¡])")
_IN_BRACKETS = re.compile(r" ?[(\[][^()\[\]]*[)\]]")
_WORD = re.compile(r"\w+")
# From the comma before a relative pronoun to the next comma or the end of the sentence.
_RELATIVE_CLAUSE = re.compile(
    r", (?:which|who|whose|where|dont|qui|que|où|cuyo|cuya|donde|quien|el cual|la cual)\b"
    r"[^,.;]*(?=[,.;])"
)

SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "eng-Latn": {
        "also": "likewise", "famous": "renowned", "large": "big", "largest": "biggest",
        "small": "little", "important": "significant", "is": "remains", "used": "employed",
        "usually": "commonly", "began": "started", "known": "recognised", "made": "produced",
        "many": "numerous", "often": "frequently", "about": "roughly", "main": "principal",
        "several": "various", "country": "nation", "city": "town", "because": "since",
        "includes": "comprises", "during": "throughout", "located": "situated",
        "considered": "regarded", "created": "devised", "near": "close to", "died": "passed away",
        "area": "region", "part": "portion", "first": "earliest", "type": "kind",
        "film": "motion picture", "won": "gained", "method": "technique", "term": "expression",
    },
    "fra-Latn": {
        "célèbre": "illustre", "grand": "vaste", "grande": "vaste", "petit": "modeste",
        "important": "majeur", "importante": "majeure", "aussi": "également", "est": "demeure",
        "utilisé": "employé", "utilisée": "employée", "souvent": "fréquemment",
        "plusieurs": "divers", "environ": "à peu près", "principal": "premier",
        "pays": "État", "ville": "cité", "situé": "placé", "située": "placée", "pendant": "durant",
        "né": "venu au monde", "née": "venue au monde", "mort": "décédé", "morte": "décédée",
        "fondé": "créé", "fondée": "créée", "connu": "réputé", "connue": "réputée",
        "acteur": "comédien", "actrice": "comédienne", "film": "long métrage", "partie": "portion",
    },
    "spa-Latn": {
        "famoso": "célebre", "famosa": "célebre", "gran": "enorme", "grande": "enorme",
        "pequeño": "reducido", "importante": "relevante", "también": "asimismo", "es": "resulta",
        "utilizado": "empleado", "utilizada": "empleada", "frecuentemente": "a menudo",
        "varios": "diversos", "varias": "diversas", "aproximadamente": "cerca de",
        "principal": "primordial", "país": "nación", "ciudad": "urbe", "situado": "ubicado",
        "situada": "ubicada", "durante": "a lo largo de", "nacido": "originario",
        "fundado": "creado", "fundada": "creada", "conocido": "célebre", "conocida": "célebre",
        "actor": "intérprete", "actriz": "intérprete", "película": "cinta", "parte": "porción",
    },
}  # fmt: skip

_ADDITION = {
    "eng-Latn": "More can be found in the article.",
    "fra-Latn": "L'article en dit davantage.",
    "spa-Latn": "El artículo ofrece más detalles.",
}


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, by a rule of thumb."""
    return _SENTENCE_END.split(text)


def other_case_and_punctuation(text: str, language: str) -> str:
    """Return the same words in capitals, without the marks between them."""
    del language
    return " ".join(_WORD.findall(text.upper()))


def one_sentence_more(text: str, language: str) -> str:
    """Return the text with a sentence that says nothing about its subject."""
    return f"{text} {_ADDITION[language]}"


def other_order(text: str, language: str) -> str:
    """Return the last sentence first; of a single sentence, the last clause first."""
    del language
    sentences = sentences_of(text)
    if len(sentences) > 1:
        return " ".join([sentences[-1], *sentences[:-1]])
    head, comma, tail = text.rstrip(".").rpartition(", ")
    return f"{tail[:1].upper()}{tail[1:]}, {head}." if comma else text


def synonyms(text: str, language: str) -> str:
    """Return the text with every word of a small table replaced."""
    table = SYNONYMS[language]

    def other(word: re.Match[str]) -> str:
        found = table.get(word[0].lower())
        if found is None:
            return word[0]
        return found[:1].upper() + found[1:] if word[0][0].isupper() else found

    return _WORD.sub(other, text)


def dropped_clause(text: str, language: str) -> str:
    """Return the text without brackets and relative clauses, and without its last sentence."""
    del language
    shorter = _RELATIVE_CLAUSE.sub("", _IN_BRACKETS.sub("", text))
    sentences = sentences_of(shorter)
    return " ".join(sentences[:-1] if len(sentences) > 1 else sentences)


def all_together(text: str, language: str) -> str:
    """Return synonyms in a text that lost its clauses and changed its order."""
    return synonyms(other_order(dropped_clause(text, language), language), language)


def first_sentence(text: str, language: str) -> str:
    """Return the first sentence: a chunk of the document."""
    del language
    return sentences_of(text)[0]


PARAPHRASES: Mapping[str, Callable[[str, str], str]] = {
    "exact duplicate, other case": other_case_and_punctuation,
    "near duplicate, one sentence more": one_sentence_more,
    "other order": other_order,
    "synonyms": synonyms,
    "dropped clause": dropped_clause,
    "all three": all_together,
    "chunk of the positive": first_sentence,
}
