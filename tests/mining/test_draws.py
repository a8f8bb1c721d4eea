"""Random numbers by position."""

from __future__ import annotations

import numpy as np

from mining.draws import seeds_of, uniforms, words_at


def test_the_words_are_those_of_splitmix64() -> None:
    """The first outputs of the reference implementation for the seed 1234567."""
    seeds = np.array([1234567], np.uint64)
    assert words_at(seeds, np.arange(3)).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_uniforms_of_a_seed_depend_on_no_other_seed_and_not_on_how_many_are_asked() -> None:
    seeds = seeds_of(5, "purpose", ["a", "b", "c"])
    many = uniforms(seeds, 8)
    assert many[1, :3].tolist() == uniforms(seeds[1:2], 3)[0].tolist()
    assert 0 < many.min() <= many.max() < 1
    assert len(np.unique(many)) == 24


def test_seeds_differ_by_run_purpose_and_name() -> None:
    seeds = [
        seeds_of(seed, purpose, [name])[0]
        for seed in (1, 2)
        for purpose in ("x", "y")
        for name in ("a", "b")
    ]
    assert len(set(seeds)) == 8
