"""Tokens: made once, readable by their owner alone, and used without being shown."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster import token
from cluster.token import Token, TokenMissing, TokenRejected, TokenUnsafe


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in (token.MODE, token.TEXT, token.FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))


def test_a_token_is_its_owners_alone(tmp_path):
    file = tmp_path / "somewhere" / "token"
    before = os.umask(0)
    try:
        token.make(file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    made = token.read(file)
    assert len(made.text) == 64 and made.source == str(file)
    assert made.text not in repr(made)
    token.make(file)
    assert token.read(file) == made
    assert list(file.parent.iterdir()) == [file]


def test_of_many_that_make_one_all_get_the_same(tmp_path):
    file = tmp_path / "token"

    def make(_number):
        token.make(file)
        return token.read(file).text

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(40)))) == 1
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602, 0o700 | 0o010])
def test_a_token_that_others_may_read_or_write_is_refused(tmp_path, mode):
    file = tmp_path / "token"
    token.make(file)
    file.chmod(mode)
    with pytest.raises(TokenUnsafe, match=f"chmod 600 {file}") as refused:
        token.read(file)
    assert f"{mode:04o}" in str(refused.value)


def test_a_token_that_is_not_there_or_empty(tmp_path):
    with pytest.raises(TokenMissing, match=r"No such file.*\n.*scp"):
        token.read(tmp_path / "token")
    (tmp_path / "empty").touch(0o600)
    with pytest.raises(TokenMissing, match="it is empty"):
        token.read(tmp_path / "empty")
    (tmp_path / "file").touch()
    with pytest.raises(TokenMissing, match="cannot be written"):
        token.make(tmp_path / "file" / "token")


def test_where_a_token_is_found(tmp_path, monkeypatch):
    assert token.find() is None
    token.make(token.default_file())
    assert token.find() == token.read(token.default_file())
    token.make(tmp_path / "named")
    monkeypatch.setenv(token.FILE, str(tmp_path / "named"))
    assert token.find() == token.read(tmp_path / "named")
    monkeypatch.setenv(token.TEXT, "secret")
    assert token.find() == Token("secret", token.TEXT)
    token.make(tmp_path / "given")
    assert token.find(tmp_path / "given") == token.read(tmp_path / "given")
    monkeypatch.delenv(token.TEXT)
    monkeypatch.setenv(token.FILE, str(tmp_path / "gone"))
    with pytest.raises(TokenMissing):
        token.find()


def test_a_token_in_a_file_stays_there(tmp_path):
    token.make(tmp_path / "token")
    given = token.environment(token.read(tmp_path / "token"))
    assert given == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}
    given = token.environment(Token("secret", token.TEXT))
    assert given == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "secret"}


def test_the_file_that_ray_itself_writes_is_narrowed():
    token.narrow_default()
    file = token.default_file()
    file.parent.mkdir(parents=True)
    file.write_text("secret")
    file.chmod(0o644)
    token.narrow_default()
    assert token.read(file).text == "secret"


def test_what_is_wrong_with_a_token_is_told():
    assert "wants a token, and there is none here" in str(TokenRejected("10.0.0.1:6379", None))
    words = str(TokenRejected("10.0.0.1:6379", "/home/me/token"))
    assert "10.0.0.1:6379 does not accept the token of /home/me/token" in words and token.FILE in words


@pytest.mark.parametrize("first", ["import ray", ""])
def test_ray_uses_it_whether_it_is_imported_already_or_not(tmp_path, first):
    token.make(tmp_path / "token")
    code = f"""
{first}
from pathlib import Path
from cluster import token
token.use(token.read(Path({str(tmp_path / "token")!r})))
from ray._raylet import AuthenticationMode, AuthenticationTokenLoader, get_authentication_mode
assert get_authentication_mode() == AuthenticationMode.TOKEN
print(AuthenticationTokenLoader.instance().get_token_for_http_header()["authorization"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["Bearer", (tmp_path / "token").read_text()]
