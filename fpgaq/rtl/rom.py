"""A ROM with a registered output: a table for each bit of its words when it is shallow, block RAM when it is deep."""

from __future__ import annotations

from collections.abc import Sequence

from fpgaq.estimate.folded_cost import BLOCK_ROM_DEPTH
from fpgaq.rtl.verilog import Module, Port, constant, instance


def rom(name: str, words: Sequence[int], width: int) -> Module:
    """Return the module of a ROM.

    Parameters
    ----------
    name : str
        Of the module.
    words : sequence of int
        What is read at every address, as unsigned numbers.
    width : int
        Bits of a word.
    """
    deep = len(words) >= BLOCK_ROM_DEPTH
    style = "block RAM" if deep else "a table for each bit"
    address = address_width(len(words))
    module = Module(
        name,
        [f"{name}: ROM of {len(words)} x {width} bits, one cycle, {style}."],
        [
            Port("input", "clk"),
            Port("input", "enable"),
            Port("input", "address", address),
            Port("output", "data", width),
        ],
    )
    if len(set(words)) == 1:
        module.ports[2] = Port("input", "address", address, unused=True)
        module.body = [f"always_ff @(posedge clk) if (enable) data <= {constant(words[0], width)};"]
        return module
    padded = [*words, *[0] * ((1 << address) - len(words))]
    module.body = _block_ram(padded, width) if deep else _tables(padded, width, address)
    return module


def rom_ports(address: str, data: str) -> dict[str, str]:
    """Return the connections of an instance."""
    return {"clk": "clk", "enable": "enable", "address": address, "data": data}


def address_width(depth: int) -> int:
    """Return the bits of an address."""
    return max((depth - 1).bit_length(), 1)


def _block_ram(words: Sequence[int], width: int) -> list[str]:
    return [
        f'(* rom_style = "block" *) logic [{width - 1}:0] words [0:{len(words) - 1}];',
        "initial begin",
        *(f"    words[{k}] = {width}'h{word:x};" for k, word in enumerate(words)),
        "end",
        "always_ff @(posedge clk) if (enable) data <= words[address];",
    ]


def _tables(words: Sequence[int], width: int, address: int) -> list[str]:
    """Return one table for each bit; bits that are always equal share it."""
    first: dict[int, str] = {}
    lines = [f"logic [{width - 1}:0] word;", ""]
    for bit in range(width):
        ones = sum((word >> bit & 1) << k for k, word in enumerate(words))
        here = f"word[{bit}]" if width > 1 else "word"
        if ones in (0, (1 << len(words)) - 1):
            lines.append(f"assign {here} = 1'b{ones & 1};")
        elif ones in first:
            lines.append(f"assign {here} = {first[ones]};")
        else:
            first[ones] = here
            parameters = {"N": address, "TABLE": f"{len(words)}'h{ones:x}"}
            lines.append(instance("table_bit", f"bit_{bit}", {"x": "address", "y": here}, parameters))
    return [*lines, "", "always_ff @(posedge clk) if (enable) data <= word;"]
