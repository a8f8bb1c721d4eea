"""The fastest exact search of this machine; what was taken is recorded."""

from __future__ import annotations

import importlib.util
from typing import Any

from pydantic import PrivateAttr

from mining.corpus import CorpusView
from mining.indexes import INDEXES, Index
from mining.indexes.faiss_library import load_faiss
from mining.search import Floats, Found, Wanted


@INDEXES.register("auto")
class Auto(Index):
    """A GPU if FAISS sees one, else PyTorch, FAISS or numpy on the CPU, whichever is installed.

    All of them give the same result, so a run may go on where another index was taken. Asking for
    a GPU by name (`faiss_flat` with `device: gpu`) is an error where there is none; this is not.
    """

    _taken: Index | None = PrivateAttr(default=None)

    def search(self, queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
        """Return the best documents; see `Index.search`."""
        return self.taken().search(queries, corpus, wanted)

    def taken(self) -> Index:
        """Return the index that this machine's searches are made with."""
        if self._taken is None:
            self._taken = INDEXES.build(_choose())
        return self._taken

    def describe(self) -> str:
        """Return what was taken, for the manifest and the card."""
        settings = self.taken().model_dump(mode="json", exclude_defaults=True)
        listed = [f"{key} {value}" for key, value in sorted(settings.items())]
        return ", ".join([self.taken().describe(), *listed, "taken by auto"])

    def close(self) -> None:
        """Let go of what was taken."""
        if self._taken is not None:
            self._taken.close()
        self._taken = None


def _choose() -> dict[str, Any]:
    has_faiss = importlib.util.find_spec("faiss") is not None
    if has_faiss and getattr(load_faiss(), "get_num_gpus", lambda: 0)():
        return {"index": "faiss_flat", "device": "gpu"}
    if importlib.util.find_spec("torch") is not None:
        return {"index": "torch"}
    return {"index": "faiss_flat" if has_faiss else "exact"}
