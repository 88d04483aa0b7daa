"""Genotypes are read back exactly from every form they are written in, and errors name the place."""

import json
import re
import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.darts_cell import PUBLISHED, parse_genotype, sample_genotype
from spaces.errors import InvalidValue, UnknownName, UserError

DARTS_V2 = PUBLISHED["DARTS_V2"]
LINE = str(DARTS_V2)
PRINTED = DARTS_V2.to_darts()

genotypes = st.integers(0, 2**32).map(lambda seed: sample_genotype(np.random.default_rng(seed), "released"))


@given(genotypes)
def test_every_form_round_trips(genotype):
    assert parse_genotype(str(genotype)) == genotype
    assert parse_genotype(genotype.to_dict()) == genotype
    assert parse_genotype(json.dumps(genotype.to_dict())) == genotype
    assert parse_genotype(genotype.to_darts()) == genotype


@given(genotypes)
def test_the_line_is_one_word_to_a_shell(genotype):
    assert shlex.quote(str(genotype)) == str(genotype)


def test_the_line_reads_as_it_says():
    assert LINE == (
        "normal:sep_conv_3x3@0+sep_conv_3x3@1,sep_conv_3x3@0+sep_conv_3x3@1,"
        "sep_conv_3x3@1+skip_connect@0,skip_connect@0+dil_conv_3x3@2"
        "/reduction:max_pool_3x3@0+max_pool_3x3@1,skip_connect@2+max_pool_3x3@1,"
        "max_pool_3x3@0+skip_connect@2,skip_connect@2+max_pool_3x3@1"
    )
    assert parse_genotype(f"  {LINE}\n") == DARTS_V2


def test_darts_prints_and_papers_write_it_in_several_ways():
    assert "normal_concat=range(2, 6)" in PRINTED
    for text in (
        PRINTED,
        PRINTED.replace("range(2, 6)", "[2, 3, 4, 5]"),
        PRINTED.replace("range(2, 6)", "(2, 3, 4, 5)"),
        f"DARTS_V2 = {PRINTED}",
        PRINTED.replace("), (", "),\n  # the next edge\n  ("),
        re.sub(r", \w+_concat=range\(2, 6\)", "", PRINTED),
    ):
        assert parse_genotype(text) == DARTS_V2


def test_names_are_read_in_any_case():
    for name in ("DARTS_V2", "darts_v2", "darts-v2"):
        assert parse_genotype(name) is DARTS_V2
    with pytest.raises(UnknownName, match="unknown genotype 'DARTS_V3'"):
        parse_genotype("DARTS_V3")
    with pytest.raises(UnknownName, match="unknown genotype ''"):
        parse_genotype("")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "normal:sep_conv_3x3@0",
            "normal:sep_conv_3@0",
            "unknown operation at character 8 (normal cell, node 2)",
        ),
        (
            "+skip_connect@0,",
            "+skip_connect@4,",
            "source at character 83 (normal cell, node 4) = 4: node 4 reads",
        ),
        (
            "+skip_connect@0,",
            "+skip_connect@1,",
            "source at character 83 (normal cell, node 4) = 1: the two edges",
        ),
        ("+skip_connect@0,", "+skip_connect,", "edge at character 83 (normal cell, node 4) = 'skip_connect'"),
        ("+skip_connect@0,", ",", "edges of node 4 in normal cell = 1: must be 2"),
        (",skip_connect@0+dil_conv_3x3@2", "", "nodes in normal cell = 3: must be 4"),
        ("/reduction", "/reduce", "at character 128, must begin with 'reduction:'"),
        ("/reduction", "reduction", "has 1 parts between '/', not 2"),
        (
            "max_pool_3x3@0+max_pool_3x3@1",
            "max_pool_3x3@0+@1",
            "at character 153 (reduction cell, node 2) ''",
        ),
        ("sep_conv_3x3@0", "sep_conv_3x3@²", "with a one-digit source"),
    ],
)
def test_an_error_in_a_line_names_the_place(old, new, message):
    assert old in LINE
    with pytest.raises(UserError, match=re.escape(message)):
        parse_genotype(LINE.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'skip_connect', 0", "'skip', 0", "unknown operation normal[5] 'skip'"),
        ("'skip_connect', 0", "'skip_connect', -1", "source normal[5] = -1: node 4 reads states 0 to 3"),
        ("'skip_connect', 0", "'skip_connect', True", "source normal[5] = True"),
        ("'skip_connect', 0", "'skip_connect', 0, 1", "normal[5] = ('skip_connect', 0, 1)"),
        ("('skip_connect', 0), ", "", "edges in normal = 7: a cell of this space has 8"),
        ("range(2, 6)", "range(2, 5)", "normal_concat = 'range(2, 5)'"),
        ("range(2, 6)", "[2, 3, 4]", "normal_concat = '[2, 3, 4]'"),
        ("range(2, 6)", "f()", "normal_concat = 'f()'"),
        ("range(2, 6)", "range(x, 6)", "normal_concat = 'x': must be plain values"),
        ("'skip_connect', 0", "__import__('os').abort(), 0", "must be plain values"),
        ("Genotype(", "Other(", "must be one Genotype"),
        ("Genotype(", "Genotype((", "cannot be read at line 1"),
        ("normal=", "regular=", "fields must be"),
        ("normal=", "", "fields must be"),
        ("normal=", "**x, normal=", "fields must be"),
    ],
)
def test_an_error_in_what_darts_prints_names_the_place(old, new, message):
    assert old in PRINTED
    with pytest.raises(UserError, match=re.escape(message)):
        parse_genotype(PRINTED.replace(old, new, 1) if old != "normal=" else PRINTED.replace(old, new))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"normal": []}, "keys must be 'normal' and 'reduction'"),
        ({"normal": 3, "reduction": []}, "normal = 3: must be a list of four nodes"),
        (
            {"normal": [[["none", 0], "none"]], "reduction": []},
            "normal[0][1] = 'none': must be [operation, source]",
        ),
        ({"normal": [[[3, 0], ["none", 1]]] * 4, "reduction": []}, "unknown operation normal[0][0] '3'"),
        ('{"normal": [', "is not JSON at character 13"),
        (7, "must be text or a mapping"),
    ],
)
def test_an_error_in_plain_values_names_the_place(value, message):
    with pytest.raises(UserError, match=re.escape(message)):
        parse_genotype(value)


@given(st.text(max_size=40) | st.text(alphabet="Genotype(normal=[)]{}:@+,/0123'\"", max_size=40))
def test_any_other_text_is_a_users_error(text):
    if text.strip().upper().replace("-", "_") not in {name.upper() for name in PUBLISHED}:
        with pytest.raises(UserError):
            parse_genotype(text)


def test_a_long_text_is_not_repeated_whole():
    with pytest.raises(InvalidValue) as caught:
        parse_genotype("Genotype(" + "x, " * 1000 + ")")
    assert len(str(caught.value)) < 300
