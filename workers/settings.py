"""One settings object: the environment (`SAKE_…`), then a TOML file, then the defaults.

Every field is documented where it stands, with its unit; `sake settings` prints all of them with
the value in force and where it came from. The groups are small frozen dataclasses: those of this
module are the shell's own, the others belong to the components that read them.

A variable is `SAKE_` + group + `_` + field (`SAKE_KAFKA_BOOTSTRAP_SERVERS`), a TOML key stands in
its group's table (`[kafka]`, `bootstrap_servers`). Lists are written with commas in the
environment. An empty variable counts as not set.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sake_model.recogniser import RecogniserLimits
from sake_model.search.factory import SearchConfig
from schemas.errors import OperatorError
from workers.console.settings import ConsoleSettings
from workers.fetch.limits import FetchLimits
from workers.mentions.config import MentionSettings
from workers.recognise.attempts import PostLimits
from workers.recognise.config import ConsumerLimits, DrainLimits
from workers.recognise.lane import CommitLimits
from workers.recognise.letters import DeadLetterLimits
from workers.recognise.transactor import ProducerLimits
from workers.recognise.window import WindowLimits
from workers.settings_fields import ENV_PREFIX, Leaf, leaves_of
from workers.trends.limits import TrendLimits

__all__ = [
    "EngineSettings",
    "HealthSettings",
    "KafkaSettings",
    "LogSettings",
    "Settings",
    "SettingsError",
    "TelemetrySettings",
    "TopicSettings",
    "WorkerSettings",
    "load_settings",
]

CONFIG_VARIABLE = "SAKE_CONFIG"
DEFAULT_CONFIG = Path("sake.toml")

Port = Annotated[int, Field(ge=0, le=65535)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class SettingsError(OperatorError):
    """A setting is wrong or unknown; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach Kafka."""

    bootstrap_servers: str = ""
    """Brokers as `host:port,host:port`; empty = the embedded broker, started when needed."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Transport and authentication, as Kafka names them."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How to authenticate with SASL."""
    sasl_username: str = ""
    """User name for SASL."""
    sasl_password: SecretStr | None = None
    """Password for SASL."""
    ssl_ca_file: Path | None = None
    """PEM file of the authorities to trust; unset = the system's."""
    ssl_cert_file: Path | None = None
    """PEM file of the client's own certificate, for mutual TLS."""
    ssl_key_file: Path | None = None
    """PEM file of the client certificate's key."""
    ssl_key_password: SecretStr | None = None
    """Password of the key file."""


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """The embedded broker."""

    listen_port: Port = 0
    """TCP port on 127.0.0.1; 0 = the one of the last time, else any free one."""


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """Names and shapes of the topics."""

    prefix: str = "sake"
    """What every topic's name starts with, as in `{prefix}.posts` and `{prefix}.recognitions`."""
    partitions: Positive = 4
    """Partitions of a topic that `sake topics create` makes."""
    replication: Positive = 1
    """Copies of each partition of a topic that `sake topics create` makes."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The model server."""

    url: str = ""
    """OpenAI-compatible base URL, e.g. `http://gpu1:8000/v1`; empty = a server launched here."""
    key: SecretStr | None = None
    """Bearer token for the server, where it asks for one; a server launched here then does."""
    listen_host: str = "127.0.0.1"
    """Address of a server launched here; another machine's workers need one they can reach, and a key."""
    listen_port: Port = 0
    """TCP port of a server launched here; 0 = any free one."""
    environment: Path = Path(".venv-model")
    """Folder of the Python environment that has vLLM."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights; auto = the checkpoint's own."""
    context_tokens: Positive | None = None
    """Longest prompt and answer together; unset = as long as the checkpoint allows."""
    cpu_kv_cache_gib: Positive = 1
    """Memory for the key-value cache on a machine without a GPU, in GiB."""
    cpu_threads: Positive | None = None
    """Threads of the model on a machine without a GPU; unset = half of the cores."""
    arguments: tuple[str, ...] = ()
    """Further arguments for `vllm serve`."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """The recogniser's place in its group."""

    id: str = "worker-0"
    """Name of this static member of the consumer group; every worker needs its own."""
    group: str = "sake-recognise"
    """Consumer group; also the head of the transactional ids."""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """The HTTP endpoints /livez, /readyz and /metrics."""

    listen_host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 in a container."""
    listen_port: Port | None = None
    """TCP port; 0 = any free one, unset = no endpoints."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """OpenTelemetry. Off unless one of the two is switched on."""

    otlp_endpoint: str = ""
    """Base URL of an OTLP/HTTP collector for traces and metrics, e.g. `http://localhost:4318`."""
    prometheus: bool = False
    """Whether /metrics answers (needs SAKE_HEALTH_LISTEN_PORT); metrics then go there alone, so that none is
    counted twice."""
    service_name: str = "sake"
    """`service.name` of everything that is sent."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of traces kept when the post's own `traceparent` does not decide; 0 to 1."""
    export_interval_s: Seconds = 15.0
    """Seconds between two exports of metrics."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is written to standard error."""

    format: Literal["auto", "json", "pretty"] = "auto"
    """One JSON object a line, or lines for people; auto = pretty on a terminal."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    home: Path = Path(".sake")
    """Folder of everything that is kept between runs: broker, index, models, logs."""
    model: str = ""
    """Checkpoint folder, or a name that the server knows; empty = `{home}/models/default`."""
    prompts: str = ""
    """Folder with a prompt set, or the name of a built-in one; empty = the checkpoint's own."""
    kafka: KafkaSettings = KafkaSettings()
    broker: BrokerSettings = BrokerSettings()
    topics: TopicSettings = TopicSettings()
    engine: EngineSettings = EngineSettings()
    worker: WorkerSettings = WorkerSettings()
    window: WindowLimits = WindowLimits()
    post: PostLimits = PostLimits()
    commit: CommitLimits = CommitLimits()
    letters: DeadLetterLimits = DeadLetterLimits()
    consumer: ConsumerLimits = ConsumerLimits()
    producer: ProducerLimits = ProducerLimits()
    drain: DrainLimits = DrainLimits()
    recogniser: RecogniserLimits = RecogniserLimits()
    search: SearchConfig = SearchConfig()
    picture: FetchLimits = FetchLimits()
    mentions: MentionSettings = MentionSettings()
    trends: TrendLimits = TrendLimits()
    health: HealthSettings = HealthSettings()
    console: ConsoleSettings = ConsoleSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced: it cannot split lists
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not read
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a caller passes (tests), the environment, the file; the first that knows wins."""
        return (init_settings, EnvironmentSource(settings_cls), file_source(settings_cls))

    @property
    def models(self) -> Path:
        """Folder of checkpoints that were assembled here."""
        return self.home / "models"

    @property
    def logs(self) -> Path:
        """Folder of the logs of the processes that are started here."""
        return self.home / "logs"


class EnvironmentSource(PydanticBaseSettingsSource):
    """`SAKE_GROUP_FIELD` variables; text as it stands, lists split at commas."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: __call__ builds everything at once."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """What the environment sets, nested as the settings are."""
        values: dict[str, Any] = {}
        for leaf in leaves_of(self.settings_cls):
            text = os.environ.get(leaf.variable, "")
            if text:
                group = values
                for name in leaf.path[:-1]:
                    group = group.setdefault(name, {})
                group[leaf.path[-1]] = [part.strip() for part in text.split(",")] if leaf.is_list else text
        return values


def config_path() -> Path:
    """The TOML file: SAKE_CONFIG, else `sake.toml` in the current folder (which need not exist).

    Raises SettingsError when SAKE_CONFIG names a file that is not there.
    """
    named = os.environ.get(CONFIG_VARIABLE, "")
    if named and not Path(named).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE}={named}: there is no such file; name another or unset it")
    return Path(named) if named else DEFAULT_CONFIG


def file_source(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    """The TOML file. Raises SettingsError when it is not TOML."""
    path = config_path()
    try:
        return TomlConfigSettingsSource(settings_cls, path)
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error


def load_settings() -> Settings:
    """The settings in force. Raises SettingsError, which lists everything that is wrong at once."""
    leaves = leaves_of(Settings)
    problems = [*unknown_variables(leaves), *unknown_keys(leaves)]
    try:
        settings = Settings()
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += [_problem(each, leaves) for each in details if each["type"] != "extra_forbidden"]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


# Kubernetes puts the address of every service called `sake-…` into variables of these shapes.
SERVICE_LINK = re.compile(r"SAKE_\w+(_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_\w+)=|SAKE_\w+_PORT=\w+://")


def unknown_variables(leaves: tuple[Leaf, ...]) -> list[str]:
    """A line for each `SAKE_…` variable that no setting reads: most are typing errors."""
    known = {leaf.variable for leaf in leaves} | {CONFIG_VARIABLE}
    return [
        f"{name}: there is no such setting{_did_you_mean(name, known)}; `sake settings` lists all of them"
        for name in sorted(os.environ)
        if name.startswith(ENV_PREFIX)
        and name not in known
        and not SERVICE_LINK.match(f"{name}={os.environ[name]}")
    ]


def unknown_keys(leaves: tuple[Leaf, ...]) -> list[str]:
    """A line for each key of the TOML file that no setting reads."""
    known = {leaf.key for leaf in leaves}
    found = _keys(file_source(Settings)(), {leaf.path[:depth] for leaf in leaves for depth in (1, 2)})
    return [
        f"{config_path()}: there is no setting {key}{_did_you_mean(key, known)}"
        for key in found
        if key not in known
    ]


def _keys(table: dict[str, Any], groups: set[tuple[str, ...]], path: tuple[str, ...] = ()) -> list[str]:
    """The keys of a table, dotted; tables that are no group of ours count as one key."""
    found: list[str] = []
    for name, value in table.items():
        here = (*path, name)
        if here in groups and isinstance(value, dict):
            found += _keys(value, groups, here)
        else:
            found.append(".".join(here))
    return found


def _did_you_mean(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f", did you mean {near[0]}?" if near else ""


def _problem(detail: Any, leaves: tuple[Leaf, ...]) -> str:
    """One line for one of pydantic's errors: the variable or key, the value, what it should be."""
    path = tuple(str(part) for part in detail["loc"])
    leaf = next((leaf for leaf in leaves if leaf.path == path[: len(leaf.path)]), None)
    if leaf is None:  # a group's own check of fields that must fit together
        return f"{ENV_PREFIX}{path[0].upper()}_*: {detail['msg'].removeprefix('Value error, ')}"
    in_environment = bool(os.environ.get(leaf.variable))
    where = leaf.variable if in_environment else f"{config_path()}: {leaf.key}"
    given = "" if leaf.is_secret else f"={detail['input']}"
    return f"{where}{given}: {detail['msg'][0].lower()}{detail['msg'][1:]}. {leaf.doc}"


def source_of(leaf: Leaf) -> str:
    """Where a value in force comes from: the variable's name, the file's, or `default`."""
    if os.environ.get(leaf.variable):
        return leaf.variable
    place: Any = file_source(Settings)()
    for name in leaf.path:
        place = place.get(name) if isinstance(place, dict) else None
    return "default" if place is None else str(config_path())


def value_of(settings: Settings, leaf: Leaf) -> object:
    """The value in force."""
    value: object = settings
    for name in leaf.path:
        value = getattr(value, name)
    return value
