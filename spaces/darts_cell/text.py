"""Reading genotypes: from one-line text, from JSON, as DARTS prints them, or by published name.

Writing needs no module: ``str(genotype)``, ``genotype.to_dict()`` and ``genotype.to_darts()``.
Every form is read strictly and nothing is ever evaluated; an error names the place.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from spaces.darts_cell.cell import CELL_INPUTS, CELL_NODES, OPERATIONS, Cell, Genotype
from spaces.darts_cell.published import PUBLISHED
from spaces.errors import InvalidValue, UnknownName

_LINE: Final = "Write normal:OP@SOURCE+OP@SOURCE,…/reduction:…, with four nodes to a cell."
_DARTS: Final = "Write Genotype(normal=[('skip_connect', 0), …], reduce=[…])."
_CONCAT: Final = list(range(CELL_INPUTS, CELL_INPUTS + CELL_NODES))

_Found = tuple[object, object, str]
"""What stands for an edge before it is checked: operation, source, and the place of the edge."""


def parse_genotype(source: str | Mapping[str, Any]) -> Genotype:
    """Read a genotype in any of the forms it is written in.

    Args:
        source: one of
            the one-line text of ``str(genotype)``;
            the mapping of ``genotype.to_dict()``, or its JSON text;
            the ``Genotype(normal=[…], normal_concat=…, reduce=[…], reduce_concat=…)`` that DARTS
            and its successors print, with or without ``name =`` before it;
            a name in :data:`spaces.darts_cell.PUBLISHED`, in any case, ``-`` for ``_`` allowed.

    Raises:
        UnknownName: a name that is not published, or an operation that does not exist.
        InvalidValue: anything else; the message names the cell and the place in it.
    """
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if not isinstance(source, str):
        raise InvalidValue("genotype", source, "must be text or a mapping")
    text = source.strip()
    if text.startswith("{"):
        return _from_json(text)
    if "(" in text:
        return _from_darts(text)
    if re.fullmatch(r"[\w-]*", text):
        return _from_name(text)
    return _from_line(text)


# ---- by name ------------------------------------------------------------------------------------


def _from_name(name: str) -> Genotype:
    wanted = name.lower().replace("-", "_")
    for known, genotype in PUBLISHED.items():
        if known.lower() == wanted:
            return genotype
    raise UnknownName("genotype", name, PUBLISHED)


# ---- one line -----------------------------------------------------------------------------------


def _from_line(text: str) -> Genotype:
    parts = text.split("/")
    if len(parts) != 2:
        raise InvalidValue("genotype", _brief(text), f"has {len(parts)} parts between '/', not 2", _LINE)
    normal = _line_cell("normal", parts[0], start=1)
    reduction = _line_cell("reduction", parts[1], start=len(parts[0]) + 2)
    return Genotype(normal, reduction)


def _line_cell(kind: str, text: str, start: int) -> Cell:
    """Read ``kind:node,node,node,node``, which begins at character ``start`` of the whole, from 1."""
    prefix = f"{kind}:"
    if not text.startswith(prefix):
        rule = f"at character {start}, must begin with {prefix!r}"
        raise InvalidValue("genotype", _brief(text), rule, _LINE)
    nodes = []
    column = start + len(prefix)
    for state, node in enumerate(text[len(prefix) :].split(","), start=CELL_INPUTS):
        edges = []
        for word in node.split("+"):
            edges.append(_line_edge(word, f"at character {column} ({kind} cell, node {state})"))
            column += len(word) + 1
        nodes.append(edges)
    return _cell(nodes, f"{kind} cell")


def _line_edge(word: str, place: str) -> _Found:
    operation, _, source = word.partition("@")
    if not re.fullmatch(r"[0-9]", source):
        raise InvalidValue(f"edge {place}", word, "must be OPERATION@SOURCE, with a one-digit source", _LINE)
    return operation, int(source), place


# ---- JSON ---------------------------------------------------------------------------------------


def _from_json(text: str) -> Genotype:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        rule = f"is not JSON at character {error.pos + 1}: {error.msg}"
        raise InvalidValue("genotype", _brief(text), rule) from None
    except RecursionError:
        raise InvalidValue("genotype", _brief(text), "is nested too deeply") from None
    return _from_mapping(value)


def _from_mapping(value: Mapping[str, Any]) -> Genotype:
    if set(value) != {"normal", "reduction"}:
        raise InvalidValue("genotype", sorted(map(str, value)), "keys must be 'normal' and 'reduction'")
    return Genotype(_plain_cell("normal", value["normal"]), _plain_cell("reduction", value["reduction"]))


def _plain_cell(kind: str, value: object) -> Cell:
    nodes = []
    for i, node in enumerate(_sequence(value, kind, "a list of four nodes")):
        edges = _sequence(node, f"{kind}[{i}]", "a list of two edges")
        nodes.append([_plain_edge(edge, f"{kind}[{i}][{j}]") for j, edge in enumerate(edges)])
    return _cell(nodes, kind)


def _plain_edge(value: object, place: str) -> _Found:
    pair = _sequence(value, place, "[operation, source]")
    if len(pair) != 2:
        raise InvalidValue(place, value, "must be [operation, source]")
    return pair[0], pair[1], place


def _sequence(value: object, place: str, rule: str) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidValue(place, value, f"must be {rule}")
    return value


# ---- as DARTS prints it -------------------------------------------------------------------------


def _from_darts(text: str) -> Genotype:
    call = _call(text)
    fields = {keyword.arg: keyword.value for keyword in call.keywords}
    known = {"normal", "normal_concat", "reduce", "reduce_concat"}
    if call.args or not {"normal", "reduce"} <= set(fields) <= known:
        rule = "fields must be normal, normal_concat, reduce and reduce_concat, each given by name"
        raise InvalidValue("genotype", _brief(text), rule, _DARTS)
    for name in ("normal_concat", "reduce_concat"):
        if name in fields:
            _check_concat(name, fields[name])
    normal, reduction = (_flat_cell(name, fields[name]) for name in ("normal", "reduce"))
    return Genotype(normal, reduction)


def _call(text: str) -> ast.Call:
    """Return the one call in the text; ``NAME = Genotype(…)`` is how papers and logs print it."""
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        rule = f"cannot be read at line {error.lineno}, column {error.offset}: {error.msg}"
        raise InvalidValue("genotype", _brief(text), rule, _DARTS) from None
    except (ValueError, RecursionError, MemoryError):  # a null character; brackets nested without end
        raise InvalidValue("genotype", _brief(text), "cannot be read", _DARTS) from None
    if len(statements) == 1 and isinstance(statements[0], ast.Expr | ast.Assign):
        value = statements[0].value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Genotype":
            return value
    raise InvalidValue("genotype", _brief(text), "must be one Genotype(…)", _DARTS)


def _flat_cell(kind: str, node: ast.expr) -> Cell:
    pairs = _sequence(_literal(kind, node), kind, "a list of (operation, source)")
    if len(pairs) != 2 * CELL_NODES:
        rule = f"a cell of this space has {2 * CELL_NODES}, two for each of {CELL_NODES} nodes"
        raise InvalidValue(f"edges in {kind}", len(pairs), rule)
    edges = [_plain_edge(pair, f"{kind}[{i}]") for i, pair in enumerate(pairs)]
    return _cell([edges[i : i + 2] for i in range(0, len(edges), 2)], kind)


def _check_concat(name: str, node: ast.expr) -> None:
    states: object = None
    if isinstance(node, ast.List | ast.Tuple):
        states = list(_sequence(_literal(name, node), name, "a list of states"))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        bounds = [_literal(name, bound) for bound in node.args]
        states = _CONCAT if bounds == [_CONCAT[0], _CONCAT[-1] + 1] else bounds
    if states != _CONCAT:
        raise InvalidValue(name, ast.unparse(node), f"the output must concatenate the four nodes, {_CONCAT}")


def _literal(name: str, node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise InvalidValue(name, _brief(ast.unparse(node)), "must be plain values") from None


# ---- common -------------------------------------------------------------------------------------


def _cell(nodes: Sequence[Sequence[_Found]], place: str) -> Cell:
    """Check what was found, so that an error names its place, and build the cell."""
    if len(nodes) != CELL_NODES:
        raise InvalidValue(f"nodes in {place}", len(nodes), f"must be {CELL_NODES}")
    edges = []
    for state, node in enumerate(nodes, start=CELL_INPUTS):
        if len(node) != 2:
            raise InvalidValue(f"edges of node {state} in {place}", len(node), "must be 2")
        (first, low), (second, high) = (_edge(found, state) for found in node)
        if low == high:
            rule = "the two edges of a node must read different states"
            raise InvalidValue(f"source {node[1][2]}", high, rule)
        edges += [(first, low), (second, high)]
    return Cell.of(*edges)


def _edge(found: _Found, state: int) -> tuple[str, int]:
    operation, source, place = found
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise UnknownName(f"operation {place}", str(operation), OPERATIONS)
    if not isinstance(source, int) or isinstance(source, bool) or not 0 <= source < state:
        raise InvalidValue(f"source {place}", source, f"node {state} reads states 0 to {state - 1}")
    return operation, source


def _brief(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
