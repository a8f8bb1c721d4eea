"""Personal data and secrets in texts, found by their form: one confirming function per kind.

Meant to be quiet on ordinary text with years, coordinates and ISBNs: phone numbers count with a
country code or in a usual grouping of the given countries, cards and accounts with right check
digits, national numbers where their form or check digits leave little doubt, secrets where their
form names the service. Names of people are not looked for.

The audit measures with it (`data_cards.audit.metrics.private_data`), the gate `personal_data` stops
queries by it: one finder, so that what the gate lets through the audit does not find.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Literal, get_args

import polars as pl

Kind = Literal[
    "e_mail",
    "phone_number",
    "payment_card",
    "bank_account",
    "ip_address",
    "national_number",
    "secret",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_Confirm = Callable[[str, Sequence[str]], Iterator[str]]

# What polars looks for in every text (Rust's syntax, no look-around): cheap, and never narrower
# than what confirms.
_PREFILTERS: dict[Kind, str] = {
    "e_mail": r"[A-Za-z0-9]@[A-Za-z0-9-]+\.[A-Za-z]",
    "phone_number": r"\+[0-9]{1,3}[ .(/-]?[0-9(]|\(?[0-9]{2,5}\)?[ .-][0-9]{2,4}[ .-][0-9]{2,4}",
    "payment_card": r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]|3[47][0-9]{2}[ -]?[0-9]{6}",
    "bank_account": r"\b[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4} ?[A-Z0-9]{3}",
    "ip_address": r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9a-fA-F]{1,4}:[0-9a-fA-F:]{2,}:",
    "national_number": (
        r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b|\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b"
        r"|\b[12] ?[0-9]{2} ?[0-9]{2} ?[0-9AB]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b"
        r"|\b[0-9]{8}-?[A-Z]\b|\b[XYZ]-?[0-9]{7}-?[A-Z]\b|\b[0-9]{17}[0-9X]\b"
        r"|\b[A-Z]{6}[0-9]{2}[A-Z][0-9]{2}[A-Z][0-9]{3}[A-Z]\b"
    ),
    "secret": (
        r"[A-Za-z0-9_+/=-]{20,}|BEGIN [A-Z ]*PRIVATE KEY|PuTTY-User-Key"
        r"|://[^/\s:@]+:[^@\s/]+@"
    ),
}

_E_MAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b"
)
_EXAMPLE = re.compile(r"@(?:.*\.)?(?:example\.(?:com|net|org)|[^@]*\.(?:example|invalid|test))$")
_CARD = re.compile(
    r"(?<![\w.-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,4}|3[47]\d{2}([ -]?)\d{6}\2\d{5})(?![\w-])"
)
# Visa, Mastercard, American Express, Discover, JCB.
_ISSUER = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|35\d{14}"
)
_ACCOUNT = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_IP4 = re.compile(r"(?<![\w.])(?<!v)(?<![Vv]ersion )(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)(?!\w)")
_IP6 = re.compile(r"(?<![\w:.])[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){3,7}(?![\w:])")
_NATIONAL = {
    "us.ssn": r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])",
    "br.cpf": r"(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)",
    "fr.nir": r"(?<!\w)[12] ?\d{2} ?\d{2} ?[\dAB]{2} ?\d{3} ?\d{3} ?\d{2}(?!\w)",
    "es.dni": r"(?<![\w-])\d{8}-?[A-Z](?![\w-])",
    "es.nie": r"(?<![\w-])[XYZ]-?\d{7}-?[A-Z](?![\w-])",
    "cn.ric": r"(?<!\w)\d{17}[\dX](?!\w)",
    "it.codicefiscale": r"(?<!\w)[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z](?!\w)",
}
# detect-secrets' plug-ins that know a form; those that go by entropy or by words such as
# "password" object to ordinary text.
_SERVICES = (
    "artifactory.ArtifactoryDetector",
    "aws.AWSKeyDetector",
    "azure_storage_key.AzureStorageKeyDetector",
    "basic_auth.BasicAuthDetector",
    "discord.DiscordBotTokenDetector",
    "github_token.GitHubTokenDetector",
    "gitlab_token.GitLabTokenDetector",
    "jwt.JwtTokenDetector",
    "mailchimp.MailchimpDetector",
    "npm.NpmDetector",
    "openai.OpenAIDetector",
    "private_key.PrivateKeyDetector",
    "pypi_token.PypiTokenDetector",
    "sendgrid.SendGridDetector",
    "slack.SlackDetector",
    "square_oauth.SquareOAuthDetector",
    "stripe.StripeDetector",
    "telegram_token.TelegramBotTokenDetector",
    "twilio.TwilioKeyDetector",
)


# Countries whose ways of writing phone numbers are known for texts of a language; own.
_COUNTRIES = {
    "deu": ("DE", "AT", "CH"),
    "eng": ("US", "GB"),
    "fra": ("FR", "BE", "CH"),
    "ita": ("IT",),
    "nld": ("NL", "BE"),
    "por": ("BR", "PT"),
    "spa": ("ES", "MX", "AR"),
}
_FOUND = {"place": pl.Int64, "kind": pl.String, "piece": pl.String}


def find_private(
    texts: pl.Series, regions: Sequence[str], kinds: Sequence[Kind] = KINDS
) -> pl.DataFrame:
    """Return every piece that is personal or secret.

    Args:
        texts: (N,) strings.
        regions: Countries (ISO 3166) in whose ways a phone number may be written.
        kinds: What is looked for.

    Returns:
        `place` (of the text, int64), `kind`, `piece`; by kind in the order of `kinds`, then place.
        The pieces are what must not be repeated anywhere.
    """
    lines = []
    for kind in kinds:
        suspects = texts.str.contains(prefilter(kind)).arg_true()
        for place, text in zip(suspects.to_list(), texts.gather(suspects).to_list(), strict=True):
            lines += [(place, kind, piece) for piece in confirmed(kind, text, regions)]
    return pl.DataFrame(lines, schema=_FOUND, orient="row")


def regions_of(languages: Iterable[str]) -> tuple[str, ...]:
    """Return the countries where texts in these languages (`fra-Latn`) are likely to be from."""
    codes = {language[:3] for language in languages}
    return tuple(sorted({region for code in codes for region in _COUNTRIES.get(code, ())}))


def prefilter(kind: Kind) -> str:
    """Return the pattern that every text with something of `kind` matches."""
    return _PREFILTERS[kind]


def confirmed(kind: Kind, text: str, regions: Sequence[str]) -> list[str]:
    """Return the pieces of `text` that are of `kind`, in order.

    Args:
        kind: One of `KINDS`.
        text: Any text.
        regions: Countries (ISO 3166) in whose ways a phone number may be written.
    """
    return list(_CONFIRM[kind](text, regions))


def masked(kind: str, piece: str) -> str:
    """Return what may be shown of a piece: never more than its first two characters."""
    shown = piece[:2] if kind != "secret" else ""
    return f"{shown}… ({len(piece)} characters)"


def _e_mails(text: str, regions: Sequence[str]) -> Iterator[str]:
    del regions
    for match in _E_MAIL.finditer(text):
        if not _EXAMPLE.search(match[0].lower()):
            yield match[0]


def _phone_numbers(text: str, regions: Sequence[str]) -> Iterator[str]:
    import phonenumbers

    valid, strict = phonenumbers.Leniency.VALID, phonenumbers.Leniency.STRICT_GROUPING
    seen = set()
    if "+" in text:
        for match in phonenumbers.PhoneNumberMatcher(text, None, leniency=valid):
            seen.add(match.start)
            yield match.raw_string
    for region in regions:
        for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=strict):
            if match.start not in seen and _is_grouped(match.raw_string):
                seen.add(match.start)
                yield match.raw_string


def _is_grouped(piece: str) -> bool:
    """Return whether a number without country code is written as phone numbers only are.

    Years and ranges come in groups of four, coordinates and prices with one or two separators.
    """
    groups = re.findall(r"\d+", piece)
    return len(groups) >= 3 and (
        piece[0] in "(0" or re.fullmatch(r"\d{3}([-.])\d{3}\1\d{4}", piece) is not None
    )


def _cards(text: str, regions: Sequence[str]) -> Iterator[str]:
    from stdnum import luhn

    del regions
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _ISSUER.fullmatch(digits) and luhn.is_valid(digits) and len(set(digits)) > 2:
            yield match[0]


def _accounts(text: str, regions: Sequence[str]) -> Iterator[str]:
    from stdnum import iban

    del regions
    for match in _ACCOUNT.finditer(text):
        if iban.is_valid(match[0]):
            yield match[0]


def _addresses(text: str, regions: Sequence[str]) -> Iterator[str]:
    del regions
    for pattern in (_IP4, _IP6):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match[0])
            except ValueError:
                continue
            if address.is_global:
                yield match[0]


def _national_numbers(text: str, regions: Sequence[str]) -> Iterator[str]:
    del regions
    for name, pattern in _NATIONAL.items():
        for match in re.finditer(pattern, text):
            if _standard(name).is_valid(match[0]):
                yield match[0]


def _secrets(text: str, regions: Sequence[str]) -> Iterator[str]:
    del regions
    for detector in _detectors():
        for line in text.splitlines():
            yield from detector.analyze_string(line)


@cache
def _standard(name: str) -> Any:  # noqa: ANN401 - a module
    import importlib

    return importlib.import_module(f"stdnum.{name}")


@cache
def _detectors() -> tuple[Any, ...]:
    import importlib

    found = []
    for entry in _SERVICES:
        module, _, name = entry.rpartition(".")
        found.append(getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)())
    return tuple(found)


_CONFIRM: dict[Kind, _Confirm] = {
    "e_mail": _e_mails,
    "phone_number": _phone_numbers,
    "payment_card": _cards,
    "bank_account": _accounts,
    "ip_address": _addresses,
    "national_number": _national_numbers,
    "secret": _secrets,
}
