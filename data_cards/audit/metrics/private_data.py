"""Personal data and secrets inside texts."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.flagged import measure_flags
from data_cards.audit.measurement import Measurement
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.private import KINDS, confirmed, masked, prefilter
from data_cards.audit.text_scan import scan_texts


@METRICS.register("private_data")
class PrivateData(Metric):
    """Proposes by pattern, confirms with libraries that know check digits and formats.

    Meant to be quiet on ordinary text with years, coordinates and ISBNs: phone numbers count with
    a country code or in a usual grouping of a declared language's countries, cards and accounts
    with right check digits, national numbers where their form or check digits leave little doubt,
    secrets where their form names the service. Names of people are not looked for.
    """

    title: ClassVar[str] = "Personal data and secrets"
    about: ClassVar[str] = (
        "Whoever trains on such texts may be publishing them; found here by form only, so 0 does "
        "not mean that there is nothing personal."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "query_share",
        "document_share",
        "e_mail_query_share",
        "e_mail_document_share",
        "phone_number_query_share",
        "phone_number_document_share",
        "payment_card_query_share",
        "payment_card_document_share",
        "bank_account_query_share",
        "bank_account_document_share",
        "ip_address_query_share",
        "ip_address_document_share",
        "national_number_query_share",
        "national_number_document_share",
        "secret_query_share",
        "secret_document_share",
    )

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share of rows and documents with each kind; findings never repeat them."""
        regions = _regions(data)
        blank = pl.DataFrame(schema={"place": pl.Int64, "kind": pl.String, "detail": pl.String})

        def look(first: int, block: pl.Series) -> pl.DataFrame:
            lines = []
            for kind in KINDS:
                suspects = block.str.contains(prefilter(kind)).arg_true()
                for place, text in zip(
                    suspects.to_list(), block.gather(suspects).to_list(), strict=True
                ):
                    lines += [
                        (first + place, kind, masked(kind, found))
                        for found in confirmed(kind, text, regions)
                    ]
            return pl.DataFrame(lines, schema=blank.schema, orient="row")

        flags = pl.concat([blank, *scan_texts(data.texts, look, context)])
        return measure_flags(self.name, data, flags, KINDS, context)


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


def _regions(data: AuditedSet) -> tuple[str, ...]:
    declared = pl.concat([data.rows["query_language"], data.documents["language"]]).unique()
    codes = {tag[:3] for tag in declared.to_list()}
    return tuple(sorted({region for code in codes for region in _COUNTRIES.get(code, ())}))
