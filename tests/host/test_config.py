"""The settings: sources, precedence, plugin sections, and one message for everything wrong."""

from __future__ import annotations

import stat
import subprocess
import sys

import pytest
from pydantic import Field, SecretStr, ValidationError

from torg import config
from torg.config import HostSettings, Section, Settings, SettingsError

STRONG = "n3Vw-8sTq0ZpLr7Yc2Xk5Bm9Hd4Jf6Ga"
INSTALLED = ("auth", "auction", "auction_extra")


class AuctionSettings(Section):
    """A plugin's settings as its author would write them."""

    step: int = Field(5, ge=1, le=100, description="Smallest step.")
    zones: tuple[str, ...] = Field((), description="Zones.")
    api_token: SecretStr = Field(SecretStr(""), description="Token of a partner.")
    rates: dict[str, int] = Field({}, description="Rates.")


@pytest.fixture
def load(tmp_path):
    """Load settings from a folder of the test's own and exactly these variables."""

    def load(environ=None, *, toml="", dotenv="", **rest):
        (tmp_path / "torg.toml").write_text(toml, encoding="utf-8")
        (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
        given = {"TORG_SECRET_KEY": STRONG, **(environ or {})}
        return config.load(given, tmp_path, installed=INSTALLED, **rest)

    return load


def message_of(load, *args, **rest):
    with pytest.raises(SettingsError) as caught:
        load(*args, **rest)
    return str(caught.value)


class TestSources:
    """Where a value comes from."""

    def test_environment_wins_over_dotenv_over_toml_over_default(self, load):
        toml = "web_threads = 2\nweb_workers = 3\nproxy_hops = 1\n"
        dotenv = "TORG_WEB_THREADS=5\nTORG_WEB_WORKERS=6\n"

        host = load({"TORG_WEB_THREADS": "7"}, toml=toml, dotenv=dotenv).host

        assert (host.web_threads, host.web_workers, host.proxy_hops) == (7, 6, 1)
        assert host.stream_limit == HostSettings.model_fields["stream_limit"].default

    def test_command_line_wins_over_every_source(self, load):
        settings = load({"TORG_BIND": "127.0.0.1:1"}, overrides={"bind": "127.0.0.1:2"})

        assert settings.host.bind == "127.0.0.1:2"

    @pytest.mark.parametrize("value", ["auth,auction", " auth , auction ", '["auth", "auction"]'])
    def test_list_is_read_from_commas_in_a_variable(self, load, value):
        assert load({"TORG_PLUGINS": value}).host.plugins == ("auth", "auction")

    def test_list_is_read_from_toml(self, load):
        assert load(toml='plugins = ["auth", "auction"]').host.plugins == ("auth", "auction")

    def test_empty_variable_counts_as_not_set(self, load):
        assert load({"TORG_REDIS_URL": "", "TORG_WEB_THREADS": ""}).host.web_threads == 2

    def test_torg_config_may_name_a_toml_file_elsewhere(self, tmp_path):
        folder = tmp_path / "etc"
        folder.mkdir()
        (folder / "market.toml").write_text("web_threads = 9\n")
        (folder / ".env").write_text(f"TORG_SECRET_KEY={STRONG}\n")

        found = config.load({"TORG_CONFIG": str(folder / "market.toml")}, tmp_path)

        assert found.host.web_threads == 9
        assert found.host.data_dir == folder / ".torg"

    def test_missing_file_named_by_torg_config_is_told(self, tmp_path):
        environ = {"TORG_CONFIG": str(tmp_path / "no.toml"), "TORG_SECRET_KEY": STRONG}

        with pytest.raises(SettingsError, match=r"TORG_CONFIG = .*no\.toml"):
            config.load(environ, tmp_path)

    def test_variables_of_others_in_dotenv_are_left_alone(self, load):
        assert load(dotenv="POSTGRES_PASSWORD=x\nexport TORG_WEB_THREADS=3\n").host.web_threads == 3

    def test_password_with_dollar_and_braces_is_taken_as_it_is(self, load):
        settings = load(dotenv="TORG_MAIL_URL=smtps://u:a${B}c$d@mail.example.org\n")

        assert settings.host.mail_url == "smtps://u:a${B}c$d@mail.example.org"

    def test_settings_are_frozen(self, load):
        with pytest.raises(ValidationError):
            load().host.web_threads = 3


class TestProblems:
    """What is wrong is told at once, with its place and its mend."""

    def test_one_message_lists_every_problem_with_source_value_and_mend(self, load):
        text = message_of(
            load,
            {"TORG_LOG_FORMAT": "xml", "TORG_WEB_TREADS": "4"},
            toml='plugins = ["auctoin"]\nweb_workrs = 2\n\n[autcion]\nstep = 1\n',
            dotenv='# note\nTORG_WEB_THREADS="58 7"\n',
        )

        assert text.startswith("6 problems in the settings (read: torg.toml, .env, environment)")
        assert 'TORG_LOG_FORMAT = "xml"   (environment)' in text
        assert '"json", "console"' in text
        assert "TORG_WEB_TREADS   (environment)" in text
        assert "did you mean TORG_WEB_THREADS?" in text
        assert 'TORG_WEB_THREADS = "58 7"   (.env line 2)' in text
        assert "a whole number from 1 to 256" in text
        assert "web_workrs   (torg.toml line 2)" in text
        assert "did you mean web_workers?" in text
        assert "plugins = auctoin   (torg.toml line 1)" in text
        assert "did you mean auction? Installed: auction, auction_extra, auth" in text
        assert "[autcion]   (torg.toml line 4)" in text
        assert "did you mean [auction]?" in text

    def test_secret_is_never_shown(self, load):
        text = message_of(
            load,
            {
                "TORG_SECRET_KEY": "hunter2",
                "TORG_DATABASE_URL": "mysql://u:hunter2@h/d?password=hunter2",
                "TORG_REDIS_URL": "http://:hunter2@h",
                "TORG_SECRT_KEY": "hunter2",
                "TORG_METRICS_TOKN": "hunter2",
            },
        )

        assert "hunter2" not in text
        assert "TORG_SECRET_KEY = ***" in text
        assert 'TORG_DATABASE_URL = "mysql://u:***@h/d?password=***"' in text

    def test_secret_is_not_in_the_text_form_of_settings(self, load):
        settings = load(
            {
                "TORG_DATABASE_URL": "postgresql://u:hunter2@h/d",
                "TORG_METRICS_TOKEN": "hunter2",
            }
        )

        assert "hunter2" not in repr(settings.host)
        assert STRONG not in f"{settings.host} {settings!r}"

    @pytest.mark.parametrize("line", ["TORG_WEB_THREADS='4", "TORG_PLUGINS auth=1"])
    def test_unreadable_line_of_dotenv_is_named(self, load, line):
        assert ".env line 2" in message_of(load, dotenv=f"# ok\n{line}\n")

    def test_broken_toml_is_named_with_its_line(self, load):
        assert "line 2" in message_of(load, toml="web_threads = 1\nplugins = = 2\n")

    def test_variable_near_a_plugins_name_is_corrected(self, load):
        text = message_of(load, {"TORG_AUCTON_STEP": "4"})

        assert "did you mean TORG_AUCTION_STEP?" in text

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("BIND", "8000"),
            ("BIND", "127.0.0.1:99999"),
            ("BASE_URL", "example.org"),
            ("BASE_URL", "https://example.org/shop"),
            ("DATABASE_URL", "sqlite:///x"),
            ("DATABASE_URL", "postgresql://host"),
            ("REDIS_URL", "localhost:6379"),
            ("MAIL_URL", "smtp://"),
            ("MAIL_URL", "smtp://u:p@mail.example.org"),
            ("MAIL_URL", "smtps://u:p@mail.example.org?verify=no"),
            ("MAIL_FROM", "nobody"),
            ("MAIL_FROM", "A <a@example.org>\nBcc: x@example.org"),
            ("STORAGE_URL", "s4://bucket"),
            ("STORAGE_URL", "file://data"),
            ("CORS_ORIGINS", "https://example.org/path"),
            ("PROXY_HOPS", "-1"),
            ("REDIS_TIMEOUT_SECONDS", "3"),
            ("LOCALE_DEFAULT", "de"),
            ("PLUGINS", "Auction"),
            ("PLUGINS", "auth,auth"),
            ("REQUIRED_PLUGINS", "auth"),
            ("SECRET_KEY", "a" * 64),
            ("SECRET_KEY", STRONG[:-1]),
        ],
    )
    def test_wrong_value_stops_the_start_and_is_named(self, load, key, value):
        assert f"TORG_{key}" in message_of(load, {f"TORG_{key}": value})

    def test_missing_secret_key_is_told_with_the_command_that_makes_one(self, tmp_path):
        with pytest.raises(SettingsError) as caught:
            config.load({}, tmp_path)

        assert "TORG_SECRET_KEY   (not set)" in str(caught.value)
        assert "torg config secret >> .env" in str(caught.value)

    def test_require_names_what_a_command_cannot_do_without(self, load):
        with pytest.raises(SettingsError, match="TORG_DATABASE_URL"):
            load().require("database_url", "bind")


class TestRules:
    """Rules of the host's own keys."""

    @pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
    def test_database_url_names_the_driver(self, load, scheme):
        settings = load({"TORG_DATABASE_URL": f"{scheme}://u:p@h:5432/d?sslmode=require"})

        expected = "postgresql+psycopg2://u:p@h:5432/d?sslmode=require"
        assert settings.host.database_url == expected

    @pytest.mark.parametrize("bind", ["0.0.0.0:8000", "[::]:8000", "192.168.1.5:80", "shop:80"])
    def test_debug_is_refused_on_an_address_others_can_reach(self, load, bind):
        text = message_of(load, {"TORG_DEBUG": "1", "TORG_BIND": bind})

        assert "debug is on" in text

    @pytest.mark.parametrize("bind", ["127.0.0.1:80", "[::1]:80", "localhost:80", "127.9.9.9:80"])
    def test_debug_is_allowed_on_loopback(self, load, bind):
        assert load({"TORG_DEBUG": "1", "TORG_BIND": bind}).host.debug

    def test_demo_makes_a_key_of_its_own_once_and_keeps_it(self, tmp_path):
        first = config.load({"TORG_DEMO": "1"}, tmp_path).host.secret_key.get_secret_value()
        second = config.load({"TORG_DEMO": "1"}, tmp_path).host.secret_key.get_secret_value()

        assert first == second
        assert len(first) >= 32
        path = tmp_path / ".torg" / "secret_key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [each.name for each in path.parent.iterdir()] == ["secret_key"]

    def test_first_run_of_many_processes_makes_one_key(self, tmp_path):
        code = "import sys,pathlib;from torg.config import stored_secret as s;"
        code += "print(s(pathlib.Path(sys.argv[1])))"
        command = [sys.executable, "-c", code, str(tmp_path / "data")]
        started = [
            subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) for _ in range(6)
        ]

        keys = {process.communicate(timeout=60)[0] for process in started}

        assert len(keys) == 1

    def test_relative_folders_stand_beside_the_settings(self, load, tmp_path):
        host = load({"TORG_DATA_DIR": "data", "TORG_TEMPLATE_DIR": "mails"}).host

        assert host.data_dir == tmp_path / "data"
        assert host.template_dir == tmp_path / "mails"
        assert host.storage_url == (tmp_path / "data" / "files").as_uri()
        assert host.mail_url == (tmp_path / "data" / "mail").as_uri()

    def test_base_url_follows_the_bound_address(self, load):
        assert load({"TORG_BIND": "0.0.0.0:8080"}).host.base_url == "http://localhost:8080"
        assert load({"TORG_BASE_URL": "https://a.example/"}).host.base_url == "https://a.example"


class TestPlugins:
    """Sections of plugins."""

    def test_plugin_reads_its_own_section_from_every_source(self, load):
        settings = load(
            {
                "TORG_PLUGINS": "auction",
                "TORG_AUCTION_ZONES": "a,b",
                "TORG_AUCTION_RATES": '{"x":1}',
            },
            toml="[auction]\nstep = 9\nzones = ['c']\n",
        )

        section = settings.plugin("auction", AuctionSettings)

        assert (section.step, section.zones, section.rates) == (9, ("a", "b"), {"x": 1})

    def test_longest_plugin_name_owns_a_variable(self, load):
        environ = {"TORG_PLUGINS": "auction,auction_extra", "TORG_AUCTION_EXTRA_STEP": "3"}

        settings = load(environ)

        assert settings.plugin("auction_extra", AuctionSettings).step == 3
        assert settings.plugin("auction", AuctionSettings).step == 5

    def test_variables_of_a_disabled_plugin_are_noted_and_stop_nothing(self, load):
        settings = load({"TORG_AUCTION_WHATEVER": "1"}, toml="[auth]\nx = 1\n")

        assert any("TORG_AUCTION_WHATEVER" in note for note in settings.notes)
        assert any("plugin auth is not enabled" in note for note in settings.notes)

    def test_problems_of_all_sections_come_in_one_message_and_hide_secrets(self, load):
        settings = load(
            {
                "TORG_PLUGINS": "auction,auth",
                "TORG_AUCTION_STEP": "1000",
                "TORG_AUCTION_STAP": "1",
                "TORG_AUCTION_RATES": "no",
                "TORG_AUTH_X": "1",
            },
            toml="[auction]\napi_token = ['hunter2']\n",
        )

        with pytest.raises(SettingsError) as caught:
            settings.plugins({"auction": AuctionSettings, "auth": None})

        text = str(caught.value)
        assert len(caught.value.problems) == 5
        assert 'TORG_AUCTION_STEP = "1000"' in text
        assert "did you mean TORG_AUCTION_STEP?" in text
        assert "[auction] api_token = ***" in text
        assert "hunter2" not in text
        assert "TORG_AUTH_X" in text

    def test_section_is_reached_only_for_an_enabled_plugin(self):
        import flask

        app = flask.Flask("test")
        settings = Settings.build(HostSettings(debug=True), {"auction": {"step": 7}})
        settings.plugins({"auction": AuctionSettings})
        config.init(app, settings)

        with app.app_context():
            assert config.plugin_settings("auction").step == 7
            assert config.plugin_settings("auction", AuctionSettings).step == 7
            with pytest.raises(KeyError):
                config.plugin_settings("shop")
