"""One YAML file -> one RunConfig. What cannot work is refused here, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from data_cards.publication import Publication
from flows.judged_audit import JudgedAuditConfig
from flows.mining_presets import expand_preset
from flows.prompt_fallbacks import PromptFallback, judging_fallbacks, planned_fallbacks
from flows.settings import parse_settings, read_settings
from mining.encoders import ENCODERS, Encoder
from mining.indexes import INDEXES, Index
from mining.mine import MiningConfig
from mining.pair_rules import PAIR_RULES, PairRule
from sdg.assemble import AssembleConfig
from sdg.cell_yield import CellYieldConfig
from sdg.corpus import CorpusConfig
from sdg.corpus.readers import READERS, Reader
from sdg.duplicate_queries import DuplicateQueriesConfig
from sdg.errors import ConfigError
from sdg.evaluation_sets import DecontaminateConfig
from sdg.gates import GATES, Gate
from sdg.judge.config import JudgeConfig
from sdg.llm import ENGINES, Engine
from sdg.part import Part, Plugin
from sdg.plan import PlanConfig
from sdg.registry import Registry
from sdg.relabel.positives import RelabelConfig
from sdg.review import REVIEWERS, Reviewer
from sdg.round_trip import RoundTripConfig
from sdg.tasks import Task
from sdg.variations import Variation
from sdg.written import WrittenConfig


def _plugin(registry: Registry[Any]) -> Any:  # noqa: ANN401 - a pydantic annotation
    """Return the pydantic annotation of a field that holds one plug-in of `registry`."""

    def dump(plugin: Plugin) -> dict[str, Any]:
        return {registry.key: plugin.name, **plugin.model_dump(mode="json")}

    return (BeforeValidator(registry.build), PlainSerializer(dump))


AnyReader = Annotated[Reader, *_plugin(READERS)]
AnyEngine = Annotated[Engine, *_plugin(ENGINES)]
AnyGate = Annotated[Gate, *_plugin(GATES)]
AnyReviewer = Annotated[Reviewer, *_plugin(REVIEWERS)]
AnyEncoder = Annotated[Encoder, *_plugin(ENCODERS)]
AnyPairRule = Annotated[PairRule, *_plugin(PAIR_RULES)]
AnyIndex = Annotated[Index, *_plugin(INDEXES)]


class RunnerConfig(Part):
    """Where the shards are worked on.

    Attributes:
        kind: "threads" in this process, or a "ray" or "dask" cluster (extras of the same name).
        workers: Shards worked on at once, with threads.
        address: The cluster's address; empty starts one on this machine.
    """

    kind: Literal["threads", "ray", "dask"] = "threads"
    workers: int = Field(default=1, ge=1)
    address: str = ""


class ShardConfig(Part):
    """How much one task does. Changing it changes no published row.

    Attributes:
        requests: Requests per shard; what they give stays together up to mining. 64 to 256 suits
            Prefect, which keeps a record of every task.
    """

    requests: int = Field(default=128, ge=1)


class ScheduleConfig(Part):
    """When `pairmill serve` runs the flow.

    Attributes:
        cron: Five fields, e.g. "0 3 * * *".
        timezone: IANA name.
    """

    cron: str
    timezone: str = "UTC"


def _is_empty(rules: Sequence[object]) -> bool:
    return not rules


class RunConfig(Part):
    """Everything that decides a data set.

    Attributes:
        name: Directory-safe name of the data set.
        title: Its name for people.
        licence: Licence of the published rows, as a Hugging Face licence id.
        description: One or two sentences for the card.
        card: What only the publisher can say: version, date, creators, what it is for.
        seed: The run's seed; every random choice derives from it and a row's id.
        sources: Where documents come from, read in this order.
        generators: The LLMs, by the name that plan, relabel and judge refer to.
        variations: What is asked about accepted queries: paraphrases, documents written for them.
        written: What becomes of documents that an LLM wrote.
        prompts_fallback: What asks in a language without a prompt file: "english", the English
            instructions, which name the language, recorded and told in the card; "none" refuses to
            run. Completions and their worked examples never fall back.
        gates: Rules on queries, in order; the first that rejects owns the row.
        retrieve_depth: Candidates kept per query; 100 is E5-Mistral's.
        pair_rules: Rules on queries that need vectors or the whole run, in order; none by default,
            and then there is no such stage. They run before `round_trip`.
        review: LLMs that read the pairs which every rule kept, in order; () asks nobody, and the
            stage is left out of the run.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str
    licence: str
    description: str = ""
    card: Publication = Publication()
    seed: int = 0
    sources: tuple[AnyReader, ...] = Field(min_length=1)
    corpus: CorpusConfig = CorpusConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()
    generators: dict[str, AnyEngine] = Field(default={})
    plan: PlanConfig
    variations: tuple[Variation, ...] = ()
    written: WrittenConfig = WrittenConfig()
    prompts_fallback: Literal["english", "none"] = "english"
    gates: tuple[AnyGate, ...] = ()
    duplicates: DuplicateQueriesConfig = DuplicateQueriesConfig()
    encoder: AnyEncoder
    index: AnyIndex = Field(default={"index": "auto"}, validate_default=True)
    retrieve_depth: int = Field(default=100, ge=1)
    # Not written where there are none: what such a run publishes is as it was without the key.
    pair_rules: tuple[AnyPairRule, ...] = Field(default=(), exclude_if=_is_empty)
    round_trip: RoundTripConfig = RoundTripConfig()
    cell_yield: CellYieldConfig = CellYieldConfig()
    review: tuple[AnyReviewer, ...] = ()
    relabel: RelabelConfig = RelabelConfig(enabled=False)
    mining: MiningConfig = MiningConfig()
    judge: JudgeConfig = JudgeConfig()
    assemble: AssembleConfig = AssembleConfig()
    audit: JudgedAuditConfig = JudgedAuditConfig()
    shards: ShardConfig = ShardConfig()
    runner: RunnerConfig = RunnerConfig()
    schedule: ScheduleConfig | None = None

    @model_validator(mode="after")
    def _generators_exist(self) -> RunConfig:
        wanted = self.writers
        if self.relabel.enabled:
            wanted.add(self.relabel.engine)
        wanted.update(reviewer.engine for reviewer in self.review)
        wanted.update(self.judge.engines)
        wanted.update(self.audit.judge.engines)
        for name in sorted(wanted - set(self.generators)):
            known = ", ".join(sorted(self.generators)) or "none"
            raise ValueError(
                f"each generator that is used must be listed under `generators`, but {name!r} is "
                f"not (listed: {known}). Add it there, or correct the name."
            )
        for reviewer in self.review:
            for language in sorted(self._languages_read_by(reviewer)):
                reviewer.wording(language)
        own = f"dense:{self.encoder.name}"
        if own in [miner.source for miner in self.mining.miners]:
            raise ValueError(
                f"`mining.miners` must have other names than the encoder's own search, but one is "
                f"{own} instead. Give it a `label`, or leave it out if it is the same model."
            )
        unknown = sorted(set(self.round_trip.task_top_k) - set(self.tasks()))
        if unknown:
            raise ValueError(
                f"`round_trip.task_top_k` must name tasks of the plan, but {unknown} are none "
                f"(planned: {', '.join(sorted(self.tasks()))}). Correct the name."
            )
        return self

    @property
    def writers(self) -> set[str]:
        """Return the names of all generators that write."""
        asked = [entry.engines for entry in self.plan.entries]
        return set().union(*asked, *(variation.engines for variation in self.variations))

    def tasks(self) -> dict[str, Task]:
        """Return column value -> task, of the plan and of variations.

        Raises:
            ConfigError: If one label has two settings.
        """
        found = self.plan.tasks()
        for variation in self.variations:
            task = variation.task
            if found.setdefault(task.label, task) != task:
                raise ConfigError(
                    f"each task must have one set of settings, but {task.label!r} has two. Give "
                    "one of them an `alias`."
                )
        return found

    @model_validator(mode="after")
    def _no_unwanted_fallback(self) -> RunConfig:
        found = [] if self.prompts_fallback == "english" else self.prompt_fallbacks()
        if found:
            missing = sorted({f"{fallback.task}/{fallback.language}.md" for fallback in found})
            raise ValueError(
                f"`prompts_fallback` is 'none', so every language must have its prompts, but "
                f"{', '.join(missing)} are missing. Add these files, choose other languages, or "
                "set `prompts_fallback: english`"
            )
        return self

    @model_validator(mode="after")
    def _judges_see_all(self) -> RunConfig:
        check_fill(self.mining, self.judge)
        return self

    def prompt_fallbacks(self) -> list[PromptFallback]:
        """Return where English instructions stand in for a missing prompt, each case once."""
        languages = {q.queries for entry in self.plan.entries for q in entry.quotas}
        scorers = self.relabel.scorers if self.relabel.enabled else ()
        judged = judging_fallbacks(scorers, self.judge.everyone, languages)
        return list(dict.fromkeys([*planned_fallbacks(self.plan, self.variations), *judged]))

    @model_validator(mode="after")
    def _patterns_name_tasks(self) -> RunConfig:
        planned, every = list(self.plan.tasks()), list(self.tasks())
        named = [(f"variations.{n}", v.tasks, planned) for n, v in enumerate(self.variations)]
        named += [(f"pair_rules.{n}", rule.tasks, every) for n, rule in enumerate(self.pair_rules)]
        for where, patterns, tasks in named:
            for pattern in patterns:
                if not any(fnmatchcase(task, pattern) for task in tasks):
                    raise ValueError(
                        f"`{where}.tasks` must name tasks of the plan, but {pattern!r} is none "
                        f"(planned: {', '.join(sorted(tasks))}). Correct the name."
                    )
        return self

    def _languages_read_by(self, reviewer: Reviewer) -> set[str]:
        """Return the query languages of the tasks that a reviewer is asked about."""
        found: set[str] = set()
        for entry in self.plan.entries:
            label = entry.task.label
            read = [label] if entry.task.asks_llm or not reviewer.generated_only else []
            read += [
                v.task.label
                for v in self.variations
                if v.task.varies == "query" and v.fitting([label])
            ]
            if any(fnmatchcase(one, glob) for one in read for glob in reviewer.tasks):
                found.update(quota.queries for quota in entry.quotas)
        return found


def check_fill(mining: MiningConfig, judge: JudgeConfig) -> None:
    """Check that lists which a judge shortens are not to be filled with what it does not see.

    Raises:
        ValueError: If they are.
    """
    if judge.enabled and mining.on_shortfall == "random_fill":
        raise ValueError(
            "`mining.on_shortfall` must be drop or keep where a judge looks at negatives, but is "
            "random_fill instead: random documents would go unjudged. Choose one of the two, or "
            "set `judge.enabled: false`."
        )


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration in `path`, with `a.b=c` overrides applied.

    Args:
        path: A YAML file, or the name of a preset.
        overrides: Dotted key, "=", YAML value; list items by number (`sources.0.path=x`).

    Raises:
        ConfigError: If the file is missing or not YAML, a key is unknown, or a value cannot work;
            the message names every such key with its value.
    """
    file = _find(path)
    return parse_config(expand_preset(read_settings(file, overrides)), str(file))


def parse_config(values: Mapping[str, Any], name: str) -> RunConfig:
    """Return the configuration in `values`; `name` says in errors where it came from."""
    return parse_settings(values, name, RunConfig)


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    presets = Path(__file__).parent / "presets"
    preset = presets / f"{path}.yaml"
    if preset.is_file():
        return preset
    known = ", ".join(sorted(p.stem for p in presets.glob("*.yaml")))
    raise ConfigError(
        f"The configuration must be a YAML file or a preset ({known}), but {str(path)!r} is "
        "neither instead. Check the path."
    )
