"""The table softmax as the last layer: an instance of the library block, and its ROMs."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import Softmax
from fpgaq.ir.ops.softmax import NORM_TYPE, TABLE_TYPE, index_type
from fpgaq.rtl.rom import rom
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance


@dataclass(frozen=True)
class SoftmaxLayer:
    """Hardware of a table softmax.

    Parameters
    ----------
    name : str
    node : Softmax
    source : Operand
        Input vector.
    """

    name: str
    node: Softmax
    source: Operand

    @property
    def elements(self) -> int:
        """Length of the vector."""
        return int(self.source.bounds.lo.size)

    @property
    def latency(self) -> int:
        """Cycles: two trees, two ROMs, distance, product and rounding."""
        return 2 * (self.elements - 1).bit_length() + 5

    @property
    def ii(self) -> int:
        """Cycles between vectors."""
        return 1

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return (
            f"table softmax over {self.elements} elements, tables of {1 << NORM_TYPE.width} x {TABLE_TYPE.width} bits"
        )

    def modules(self) -> list[Module]:
        """Return the two ROMs and the layer."""
        n, width = self.elements, self.source.type.width
        index, entry = NORM_TYPE.width, TABLE_TYPE.width
        module = Module(
            self.name,
            [
                f"{self.name}: softmax of {n} x {self.source.type}",
                f"Output  {n} x {TABLE_TYPE}.",
                f"Latency {self.latency} cycles, II 1. {self.summary}.",
            ],
            stream_ports(n * width, n * entry),
        )
        parameters = {
            "N": n,
            "W": width,
            "SIGNED": f"1'b{int(self.source.type.signed)}",
            "DROP": self.source.type.frac - NORM_TYPE.frac,
            "INDEX_W": index,
            "TABLE_W": entry,
            "FRAC": TABLE_TYPE.frac,
            "SUM_DROP": TABLE_TYPE.frac - index_type(n).frac,
        }
        signals = ("enable", "exp_address", "exp_data", "inv_address", "inv_data")
        connections = {s: s for s in (*(p.name for p in module.ports), *signals)}
        module.body = [
            "logic enable;",
            f"logic [{n * index - 1}:0] exp_address;",
            f"logic [{n * entry - 1}:0] exp_data;",
            f"logic [{index - 1}:0] inv_address;",
            f"logic [{entry - 1}:0] inv_data;",
            "",
            instance("softmax_vector", "tables", connections, parameters),
            f"for (genvar k = 0; k < {n}; k++) begin : element",
            f"    {self._rom('exponentials', 'exp', f'[k*{index}+:{index}]', f'[k*{entry}+:{entry}]')}",
            "end",
            self._rom("inverses", "inv", "", ""),
        ]
        exponentials, inverses = (list(map(int, t)) for t in (self.node.exponentials, self.node.inverses))
        return [
            rom(f"{self.name}_exponentials", exponentials, entry),
            rom(f"{self.name}_inverses", inverses, entry),
            module,
        ]

    def _rom(self, table: str, signal: str, address: str, data: str) -> str:
        ports = {
            "clk": "clk",
            "enable": "enable",
            "address": f"{signal}_address{address}",
            "data": f"{signal}_data{data}",
        }
        return instance(f"{self.name}_{table}", f"{signal}_rom", ports)
