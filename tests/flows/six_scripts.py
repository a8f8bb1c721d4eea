"""Short documents of our own in six languages of other scripts than Latin, and a run over them."""

# ruff: noqa: E501 - a document is one line

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.flows.small import settings

TEXTS = {
    "jpn-Jpan": (
        "青潮町の時計台は1911年に船大工の森下九蔵が建てた。鐘は干潮と満潮のときだけ鳴り、漁師たちはその音で船を出す時刻を決めていた。",
        "雪割り豆は北の谷で育つ小さな豆で、雪の下で芽を出す。村人は春に若いさやを塩漬けにし、夏まで保存して食べる。",
    ),
    "ara-Arab": (
        "بُنيت منارة رأس الغيم عام 1887 من حجر البركان الأسود. كان حارسها يشعل مصباحها بزيت السمك، ثم استُبدل به مصباح كهربائي بعد ثلاثين عامًا.",
        "سوق الخيوط في مدينة ورقة يفتح ليلًا فقط، لأن صبّاغي الصوف القدماء كانوا يرون الألوان أصدق تحت ضوء القناديل.",
    ),
    "hin-Deva": (
        "नीलगढ़ का पुस्तकालय 1924 में एक बंद पड़ी आटा चक्की में खोला गया था। वहाँ की पुरानी मशीन आज भी हर शाम पाठकों के लिए घंटी बजाती है।",
        "सोनताल झील का पानी गर्मियों में लाल हो जाता है, क्योंकि उसमें एक सूक्ष्म शैवाल तेज़ धूप में फैलता है और मछलियाँ गहराई में चली जाती हैं।",
    ),
    "zho-Hans": (
        "云门镇的纸伞作坊创办于1893年，伞骨用三年生的毛竹制成。每把伞要刷五遍桐油，晾干后才能在雨天使用。",
        "寒露湖的渡船由一根铁索牵引，因为湖底的旧水闸会使普通船只偏离航道。渡船每天只在早晨和傍晚各开一次。",
    ),
    "rus-Cyrl": (
        "Музей эха в посёлке Верхний Камыш открыт в 1962 году в заброшенной шахте. Посетители слушают там записи колоколов, сделанные на разной глубине.",
        "Голубая рожь растёт на берегах реки Талицы и созревает на две недели раньше обычной. Из её муки пекут плоский хлеб с тмином.",
    ),
    "kor-Kore": (
        "달여울 다리는 1938년에 버드나무 밧줄로 처음 놓였다. 마을 사람들은 해마다 가을에 밧줄을 새로 꼬아 다리를 고쳤다.",
        "은솔재 우체국은 산꼭대기에 있어 편지를 연에 매달아 골짜기로 내려보냈다. 바람이 없는 날에는 우편이 쉬었다.",
    ),
}
# Documents of one language, queries of another, and the same language for those left.
PAIRS = {
    "jpn-Jpan": "eng-Latn",
    "ara-Arab": "ara-Arab",
    "hin-Deva": "tha-Thai",  # no prompt file: English instructions
    "zho-Hans": "zho-Hans",
    "rus-Cyrl": "kor-Kore",
    "kor-Kore": "jpn-Jpan",
}
# What the scripted model asks about each document, in the language that it is asked in.
QUERIES = {
    "jpn-Jpan": (
        "who built the clock tower of Aoshio and when does its bell ring",
        "how do villagers preserve the bean that sprouts under the snow",
    ),
    "ara-Arab": (
        "متى شُيّدت منارة رأس الغيم وبماذا كانت تضاء",
        "لماذا لا يعمل سوق الخيوط في ورقة إلا بعد غروب الشمس",
    ),
    "hin-Deva": (
        "ห้องสมุดนีลคัฒเปิดในอาคารอะไรเมื่อปี 1924",
        "ทำไมน้ำในทะเลสาบโสนตาลจึงเป็นสีแดงในฤดูร้อน",
    ),
    "zho-Hans": (
        "云门镇做一把纸伞要刷几次油",
        "为什么寒露湖的船要靠铁链拉着走",
    ),
    "rus-Cyrl": (
        "버려진 광산에 있는 메아리 박물관에서는 무엇을 들을 수 있는가",
        "탈리차 강가의 푸른 호밀로 어떤 빵을 굽는가",
    ),
    "kor-Kore": (
        "タルヨウル橋は最初に何で作られたのか",
        "ウンソルジェの郵便局はどうやって手紙を谷へ届けたのか",
    ),
}
# A part of each prompt by which the script knows in which language it is asked.
_ASKED_IN = {
    "eng-Latn": "Write the query in English",
    "ara-Arab": "باللغة العربية",
    "tha-Thai": "Write the query in Thai",
    "zho-Hans": "用简体中文写",
    "kor-Kore": "한국어로",
    "jpn-Jpan": "日本語で書いて",
}


def write_corpus(path: Path) -> Path:
    """Write the documents as JSONL, their languages left to the detector, and return the path."""
    rows = [{"title": f"{tag} {n}", "text": t} for tag in TEXTS for n, t in enumerate(TEXTS[tag])]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_script(path: Path) -> Path:
    """Write the model's replies: the second of three is in Spanish, the third no JSON."""
    spanish = json.dumps({"query": "de qué lugar trata esta historia"})
    rules = []
    for language, queries in QUERIES.items():
        for text, query in zip(TEXTS[language], queries, strict=True):
            mark = re.escape(_ASKED_IN[PAIRS[language]])
            both = f"(?s)(?=.*{mark})(?=.*{re.escape(text[:12])})"
            good = json.dumps({"query": query}, ensure_ascii=False)
            rules.append({"match": both, "replies": [good, spanish, "{"]})
    lines = [json.dumps(rule, ensure_ascii=False) for rule in rules]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def cross_lingual_settings(folder: Path) -> dict[str, Any]:
    """Return settings of a run over the documents: three candidates per request."""
    script = write_script(folder / "replies.jsonl")
    values = settings(write_corpus(folder / "places.jsonl"), replies_file=str(script))
    (source,) = values["sources"]
    for key in ("language_column", "topic_column", "entity_column", "natural_columns"):
        del source[key]
    quotas = [{"documents": d, "queries": q, "count": 2} for d, q in PAIRS.items()]
    task = {"task": "llm_query", "sampling": {"num_candidates": 3}}
    values["plan"] = {"entries": [{"task": task, "generator": "script", "quotas": quotas}]}
    among = sorted({*PAIRS, *PAIRS.values(), "spa-Latn"})
    values["gates"] = [
        {"gate": "language", "among": among},
        {"gate": "length"},
        {"gate": "copied"},
        {"gate": "repetition"},
    ]
    values["duplicates"] = {"ambiguous": "keep_first"}
    values["round_trip"] = {"top_k": 100}
    # Across scripts the hashing encoder finds its way by chance, so no bound on the score.
    values["mining"] = {"num_negatives": 2, "rules": [{"rule": "known_positive"}]}
    values["corpus"]["min_characters"] = 30
    return values
