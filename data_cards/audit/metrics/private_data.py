"""Personal data and secrets inside texts."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.flagged import measure_flags
from data_cards.audit.measurement import Measurement
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.text_scan import scan_texts
from sdg.private_data import KINDS, find_private, masked, regions_of


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
        declared = pl.concat([data.rows["query_language"], data.documents["language"]])
        regions = regions_of(declared.unique().to_list())
        blank = pl.DataFrame(schema={"place": pl.Int64, "kind": pl.String, "detail": pl.String})

        def look(first: int, block: pl.Series) -> pl.DataFrame:
            lines = [
                (first + place, kind, masked(kind, piece))
                for place, kind, piece in find_private(block, regions).iter_rows()
            ]
            return pl.DataFrame(lines, schema=blank.schema, orient="row")

        flags = pl.concat([blank, *scan_texts(data.texts, look, context)])
        return measure_flags(self.name, data, flags, KINDS, context)
