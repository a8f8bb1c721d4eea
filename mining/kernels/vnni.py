"""A product of bytes that is compared before it leaves the registers (AVX-512 VNNI).

A library's product writes 4 bytes for each pair, which are read back once to see that nearly all
of them are too low. Here each pair leaves one bit per bound. The product itself is as fast.

GROUP queries are multiplied with a panel of PANEL documents at a time: 24 registers of sums, a
document in each lane, four of its numbers at once. The instruction multiplies bytes without a sign
by bytes with one, so documents are stored 128 higher and sums start lower by 128 times the sum of
the query's codes: what comes out is the exact product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mining.kernels.compiler import compiled

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]
Panels = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

# Documents whose bits make one word.
PANEL = 64
# Queries multiplied at a time: 4 registers of sums each, as many as fit.
GROUP = 6
# Of an instruction of 512 bits.
_LANES = 16
_VECTORS = PANEL // _LANES
_SIGN_BITS = np.int32(-0x7F7F7F80)  # 0x80808080: adds 128 to each of four bytes.
_COMPARISONS = (">=", ">", ">=", ">")


def has_vnni() -> bool:
    """Return whether code is compiled for a processor with AVX-512 VNNI."""
    from numba.core.registry import cpu_target

    # What numba compiles for, which settings may make less than what the processor has.
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return "+avx512vnni" in features.split(",")


def pack(codes: Codes) -> Panels:
    """Return (P, D / 4, PANEL) panels: four codes of each document side by side, 128 higher.

    Args:
        codes: (B, D) int8, C-contiguous; D a multiple of 4.

    Returns:
        int32, each four bytes; what the last panel lacks is filled up.
    """
    rows = np.zeros((-(-len(codes) // PANEL) * PANEL, codes.shape[1] // 4), np.int32)
    rows[: len(codes)] = codes.view(np.int32)
    by_panel = rows.reshape(-1, PANEL, rows.shape[1]).transpose(0, 2, 1)
    return np.bitwise_xor(np.ascontiguousarray(by_panel), _SIGN_BITS)


@compiled
def group(codes: Codes, grouped: Codes, starts: npt.NDArray[np.int32]) -> None:
    """Copy codes of queries, and write where their sums start.

    Args:
        codes: (Q, D) int8.
        grouped: (at least Q, D) written; the rest stays as it is.
        starts: (at least Q,) written; the rest stays as it is.
    """
    for q in range(codes.shape[0]):
        total = np.int32(0)
        for place in range(codes.shape[1]):
            grouped[q, place] = codes[q, place]
            total += np.int32(codes[q, place])
        starts[q] = np.int32(-128) * total


@compiled
def mark(
    panels: Panels,
    steps: Floats,
    codes: Codes,
    starts: npt.NDArray[np.int32],
    bounds: Floats,
    words: Words,
) -> None:
    """Write which products reach which bounds, one bit for each pair and bound.

    Bit d of `words[b, p, q]` is `float32(product of q and document d of panel p) * step of the
    document`, compared with `bounds[b, q]`: at least it for b = 0 and 2, above it for 1 and 3.
    All arrays are C-contiguous.

    Args:
        panels: (P, D / 4, PANEL), as `pack` makes them.
        steps: (P x PANEL,) float32; NaN, for what is no document, reaches nothing.
        codes: (Q, D) int8; Q a multiple of GROUP, D of 4 and not 0.
        starts: (Q,) as `group` writes them.
        bounds: (1 or 4, Q) float32.
        words: (1 or 4, P, Q) written.
    """
    num_queries, dimension = codes.shape
    for panel in range(panels.shape[0]):
        documents = panels[panel].ctypes.data
        own_steps = steps[panel * PANEL :].ctypes.data
        for q in range(0, num_queries, GROUP):
            addresses = (
                documents,
                own_steps,
                codes[q:].ctypes.data,
                starts[q:].ctypes.data,
                bounds[0, q:].ctypes.data,
                words[0, panel, q:].ctypes.data,
            )
            if bounds.shape[0] == 1:
                _mark_one(addresses, dimension, num_queries, 0)
            else:
                _mark_four(addresses, dimension, num_queries, panels.shape[0] * num_queries)


def _panel_marker(num_bounds: int) -> Callable[..., None]:
    """Return the code for one group of queries and one panel.

    It takes six addresses in the order of `mark`'s arrays, D, and how many numbers `bounds` and
    `words` go on by from one bound to the next.
    """
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    def generate(context: Any, builder: Any, _signature: object, arguments: Any) -> Any:  # noqa: ANN401 - numba's
        addresses, dimension, bounds_apart, words_apart = arguments
        code = _Assembler(builder, ir)
        pointers = [builder.extract_value(addresses, place) for place in range(6)]
        documents, steps, queries, starts, bounds, words = pointers
        products = code.multiply(documents, queries, starts, dimension)
        own = [code.load(steps, 64 * place, code.floats) for place in range(_VECTORS)]
        values = [
            [builder.fmul(builder.sitofp(sums, code.floats), own[v]) for v, sums in enumerate(row)]
            for row in products
        ]
        for bound in range(num_bounds):
            at = builder.add(bounds, builder.mul(bounds_apart, code.number(4 * bound)))
            to = builder.add(words, builder.mul(words_apart, code.number(8 * bound)))
            for q, row in enumerate(values):
                lowest = code.spread(code.load(at, 4 * q, ir.FloatType()), code.floats)
                code.store(code.word(row, _COMPARISONS[bound], lowest), to, 8 * q)
        return context.get_dummy_value()

    def marker(
        _typing: object, _addresses: object, _dimension: object, _apart: object, _words: object
    ) -> tuple[Any, Callable[..., Any]]:
        whole = types.intp
        return types.void(types.UniTuple(whole, 6), whole, whole, whole), generate

    made: Callable[..., None] = intrinsic(marker)
    return made


class _Assembler:
    """Writes instructions; addresses are whole numbers."""

    def __init__(self, builder: Any, ir: Any) -> None:  # noqa: ANN401 - llvmlite has no types
        self.builder, self.ir = builder, ir
        self.integers = ir.VectorType(ir.IntType(32), _LANES)
        self.floats = ir.VectorType(ir.FloatType(), _LANES)

    def number(self, value: int) -> Any:  # noqa: ANN401
        return self.ir.Constant(self.ir.IntType(64), value)

    def _pointer(self, address: Any, offset: int, kind: Any) -> Any:  # noqa: ANN401
        moved = self.builder.add(address, self.number(offset))
        return self.builder.inttoptr(moved, kind.as_pointer())

    def load(self, address: Any, offset: int, kind: Any) -> Any:  # noqa: ANN401
        # Nothing is said of where arrays start but that numbers are whole.
        return self.builder.load(self._pointer(address, offset, kind), align=4)

    def store(self, value: Any, address: Any, offset: int) -> None:  # noqa: ANN401
        self.builder.store(value, self._pointer(address, offset, value.type), align=8)

    def spread(self, value: Any, kind: Any) -> Any:  # noqa: ANN401
        """Return a vector with `value` in every lane."""
        nothing, whole = self.ir.Constant(kind, self.ir.Undefined), self.ir.IntType(32)
        one = self.builder.insert_element(nothing, value, self.ir.Constant(whole, 0))
        lanes = self.ir.Constant(self.integers, [0] * _LANES)
        return self.builder.shuffle_vector(one, nothing, lanes)

    def multiply(self, documents: Any, queries: Any, starts: Any, dimension: Any) -> Any:  # noqa: ANN401
        """Return GROUP rows of vectors with the products."""
        whole, builder = self.ir.IntType(32), self.builder
        multiply_add = builder.module.declare_intrinsic(
            "llvm.x86.avx512.vpdpbusd.512",
            (),
            self.ir.FunctionType(self.integers, [self.integers] * 3),
        )
        first = [self.spread(self.load(starts, 4 * q, whole), self.integers) for q in range(GROUP)]
        before = builder.block
        loop, after = builder.append_basic_block("fours"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        place = builder.phi(self.ir.IntType(64))
        place.add_incoming(self.number(0), before)
        sums = [[builder.phi(self.integers) for _ in range(_VECTORS)] for _ in range(GROUP)]
        here = builder.add(documents, builder.mul(place, self.number(PANEL)))
        fours = [self.load(here, 64 * vector, self.integers) for vector in range(_VECTORS)]
        row = builder.add(queries, place)
        added = []
        for q in range(GROUP):
            four = self.spread(self.load(row, 0, whole), self.integers)
            row = builder.add(row, dimension)
            pairs = zip(sums[q], fours, strict=True)
            added.append([builder.call(multiply_add, [*pair, four]) for pair in pairs])
            for total, more in zip(sums[q], added[q], strict=True):
                total.add_incoming(first[q], before)
                total.add_incoming(more, loop)
        onward = builder.add(place, self.number(4))
        place.add_incoming(onward, loop)
        builder.cbranch(builder.icmp_unsigned("<", onward, dimension), loop, after)
        builder.position_at_end(after)
        return added

    def word(self, values: Any, comparison: str, bound: Any) -> Any:  # noqa: ANN401
        """Return the bits of PANEL comparisons."""
        word, whole = None, self.ir.IntType(64)
        for place, vector in enumerate(values):
            bits = self.builder.fcmp_ordered(comparison, vector, bound)
            bits = self.builder.zext(self.builder.bitcast(bits, self.ir.IntType(_LANES)), whole)
            bits = self.builder.shl(bits, self.number(_LANES * place))
            word = bits if word is None else self.builder.or_(word, bits)
        return word


if not TYPE_CHECKING:
    # Instructions are written when `mark` is compiled, which needs `has_vnni`.
    _mark_one, _mark_four = _panel_marker(1), _panel_marker(4)
else:
    _mark_one: Callable[..., None]
    _mark_four: Callable[..., None]
