"""vLLM beside other libraries in one process."""

from __future__ import annotations

from sdg.vllm_process import shield_loaded_libraries


def test_the_attributes_of_every_object_of_every_module_can_be_listed_after_numba_ran() -> None:
    """VLLM does this to replace kernels, and llvmlite's library gave a function for `__dict__`."""
    from llvmlite.binding import ffi

    from mining import kernels

    kernels.compile_ahead()
    shield_loaded_libraries()
    assert vars(ffi.lib).get("kernel") is None
    assert ffi.lib.LLVMPY_GetVersionInfo is not None
