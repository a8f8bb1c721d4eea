"""Personal data and secrets: found by form, confirmed, and never repeated."""

from __future__ import annotations

import pytest

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.private_data import PrivateData
from sdg.private_data import KINDS, confirmed, prefilter
from tests.data_cards.audit.written import example, found, written

_PRIVATE = {
    "e_mail": ["marie.dupont@laposte-mail.fr", "a+b@sub.domain.co.uk"],
    "phone_number": ["+33 6 12 34 56 78", "+1-212-736-5000", "(212) 736-5000", "06 12 34 56 78"],
    "payment_card": ["4539 1488 0343 6467", "378282246310005"],
    "bank_account": ["FR14 2004 1010 0505 0001 3M02 606", "ES9121000418450200051332"],
    "ip_address": ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"],
    "national_number": ["536-90-4399", "54362315K", "390.533.447-05", "2 95 10 99 126 111 93"],
    "secret": [
        "AKIAQWERTYUIOPASDFGH",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "-----BEGIN RSA PRIVATE KEY-----",
        "https://admin:hunter22@db.host.org/x",
    ],
}
_ORDINARY = [
    "He lived from 1939-1945 and 1950-1973, in 1066 and 2001-09-11.",
    "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, ISSN 2049-3630, DOI 10.1000/182.",
    "It lies at 48.8566 N, 2.3522 E (48° 51′ 24″ N), 3 776 m high, 1 234 567 890 people.",
    "Version 10.0.19041.1 of 192.168.0.1 and 127.0.0.1; opus 27 no. 2; 12:30:45:10.",
    "The team won 21-15, 21-18 and 100-200-3000; population 12 345 678 in 2020 2021 2022.",
    "π is 3.14159265358979323846264338327950288419716939937510 and 4111 1111 1111 1112 is no card.",
    "An account such as GB00 WEST 1234 5698 7654 32 has wrong digits; write to me@example.com.",
    "https://en.wikipedia.org/wiki/Methionylthreonylthreonylglutaminylarginyl and @handle",
]


@pytest.mark.parametrize(("kind", "piece"), [(k, p) for k, ps in _PRIVATE.items() for p in ps])
def test_each_kind_is_found_and_not_repeated(kind: str, piece: str) -> None:
    data = written(example("q", ["p"]), example(f"see {piece} there", ["p"], language="fra-Latn"))
    measured = PrivateData().measure(data, AuditContext())
    assert found(measured.findings, kind) == [(1, -1)]
    assert measured.figure(f"{kind}_query_share").value == 0.5
    assert measured.figure("document_share").value == 0
    shown = " ".join(measured.findings["detail"].to_list())
    assert not any(piece[start : start + 4] in shown for start in range(len(piece) - 3))


@pytest.mark.parametrize("text", _ORDINARY)
def test_ordinary_text_is_quiet(text: str) -> None:
    for kind in KINDS:
        assert confirmed(kind, text, ("DE", "ES", "FR", "GB", "MX", "US")) == []


def test_every_kind_has_an_example_here() -> None:
    assert set(_PRIVATE) == set(KINDS)
    assert all(prefilter(kind) for kind in KINDS)
