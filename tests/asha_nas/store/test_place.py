"""Where a store is, and that its passwords are seen by the driver alone."""

import pytest

from asha_nas.errors import StoreUnavailable
from asha_nas.store.place import ENVIRONMENT, default_url, locate

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "shown", "passwords"),
    [
        ("studies.db", "sqlite:///studies.db", {}),
        ("sqlite:////a/b.db", "sqlite:////a/b.db", {}),
        ("postgresql://me@host:5433/db", "postgresql://me@host:5433/db", {}),
        ("postgres://me@host/db", "postgresql://me@host/db", {}),
        ("postgresql+psycopg://host/db", "postgresql://host/db", {}),
        (f"postgresql://me:{SECRET}@host/db", "postgresql://me@host/db", {"password": SECRET}),
        ("postgresql://me:%40%2F%3A@h/db", "postgresql://me@h/db", {"password": "@/:"}),
        ("postgresql://me:@h/db", "postgresql://me@h/db", {"password": ""}),
        (
            f"postgresql:///db?host=/run&user=me&password={SECRET}",
            "postgresql:///db?host=%2Frun&user=me",
            {"password": SECRET},
        ),
        (
            f"postgresql://h/db?sslmode=require&sslpassword={SECRET}",
            "postgresql://h/db?sslmode=require",
            {"sslpassword": SECRET},
        ),
        ("postgresql:///?service=asha", "postgresql:///?service=asha", {}),
    ],
)
def test_passwords_are_parted_from_the_url(text, shown, passwords):
    place = locate(text)
    assert (str(place), dict(place.passwords)) == (shown, passwords)
    assert SECRET not in f"{place!r} {place.url!r} {place.url.render_as_string(hide_password=False)}"
    assert locate(str(place)).url == place.url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"postgresql://host:{SECRET}/db", "cannot be read as a URL"),
        (f"postgresql://me:{SECRET}@host:port/db", "cannot be read as a URL"),
        (f"mysql://me:{SECRET}@host/db", "is neither SQLite nor PostgreSQL"),
        (f"postgresql+psycopg2://me:{SECRET}@host/db", "is neither SQLite nor PostgreSQL"),
        (f"postgresql://me:x@{SECRET}@host/db", "more than one @\nIn a password write %40"),
    ],
)
def test_a_url_that_is_wrong_is_not_repeated(text, why):
    with pytest.raises(StoreUnavailable, match=why) as caught:
        locate(text)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def test_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv(ENVIRONMENT, f"postgresql://me:{SECRET}@host/db")
    assert default_url() == f"postgresql://me:{SECRET}@host/db"
    assert str(locate()) == str(locate("")) == "postgresql://me@host/db"
    monkeypatch.setenv(ENVIRONMENT, "")
    assert locate().file == tmp_path / "asha-nas" / "studies.db"
