"""What a plug-in is: its settings, and nothing that it keeps while it works."""

from __future__ import annotations

from pydantic import PrivateAttr

from sdg.part import Part, Plugin


class _Counter(Plugin):
    name = "counter"
    limit: int = 3
    _seen: int | None = PrivateAttr(default=None)


class _Other(Plugin):
    name = "other"
    limit: int = 3


class _Held(Part):
    counters: tuple[_Counter, ...]


def test_a_plugin_that_was_used_equals_a_fresh_one_with_the_same_settings() -> None:
    used, fresh = _Counter(limit=4), _Counter(limit=4)
    used._seen = 17
    assert used == fresh
    assert hash(used) == hash(fresh)
    assert _Held(counters=(used,)) == _Held(counters=(fresh,))


def test_plugins_with_other_settings_or_of_another_kind_differ() -> None:
    assert _Counter(limit=4) != _Counter(limit=3)
    assert _Counter() != _Other()
    assert _Counter() != 3
