"""A store's password: not in anything that a command prints or logs, nor in any row or file that it writes."""

import logging
import re
import shlex
from pathlib import Path
from urllib.parse import quote

import pytest
import typer

from asha_nas.cli.app import app
from asha_nas.store.place import ENVIRONMENT, locate
from tests.contracts.postgres_server import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
ASHA = str(ROOT / "examples" / "s1-digits-asha.toml")
BOHB = str(ROOT / "examples" / "bohb-gdas-digits.toml")
HYPERBAND = str(ROOT / "examples" / "s1-digits-hyperband.toml")
SECRETS = (PASSWORD, quote(PASSWORD, safe=""), PASSWORD.split("@")[0], PASSWORD.split("@")[1])

COMMANDS = [  # words, exit code
    (("run", ASHA, "--name", "one"), 0),
    (("run", ASHA, "--name", "two", "--json"), 0),
    (("run", ASHA, "--name", "two"), 2),  # the name is taken
    (("resume", "one"), 0),
    (("resume", "nobody"), 2),
    (("simulate", HYPERBAND, "--name", "played", "--repeats", "2", "--workers", "2"), 0),
    (("ls",), 0),
    (("ls", "--json"), 0),
    (("show", "one"), 0),
    (("show", "one", "--json"), 0),
    (("show", "nobody"), 2),
    (("best", "one"), 0),
    (("best", "one", "--json"), 0),
    (("explain", "one", "0"), 0),
    (("compare", "one", "two"), 0),
    (("compare", "one", "two", "--json"), 0),
    (("correlate", "one"), 2),  # no search
    (("transfer", "one", "--to", "s1", "--plan"), 2),  # no tuning
    (("evaluate", "one"), 2),  # nothing to train
    (("asha", "--plan"), 0),
    (("search", "--plan"), 0),
    (("bohb", "--optimizer", "gdas", "--plan"), 0),
    (("table", "build", "--space", "s1", "--plan"), 0),
    (("submit", BOHB, "--name", "handed", "--plan"), 0),
    (("submit", BOHB, "--name", "handed"), 2),  # Ray would show the password with the job
    (("logs", "one"), 0),
    (("cancel", "one"), 0),
    (("doctor", "--json"), 0),
    (("doctor",), 0),
]


@pytest.fixture
def url(postgres):
    with postgres.database() as url:
        yield url


@pytest.fixture
def clean(caplog):
    """Checks a text, and what was logged."""
    caplog.set_level(logging.DEBUG)

    def check(*texts):
        for text in (*texts, caplog.text):
            assert not [secret for secret in SECRETS if secret in text], text

    return check


def rows_of(postgres, url):
    """Every row of every table, as text."""
    database = re.search(r"/(\w+)\?", url)[1]
    with postgres.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {table: repr(connection.execute(f"SELECT * FROM {table}").fetchall()) for (table,) in tables}


def files_below(folder):
    return [path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file()]


def test_every_command_that_takes_a_store_is_tried():
    def with_store(group, *above):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from with_store(command, *above, name)
            elif any("--store" in parameter.opts for parameter in command.params):
                yield (*above, name)

    known = set(with_store(typer.main.get_command(app)))
    tried = {words[: len(name)] for words, _ in COMMANDS for name in known if words[: len(name)] == name}
    assert tried == known


@pytest.mark.parametrize("given", ["environment", "option"])
def test_no_command_shows_or_keeps_the_password(cli, postgres, url, clean, monkeypatch, tmp_path, given):
    if given == "environment":
        monkeypatch.setenv(ENVIRONMENT, url)
    place = () if given == "environment" else ("--store", url)
    for words, expected in COMMANDS:
        code, out, err = cli(*words, *place)
        assert (words, code) == (words, expected), out + err
        clean(out, err)
        assert ("can see the store's password" in err) == (given == "option"), err
    for text in [*rows_of(postgres, url).values(), *files_below(tmp_path)]:
        clean(text)


def test_what_to_type_next_works(cli, url, monkeypatch, tmp_path):
    def next_of(out):
        return [line.strip() for line in out.splitlines() if line.strip().startswith("asha-nas show")]

    _, out, _ = cli("run", ASHA, "--name", "typed", "--store", url)
    assert next_of(out) == [f"asha-nas show typed    # with the URL of the store, and its password, in {ENVIRONMENT}"]
    monkeypatch.setenv(ENVIRONMENT, url)
    _, out, _ = cli("run", ASHA, "--name", "set")
    assert next_of(out) == ["asha-nas show set"]
    assert cli("show", "set")[0] == 0
    words = tmp_path / "pgpass"
    words.write_text("*:*:*:*:" + PASSWORD.replace(":", "\\:") + "\n")
    words.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(words))
    monkeypatch.delenv(ENVIRONMENT)
    plain = url.replace(f":{quote(PASSWORD, safe='')}@", "@")
    _, out, err = cli("run", ASHA, "--name", "filed", "--store", plain)
    [line] = next_of(out)
    words = shlex.split(line)
    assert words[:4] == ["asha-nas", "show", "filed", "--store"]
    assert locate(words[4]) == locate(plain)
    assert "password" not in err
    assert cli(*words[1:])[0] == 0


@pytest.mark.parametrize(
    "break_it",
    [
        lambda url: url.replace("asha:", "nobody:"),
        lambda url: url.replace("host=/tmp", "host=/nowhere"),
        lambda url: url.replace("postgresql:", "mysql:"),
        lambda url: url.replace("postgresql:", "postgresql+psycopg2:"),
        lambda url: url.replace("@/", "@host:port/"),
        lambda url: url.replace(quote(PASSWORD, safe=""), PASSWORD),
        lambda url: url.replace("?", "?nonsense=1&"),
        lambda url: re.sub(r":([^:@]*)@(/\w+)\?", r"@\2x?password=\1&", url),
    ],
)
@pytest.mark.parametrize("command", ["ls", "doctor"])
def test_nor_does_one_that_cannot_open_the_store(cli, url, clean, monkeypatch, break_it, command):
    broken = break_it(url)
    assert broken != url
    monkeypatch.setenv(ENVIRONMENT, broken)
    code, out, err = cli(command)
    assert (code, "Traceback" in err) == ({"ls": 2, "doctor": 1}[command], False)
    clean(out, err)


def test_nor_does_an_outage(cli, postgres, url, clean, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, url)
    assert cli("run", ASHA, "--name", "one")[0] == 0
    postgres.stop()
    code, out, err = cli("show", "one")
    assert code == 2
    clean(out, err)
    assert "Is it running, and reachable from here?" in err


def test_doctor_says_what_the_store_is_and_that_it_can_be_written(cli, postgres, url, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, url)
    _, out, _ = cli("doctor")
    assert re.search(
        r"ok +store +PostgreSQL \d+\.\d+ at postgresql://asha@/\w+\?host=\S+, 0 studies, can be written", out
    )
    with postgres.connect(re.search(r"/(\w+)\?", url)[1]) as connection:
        connection.execute("REVOKE INSERT ON events FROM asha")
    code, out, _ = cli("doctor")
    assert code == 1
    assert re.search(r"bad +store .*permission denied for table events", out)
