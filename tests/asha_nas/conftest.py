"""The command line as a fixture."""

import pytest

from asha_nas.cli import main


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """Run a command: gives exit code, standard output, standard error."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for variable in ("ASHA_NAS_STORE", "ASHA_NAS_DATA", "RAY_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["asha-nas", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        written = capsys.readouterr()
        return end.value.code or 0, written.out, written.err

    return run
