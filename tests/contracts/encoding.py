"""What every encoding promises, as one suite: the guarantees of `spaces.encodings.protocol`.

A law is a function of the encoding, of what makes two of its configurations the same, and of a seed. A test module
runs every law of `LAWS` over its encodings; see `tests/spaces/test_encodings.py`.
"""

import pickle

import numpy as np
from ConfigSpace import Configuration

from spaces.hyperparameters import sample


def values_stand_for_what_was_drawn(encoding, identity, seed):
    config = encoding.draw(np.random.default_rng(seed))
    values = encoding.encode(config)
    Configuration(encoding.space, values=values)  # raises for what is not legal
    again = encoding.decode(values)
    assert identity(again) == identity(config)
    assert encoding.encode(again) == values


def a_mutation_differs_and_is_of_the_space(encoding, identity, seed):
    rng = np.random.default_rng(seed)
    config = encoding.draw(rng)
    for _ in range(3):
        before = dict(config)
        changed = encoding.mutate(config, rng)
        assert changed != config == before
        Configuration(encoding.space, values=encoding.encode(changed))
        config = changed


def the_same_seed_gives_the_same(encoding, identity, seed):
    def drawn():
        rng = np.random.default_rng(seed)
        config = encoding.draw(rng)
        return config, encoding.mutate(config, rng), rng.bit_generator.state

    np.random.seed(seed)  # noqa: NPY002 - the global state must not matter
    first = drawn()
    np.random.seed(0)  # noqa: NPY002
    assert drawn() == first


def legal_values_make_a_configuration_or_none(encoding, identity, seed):
    config = encoding.decode(sample(encoding.space, np.random.default_rng(seed)))
    if config is not None:
        assert identity(encoding.decode(encoding.encode(config))) == identity(config)


def it_can_be_pickled(encoding, identity, seed):
    encoding.space  # noqa: B018 - some keep it once it was used
    again = pickle.loads(pickle.dumps(encoding))
    first, second = (each.draw(np.random.default_rng(seed)) for each in (encoding, again))
    assert first == second
    assert again.encode(first) == encoding.encode(second)
    assert list(again.space) == list(encoding.space)


LAWS = (
    values_stand_for_what_was_drawn,
    a_mutation_differs_and_is_of_the_space,
    the_same_seed_gives_the_same,
    legal_values_make_a_configuration_or_none,
    it_can_be_pickled,
)
