"""Whose a study is: owners, what names mean, and two people at one store through the command line."""

import getpass
import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asha_nas
from asha_nas import owners, submission
from asha_nas.cli import options
from asha_nas.errors import InvalidValue, StudyAmbiguous, StudyExists, StudyNotFound, StudyOfOthers
from asha_nas.store import Store

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
STUDY = """
[problem]
kind = "objective"
objective = "shared_quadratic:loss"
space = { x = { range = [0.0, 1.0] } }
[scheduler]
r = 1
R = 2
eta = 2
configs = 4
[engine]
kind = "inline"
"""


# --- who one is ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "owner"),
    [("alice", "alice"), ("DOM\\al ice", "DOM-al-ice"), (".bob", "bob"), ("x" * 99, "x" * 60), ("a.b_c-d", "a.b_c-d")],
)
def test_an_owner_is_made_of_the_login_name(monkeypatch, login, owner):
    monkeypatch.delenv(owners.ENVIRONMENT, raising=False)
    monkeypatch.setattr(getpass, "getuser", lambda: login)
    assert owners.check(owners.owner()) == owner


def test_a_process_without_a_login_name_has_an_owner_too(monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.delenv(owners.ENVIRONMENT, raising=False)
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert owners.check(owners.owner()).startswith("user-")


def test_the_environment_wins(monkeypatch):
    monkeypatch.setenv(owners.ENVIRONMENT, "vision-team")
    assert owners.owner() == "vision-team"
    for wrong in ("a/b", "-a", "a b", "x" * 61, "η"):
        monkeypatch.setenv(owners.ENVIRONMENT, wrong)
        with pytest.raises(InvalidValue, match="must be 1 to 60 letters"):
            owners.owner()


# --- what names mean -------------------------------------------------------------------------------


def test_mine_comes_first_then_nobodys_then_the_only_other():
    there = ["first", "alice/first", "alice/second", "bob/third", "carl/third"]
    assert owners.resolve("first", "alice", there) == "alice/first"
    assert owners.resolve("first", "bob", there) == "first"
    assert owners.resolve("alice/first", "bob", there, "resume") == "alice/first"
    assert owners.resolve("second", "bob", there) == "alice/second"
    with pytest.raises(StudyAmbiguous, match="Say whose: bob/third, carl/third"):
        owners.resolve("third", "alice", there)
    with pytest.raises(StudyOfOthers, match=r"is alice's: you \(bob\) have none.*\n.*: asha-nas cancel alice/second$"):
        owners.resolve("second", "bob", there, "cancel")
    with pytest.raises(StudyOfOthers, match="asha-nas resume bob/third or asha-nas resume carl/third"):
        owners.resolve("third", "alice", there, "resume")
    with pytest.raises(StudyNotFound, match="Did you mean 'bob/third'"):
        owners.resolve("bob/thrd", "alice", there)


@given(st.sets(st.tuples(st.sampled_from(["", "alice", "bob", "carl"]), NAMES)), st.sampled_from(["alice", "bob"]))
def test_what_is_shown_can_be_typed(pairs, me):
    mine = {name for owner, name in pairs if owner == me}
    there = [owners.joined(owner, name) for owner, name in pairs if owner or name not in mine]
    for exact in there:
        assert owners.joined(*owners.parted(exact)) == exact
        for verb in (None, "resume"):
            assert owners.resolve(exact, me, there, verb) == exact or "/" not in exact
            assert owners.resolve(owners.shown(exact, me), me, there, verb) == exact


# --- two people ------------------------------------------------------------------------------------


@pytest.fixture
def people(cli, monkeypatch, tmp_path):
    """Run a command as somebody."""
    (tmp_path / "shared_quadratic.py").write_text("def loss(task):\n    return (task.config['x'] - 0.5) ** 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "first.toml"
    file.write_text(STUDY)
    monkeypatch.setenv("ASHA_NAS_STORE", str(tmp_path / "shared.db"))

    def run(who, *words):
        monkeypatch.setenv(owners.ENVIRONMENT, who)
        return cli(*(str(file) if word == "FILE" else word for word in words))

    return run


def test_two_people_have_a_study_of_one_name(people):
    for who in ("alice", "bob"):
        code, out, err = people(who, "run", "FILE")
        assert code == 0, err
        assert "alice" not in out
        assert "bob" not in out
    assert people("alice", "run", "FILE")[0] == 2, "taken"
    for who in ("alice", "bob"):
        code, out, err = people(who, "resume", "first")
        assert (code, out.partition("\n")[0]) == (0, "first is done; nothing is left to do"), err
    rows = json.loads(people("alice", "ls", "--json")[1])
    assert [(row["owner"], row["name"], row["state"]) for row in rows] == [
        ("alice", "first", "done"), ("bob", "first", "done"),
    ]  # fmt: skip
    assert "owner" in people("alice", "ls")[1].splitlines()[0]
    mine = people("bob", "ls", "--mine")[1]
    assert "owner" not in mine
    assert mine.count("first") == 1
    assert [row["owner"] for row in json.loads(people("alice", "ls", "--owner", "bob", "--json")[1])] == ["bob"]
    assert people("alice", "ls", "--owner", "bob", "--mine")[0] == 2
    folders = {asha_nas.load(name).folder for name in ("alice/first", "bob/first")}
    assert len(folders) == 2
    jobs = {submission.job_name(study) for study in Store().studies()}
    assert len(jobs) == 2


def test_anothers_is_read_by_its_name_and_written_only_by_its_owner_and_name(people):
    people("alice", "run", "FILE")
    for words in (["show", "first"], ["best", "alice/first"], ["explain", "first", "0"], ["ls"]):
        code, out, err = people("bob", *words)
        assert code == 0, err
    assert "alice/first: done" in people("bob", "show", "first")[1]
    code, _, err = people("bob", "resume", "first")
    assert code == 2
    assert "asha-nas resume alice/first" in err
    code, out, err = people("bob", "resume", "alice/first")
    assert code == 0, err
    assert out.startswith("alice/first is done")
    assert "asha-nas show alice/first" in out
    code, _, err = people("bob", "run", "FILE", "--resume")
    assert code == 0, err
    assert [study.exact for study in Store().studies()] == ["alice/first", "bob/first"]
    assert people("carl", "show", "first")[0] == 2
    code, _, err = people("carl", "resume", "first")
    assert "asha-nas resume alice/first or asha-nas resume bob/first" in " ".join(err.split())
    code, out, err = people("carl", "compare", "HERS=alice/first", "bob/first", "--axis", "epochs", "--json")
    assert code == 0, err
    found = {line["label"]: line["studies"] for line in json.loads(out)["lines"]}
    assert found.pop("HERS") == ["alice/first"]
    assert list(found.values()) == [["bob/first"]]


def test_from_python(people, monkeypatch):
    people("alice", "run", "FILE")
    monkeypatch.setenv(owners.ENVIRONMENT, "bob")
    study = asha_nas.load("first")
    assert (study.name, study.owner) == ("alice/first", "alice")
    assert len(study.jobs()) > 0
    with pytest.raises(StudyOfOthers, match=r"asha_nas\.load\('alice/first'\)"):
        study.run()
    assert asha_nas.load("alice/first").run() == "done"
    made = asha_nas.create(study.spec)
    assert (made.name, made.owner) == ("first", "bob")
    with pytest.raises(StudyExists):
        asha_nas.create(study.spec)


def test_what_runs_elsewhere_is_named_exactly(people, monkeypatch):
    people("alice", "run", "FILE")
    (record,) = Store().studies()
    assert (
        submission.job_command(record, asha_nas.load("first").spec)
        == f"exec asha-nas resume {shlex.quote('alice/first')}"
    )
    assert submission.job_name(record).startswith("asha-nas-alice-first-")
    store, spec = Store(), asha_nas.load("first").spec
    assert submission.existing(spec, store) == record
    plain = json.loads(record.spec)
    del plain["reuse"]  # as a version stored it that knew no such setting
    older = store.create("older", json.dumps({**plain, "name": "older"}), "{}")
    assert submission.existing(spec.model_copy(update={"name": "older"}), store) == older
    with pytest.raises(StudyExists, match="is another one"):
        submission.existing(spec.model_copy(update={"seed": 9}), store)
    monkeypatch.setenv(owners.ENVIRONMENT, "bob")
    assert submission.existing(asha_nas.load("first").spec, Store()) is None, "he may submit one of his own"


def test_completion_offers_short_and_exact_names(people, monkeypatch):
    people("alice", "run", "FILE")
    people("bob", "run", "FILE")
    monkeypatch.setenv(owners.ENVIRONMENT, "bob")
    assert options.names() == ["alice/first", "first", "bob/first"]
