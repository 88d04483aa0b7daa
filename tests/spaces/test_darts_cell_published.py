"""Published genotypes, held against what is known of the networks they build."""

import pytest

from spaces.darts_cell import OPERATION_SETS, PUBLISHED


def parameters(genotype, channels=36, cells=20, classes=10):
    """Count the parameters of DARTS's CIFAR network without its auxiliary head, from its definition."""

    def conv_bn(inputs, outputs):
        return inputs * outputs + 2 * outputs

    def edge(operation, width, strided):
        kernel = int(operation[-1]) if operation[-1].isdigit() else 0
        if operation.startswith(("sep_conv", "dil_conv")):
            once = kernel**2 * width + conv_bn(width, width)
            return once * (2 if operation.startswith("sep") else 1)
        return conv_bn(width, width) if operation == "skip_connect" and strided else 0

    total = 27 * 3 * channels + 2 * 3 * channels
    before, previous, width = 3 * channels, 3 * channels, channels
    for index in range(cells):
        is_reduction = index in {cells // 3, 2 * cells // 3}
        width *= 2 if is_reduction else 1
        cell = genotype.reduction if is_reduction else genotype.normal
        total += conv_bn(before, width) + conv_bn(previous, width)
        total += sum(edge(e.operation, width, is_reduction and e.source < 2) for node in cell.nodes for e in node)
        before, previous = previous, 4 * width
    return total + previous * classes + classes


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("DARTS_V2", 3_349_342),  # reported as 3.3 million
        ("PDARTS", 3_433_798),  # 3.4
        ("PC_DARTS_cifar", 3_634_678),  # 3.6
    ],
)
def test_networks_have_the_reported_number_of_parameters(name, count):
    assert parameters(PUBLISHED[name]) == count


def test_names_and_operations():
    assert set(PUBLISHED) == {
        "DARTS_V1",
        "DARTS_V2",
        "GDAS_V1",
        "PC_DARTS_cifar",
        "PC_DARTS_image",
        "PDARTS",
        "SNAS_mild",
    }
    for genotype in PUBLISHED.values():
        for cell in (genotype.normal, genotype.reduction):
            assert {e.operation for node in cell.nodes for e in node} <= set(OPERATION_SETS["darts"])
