"""What only the publisher of a data set can say: the section `card` of a configuration."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field, StringConstraints

from sdg.part import Part

Texts = tuple[Annotated[str, StringConstraints(min_length=1)], ...]

INTENDED_USE = (
    "training and fine-tuning embedding models and rerankers",
    "studying hard-negative mining",
)
NOT_FOR = (
    "ranking systems against each other, because the encoder that mined decided which rows exist",
    "facts about people or places, because no one checked the documents",
    "learning to write, because queries were chosen for retrieval alone",
)


class Publication(Part):
    """Facts for card and Croissant that no stage can know; what is empty is said to be unknown.

    There is no default for a date: a clock would make two builds of the same data set differ.

    Attributes:
        version: Of the data set, as MAJOR.MINOR.PATCH; "" if it has none yet.
        date_published: Null as long as it is not published.
        creators: People or organisations who answer for it.
        homepage: Where it is published; "" means beside its own metadata file.
        citation: How to cite it, best as BibTeX.
        intended_use: What it is for; the default is what rows of this shape are made for.
        not_for: What it must not be used for.
        training_datasets: Public data sets that its documents and pairs come from, under the names
            that benchmarks of embedding models use; a model trained on it must declare them.
        biases: Known to the publisher, beside those that the counts show.
        personal_information: What personal or sensitive information is known to be in it.
        social_impact: What its use may do to people; "" means that nobody assessed it.
        maintenance: Who mends it and how long; "" means that nobody promised.
    """

    version: str = Field(default="", pattern=r"^((0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*))?$")
    date_published: dt.date | None = None
    creators: Texts = ()
    homepage: str = Field(default="", pattern=r"^(https?://[^\s<>\"'`\\]+)?$")
    citation: str = ""
    intended_use: Texts = INTENDED_USE
    not_for: Texts = NOT_FOR
    training_datasets: Texts = ()
    biases: Texts = ()
    personal_information: Texts = ()
    social_impact: str = ""
    maintenance: str = ""

    def of_another_version(self) -> Publication:
        """Return the facts that still hold for a data set made from this one."""
        return self.model_copy(
            update={"version": "", "date_published": None, "citation": "", "homepage": ""}
        )
