"""The command that tells what a search space is."""

import json

import pytest

from spaces import darts_cell, nasbench1shot1, nasbench101, nasbench201

PARSERS = {
    "s1": nasbench101.parse_cell, "s2": nasbench101.parse_cell, "nasbench101": nasbench101.parse_cell,
    "nasbench201": nasbench201.parse_cell, "darts-cnn": darts_cell.parse_genotype,
}  # fmt: skip


@pytest.fixture
def few_cells(monkeypatch):
    """Only the cells of up to four vertices, as all take long."""
    all_cells = nasbench101.enumerate_cells
    monkeypatch.setattr(nasbench101, "enumerate_cells", lambda: all_cells(4))
    return all_cells(4)


@pytest.mark.parametrize("name", PARSERS)
def test_samples_are_architectures_of_the_space(cli, few_cells, name):
    code, out, err = cli("space", "info", name, "--sample", "4", "--seed", "3", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["space"], told["seed"], len(told["samples"]), told["drawing"]) == (name, 3, 4, None)
    assert "arXiv" in told["source"]
    for sample in told["samples"]:
        found = PARSERS[name](sample["text"])
        assert str(found) == sample["text"]
        assert sample["identity"] == (found.identity if name == "darts-cnn" else found.hash)
        if isinstance(found, nasbench101.Cell):
            assert sample["parameters"] == nasbench101.count_parameters(found)
            if name in nasbench1shot1.SPACES:
                assert nasbench1shot1.choices_of(found, nasbench1shot1.space(name)) is not None
        else:
            assert sample["parameters"] is None
    assert cli("space", "info", name, "--sample", "4", "--seed", "3", "--json")[1] == out
    other = json.loads(cli("space", "info", name, "--sample", "4", "--seed", "4", "--json")[1])
    assert other["samples"] != told["samples"]


@pytest.mark.parametrize(
    ("name", "counts"),
    [  # published: Zela et al., table 1; Dong & Yang, section 2; Liu et al., up to their choice of operations
        ("s1", {"unique": 2685}),
        ("s2", {"unique": 7773}),
        ("nasbench201", {"raw": 15625, "unique": 6466}),
        ("darts-cnn", {"raw": (180 * 7**8) ** 2, "raw_released": (180 * 8**8) ** 2, "unique": None}),
    ],
)
def test_published_counts(cli, name, counts):
    told = json.loads(cli("space", "info", name, "--sample", "0", "--json")[1])
    assert counts.items() <= told["counts"].items()
    assert told["samples"] == []


def test_nasbench101_is_enumerated_and_says_so(cli, few_cells):
    code, out, err = cli("space", "info", "nasbench101")
    assert code == 0 and "about half a minute" in err
    assert f"{len(few_cells)}  different cells" in out and "509,607,936  matrices" in out


def test_a_page(cli, tmp_path):
    code, out, err = cli("space", "info", "s1", "--draw", str(tmp_path / "new/cells.png"))
    assert (code, err) == (0, "")
    for words in (
        "4 choice blocks",
        "arXiv 2001.10422",
        "14,580  choices",
        " 2,685  different cells",
        "3 drawn uniformly",
    ):
        assert words in out
    assert (tmp_path / "new/cells.png").read_bytes().startswith(b"\x89PNG")
    out = cli("space", "info", "darts-cnn", "--draw", str(tmp_path / "cells.svg"))[1]
    assert "1.08·10^18  encodings" in out and "not computed  different architectures" in out
    assert (tmp_path / "cells.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("s4",), ["unknown space 's4'", "Known: darts-cnn, nasbench101, nasbench201, s1, s2, s3"]),
        (("s1", "--draw", "a.gif"), ["--draw = 'a.gif'", "must end in .svg or .png"]),
        (("s1", "--draw", "a.png", "--sample", "0"), ["--sample = 0", "Give 1 or more"]),
    ],
)
def test_mistakes_are_told_in_plain_words(cli, arguments, words):
    code, out, err = cli("space", "info", *arguments)
    assert (code, out) == (2, "")
    for word in words:
        assert word in err
