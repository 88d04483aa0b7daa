"""TFRecord files in the official form of NAS-Bench-101, written independently of what reads them.

The message is built with the protocol-buffer library from its description, checksums are computed bit by bit,
and texts are laid out as the released file's: JSON with spaces, base 64 in lines.
"""

import base64
import itertools
import json
import struct

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from spaces.nasbench101 import OPERATIONS, Cell

POINT = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")


def _message_class():
    file = descriptor_pb2.FileDescriptorProto(name="model_metrics.proto", package="nasbench", syntax="proto2")
    field = descriptor_pb2.FieldDescriptorProto
    point = file.message_type.add(name="EvaluationData")
    for number, name in enumerate(POINT, start=1):
        point.field.add(name=name, number=number, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    point.field.add(name="checkpoint_path", number=6, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    run = file.message_type.add(name="ModelMetrics")
    kind = ".nasbench.EvaluationData"
    run.field.add(name="evaluation_data", number=1, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED, type_name=kind)
    run.field.add(name="trainable_parameters", number=2, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    run.field.add(name="total_time", number=3, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("nasbench.ModelMetrics"))


ModelMetrics = _message_class()


def crc32c(data):
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def masked(data):
    checksum = crc32c(data)
    return struct.pack("<I", ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def frame(data):
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def metrics(points, parameters):
    """``points``: three of (epochs, seconds, train, valid, test)."""
    message = ModelMetrics(trainable_parameters=parameters, total_time=1.5)
    for values in points:
        message.evaluation_data.add(**dict(zip(POINT, values, strict=True)))
    return message.SerializeToString()


def record(cell, epochs, message, **changes):
    matrix, _, labels = str(cell).partition(":")
    fields = {"hash": cell.hash, "epochs": epochs, "matrix": matrix, "labels": labels}
    values = (fields | changes).values()
    return json.dumps([*values, base64.encodebytes(message).decode()]).encode()


def small_cells(count):
    """Different cells of two to four vertices, in no particular order."""
    found = {}
    for n in (4, 2, 3):
        pairs = list(itertools.combinations(range(n), 2))
        for edges in itertools.product((0, 1), repeat=len(pairs)):
            if not all(any(e for e, (x, _) in zip(edges, pairs, strict=True) if x == v) for v in range(n - 1)):
                continue
            if not all(any(e for e, (_, y) in zip(edges, pairs, strict=True) if y == v) for v in range(1, n)):
                continue
            matrix = [[0] * n for _ in range(n)]
            for edge, (x, y) in zip(edges, pairs, strict=True):
                matrix[x][y] = edge
            for operations in itertools.product(OPERATIONS, repeat=n - 2):
                cell = Cell(matrix, operations)
                found.setdefault(cell.hash, cell)
    assert len(found) >= count
    return list(found.values())[:count]


def make_runs(cells, budgets, seed=0):
    """Random figures for every cell, budget and repeat: ``{(hash, budget): [three points of each of three runs]}``."""
    rng = np.random.default_rng(seed)
    runs = {}
    for cell in cells:
        for budget in budgets:
            runs[cell.hash, budget] = [_points(rng, budget) for _ in range(3)]
    return runs


def _points(rng, budget):
    points = []
    for share in (0.0, 0.5, 1.0):
        counts = rng.integers(0, 9985, 3)
        accuracies = (counts.astype(np.float32) / np.float32(9984)).astype(float).tolist()
        points.append((share * budget, float(np.float32(share * 10 * budget + rng.random())), *accuracies))
    return points


def parameters_of(cell):
    return 227_274 + 1000 * len(cell.operations)


def records_of(cells, runs):
    """Records in the order of a release: runs of one cell are not neighbours."""
    budgets = dict.fromkeys(budget for _, budget in runs)
    return [
        record(cell, budget, metrics(runs[cell.hash, budget][repeat], parameters_of(cell)))
        for budget in budgets
        for repeat in range(3)
        for cell in cells
    ]


def write_records(path, records):
    path.write_bytes(b"".join(map(frame, records)))
    return path
