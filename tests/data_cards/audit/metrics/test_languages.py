"""Declared against detected languages."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.languages import Languages
from tests.data_cards.audit.written import example, found, written

_ENGLISH = "The river crosses the northern plain before it reaches the sea in the west."
_FRENCH = "Le fleuve traverse la plaine du nord avant d'atteindre la mer à l'ouest du pays."
_GERMAN = "Der Fluss durchquert die nördliche Ebene, bevor er im Westen das Meer erreicht."
_GREEK = "Ο ποταμός διασχίζει τη βόρεια πεδιάδα πριν φτάσει στη θάλασσα."


def test_texts_in_another_declared_or_undeclared_language_or_script_are_found() -> None:
    rows = [
        example("where does the river cross the plain", [_ENGLISH]),
        example("où le fleuve traverse-t-il la plaine", [_FRENCH], language="fra-Latn"),
        example("what is written in French here", [_FRENCH + " Oui."]),
        example("what is written in German here", [_GERMAN]),
        example("what is written in Greek here", [_GREEK]),
    ]
    data = written(*rows)
    measured = Languages().measure(data, AuditContext())
    wrong = found(measured.findings, "positive_in_another_language")
    assert sorted(row for row, _ in wrong) == [2, 3, 4]
    figure = measured.figure("positive_wrong_language_share")
    assert (figure.value, figure.sample) == (0.6, 5)
    assert figure.low is not None and figure.low < 0.6
    assert measured.figure("query_wrong_language_share").value == 0
    lines = {line[:2]: line[2:] for line in measured.breakdowns[0].lines}
    assert lines["positive", "eng-Latn"] == (4, 3)


def test_without_declared_languages_the_detected_mix_is_shown_and_nothing_is_wrong() -> None:
    data = written(example(_ENGLISH, [_FRENCH], language=""))
    measured = Languages().measure(data, AuditContext())
    assert measured.figures == ()
    assert [(h.name, h.bars[0].label) for h in measured.histograms] == [
        ("query_detected", "eng-Latn"),
        ("positive_detected", "fra-Latn"),
    ]
    assert any("No language is declared" in note for note in measured.notes)


def test_a_text_without_letters_and_an_unknown_language_are_not_judged() -> None:
    data = written(example("1234", [_ENGLISH], language="xyz-Latn"), example("1815", [_ENGLISH]))
    measured = Languages().measure(data, AuditContext())
    assert measured.finding_counts == {
        "query_in_another_language": 0,
        "positive_in_another_language": 0,
    }
