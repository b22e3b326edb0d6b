"""Settings: environment over file over default; what is wrong is named, secrets are not shown."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from workers.commands.settings import markdown, rows
from workers.settings import Settings, SettingsError, load_settings, source_of
from workers.settings_fields import leaves_of, unit_of


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("SAKE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def row(variable: str) -> dict[str, str]:
    return next(each for each in rows(load_settings()) if each["variable"] == variable)


def test_defaults_need_nothing() -> None:
    settings = load_settings()
    assert settings.home == Path(".sake")
    assert settings.kafka.bootstrap_servers == ""
    assert settings.topics.prefix == "sake"


def test_the_names_that_others_rely_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "SAKE_KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
        "SAKE_ENGINE_URL": "http://gpu:8000/v1",
        "SAKE_MODEL": "/models/sake-7b",
        "SAKE_PROMPTS": "fmnerg",
        "SAKE_WORKER_ID": "worker-7",
        "SAKE_HOME": "/var/lib/sake",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.kafka.bootstrap_servers == "broker:9092"
    assert settings.engine.url == "http://gpu:8000/v1"
    assert settings.model == "/models/sake-7b"
    assert settings.prompts == "fmnerg"
    assert settings.worker.id == "worker-7"
    assert settings.home == Path("/var/lib/sake")


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("sake.toml").write_text('model = "from-file"\n[topics]\nprefix = "from-file"\npartitions = 12\n')
    monkeypatch.setenv("SAKE_TOPICS_PREFIX", "from-env")
    settings = load_settings()
    assert (settings.topics.prefix, settings.topics.partitions, settings.model) == (
        "from-env",
        12,
        "from-file",
    )
    assert row("SAKE_TOPICS_PREFIX")["source"] == "SAKE_TOPICS_PREFIX"
    assert row("SAKE_TOPICS_PARTITIONS")["source"] == "sake.toml"
    assert row("SAKE_TOPICS_REPLICATION")["source"] == "default"


def test_sake_config_names_another_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[topics]\npartitions = 3\n")
    monkeypatch.setenv("SAKE_CONFIG", "other.toml")
    assert load_settings().topics.partitions == 3
    monkeypatch.setenv("SAKE_CONFIG", "missing.toml")
    with pytest.raises(SettingsError, match=r"SAKE_CONFIG=missing.toml: there is no such file"):
        load_settings()


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAKE_TOPICS_PARTITIONS", "")
    assert load_settings().topics.partitions == 4
    assert row("SAKE_TOPICS_PARTITIONS")["source"] == "default"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("SAKE_TOPICS_PARTITIONS", "many", r"SAKE_TOPICS_PARTITIONS=many: input should be a valid integer"),
        ("SAKE_TOPICS_PARTITIONS", "0", r"SAKE_TOPICS_PARTITIONS=0: .*greater than or equal to 1"),
        ("SAKE_ENGINE_LISTEN_PORT", "70000", r"SAKE_ENGINE_LISTEN_PORT=70000: .*65535\. TCP port"),
        ("SAKE_LOG_FORMAT", "xml", r"SAKE_LOG_FORMAT=xml: input should be 'auto', 'json' or 'pretty'"),
        ("SAKE_TELEMETRY_PROMETHEUS", "perhaps", r"SAKE_TELEMETRY_PROMETHEUS=perhaps: .*boolean"),
        ("SAKE_WINDOW_MAX_IN_FLIGHT", "0", r"SAKE_WINDOW_\*: .*every limit of the window must be at least 1"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_should_be(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=expected):
        load_settings()


def test_a_wrong_value_in_the_file_is_named_with_the_file() -> None:
    Path("sake.toml").write_text('[topics]\npartitions = "many"\n')
    with pytest.raises(SettingsError, match=r"sake\.toml: topics\.partitions=many: "):
        load_settings()


def test_everything_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAKE_TOPICS_PARTITIONS", "many")
    monkeypatch.setenv("SAKE_LOG_LEVEL", "loud")
    monkeypatch.setenv("SAKE_ENGIN_URL", "http://gpu")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    assert [line.split("=")[0].split(":")[0] for line in lines] == [
        "SAKE_ENGIN_URL",
        "SAKE_TOPICS_PARTITIONS",
        "SAKE_LOG_LEVEL",
    ]


def test_a_typing_error_is_found_and_the_right_name_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAKE_KAFKA_BOOTSTRAP_SERVER", "broker:9092")
    with pytest.raises(SettingsError, match=r"did you mean SAKE_KAFKA_BOOTSTRAP_SERVERS\?"):
        load_settings()


def test_an_unknown_key_of_the_file_is_found() -> None:
    Path("sake.toml").write_text("[topics]\npartition = 3\n[kafa]\nx = 1\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "there is no setting topics.partition, did you mean topics.partitions?" in str(caught.value)
    assert "there is no setting kafa" in str(caught.value)


def test_a_file_that_is_not_toml_is_named() -> None:
    Path("sake.toml").write_text("topics = [")
    with pytest.raises(SettingsError, match=r"sake\.toml is not TOML: "):
        load_settings()


def test_the_service_links_of_kubernetes_are_no_typing_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAKE_ENGINE_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("SAKE_ENGINE_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("SAKE_ENGINE_PORT_8000_TCP_ADDR", "10.0.0.1")
    load_settings()
    monkeypatch.setenv("SAKE_ENGINE_PORT", "8000")
    with pytest.raises(SettingsError, match="SAKE_ENGINE_PORT: there is no such setting"):
        load_settings()


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [leaf for leaf in leaves_of(Settings) if leaf.is_secret]
    assert {"SAKE_KAFKA_SASL_PASSWORD", "SAKE_ENGINE_KEY"} <= {leaf.variable for leaf in secrets}
    for leaf in secrets:
        monkeypatch.setenv(leaf.variable, "hunter2")
    settings = load_settings()
    assert "hunter2" not in repr(settings) + str(rows(settings))
    assert {row(leaf.variable)["value"] for leaf in secrets} == {"(set)"}


@pytest.mark.parametrize("leaf", leaves_of(Settings), ids=lambda leaf: leaf.key)
def test_every_setting_is_documented_and_has_a_unit(leaf: object) -> None:
    assert leaf.doc.endswith(".")  # type: ignore[attr-defined]
    assert unit_of(leaf)  # type: ignore[arg-type]


def test_every_setting_has_a_reader() -> None:
    """A field that nothing reads would be a promise that nobody keeps."""
    root = Path(__file__).parents[2]
    sources = [*root.glob("workers/**/*.py"), *root.glob("sake_model/**/*.py")]
    code = "\n".join(path.read_text() for path in sources)
    unread = [leaf.key for leaf in leaves_of(Settings) if not re.search(rf"\.{leaf.path[-1]}\b", code)]
    assert unread == []


def test_no_two_settings_share_a_variable() -> None:
    variables = [leaf.variable for leaf in leaves_of(Settings)]
    assert len(set(variables)) == len(variables)


def test_the_reference_page_has_a_row_for_each() -> None:
    page = markdown(leaves_of(Settings))
    assert all(f"`{leaf.variable}`" in page for leaf in leaves_of(Settings))
    assert str(Path.cwd()) not in page


def test_the_source_of_a_value_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("sake.toml").write_text('home = "elsewhere"\n')
    home = next(leaf for leaf in leaves_of(Settings) if leaf.key == "home")
    assert source_of(home) == "sake.toml"
    monkeypatch.setenv("SAKE_HOME", "here")
    assert source_of(home) == "SAKE_HOME"
