"""What can only run one after the other is one chain; what does not wait for each other is not."""

import networkx
import pytest

from {{ cookiecutter.package_name }}.pipeline.parallel import find_chains


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        # each stage with what it depends on
        ({"a": "", "b": "a", "c": "ab"}, {"abc": set()}),
        ({"a": "", "b": ""}, {"a": set(), "b": set()}),
        ({"a": "", "b": "a", "c": "a", "d": "bc", "e": "d"}, {"a": set(), "b": {"a"}, "c": {"a"}, "de": {"b", "c"}}),
        ({"a": "", "b": "a", "x": "", "c": "bx"}, {"ab": set(), "x": set(), "c": {"ab", "x"}}),
    ],
)
def test_chains(edges, expected):
    stages = networkx.DiGraph()
    for stage, before in edges.items():
        stages.add_node(stage)
        stages.add_edges_from((stage, other) for other in before)
    found = {"".join(chain): {"".join(other) for other in waits} for chain, waits in find_chains(stages).items()}
    assert found == expected
