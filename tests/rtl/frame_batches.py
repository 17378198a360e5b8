"""Designs simulated together, as in `batches`, by a source that keeps what it offers and marks the ends of frames.

So designs may begin with a fork, or with branches whose `tlast` is that of the input.
"""

from __future__ import annotations

from pathlib import Path

from batches import Batch

from fpgaq.rtl.hardware import Hardware

#: A skid buffer keeps a word that is not taken, a counter knows the last beat of a frame.
_SOURCE = """
  logic {n}_valid, {n}_ready; logic [{high}:0] {n}_data; logic [15:0] {n}_beat;
  wire {n}_end = {n}_beat == 16'd{last};
  skid_buffer #(.WIDTH({bits})) {n}_skid (.clk, .rst_n(aresetn), .in_valid(s_valid), .in_ready({n}_s_ready),
    .in_data(s_data[{high}:0]), .out_valid({n}_valid), .out_ready({n}_ready), .out_data({n}_data));
  always_ff @(posedge clk)
    if (!aresetn) {n}_beat <= '0;
    else if ({n}_valid & {n}_ready) {n}_beat <= {n}_end ? '0 : {n}_beat + 1'b1;
  {n} u_{n} (.aclk(clk), .aresetn, .s_axis_tvalid({n}_valid), .s_axis_tready({n}_ready), .s_axis_tlast({n}_end),
    .s_axis_tdata({n}_data), .m_axis_tvalid({n}_m_valid), .m_axis_tready(m_ready), .m_axis_tlast({n}_m_last),
    .m_axis_tdata({n}_m_data));"""


class FrameBatch(Batch):
    """Designs simulated together, whose sources speak AXI-Stream."""

    def _top(self, path: Path) -> Path:
        bits = max(_word_bits(h) for h in self.hardware.values())
        ports = ["input logic clk, aresetn, s_valid, s_last, m_ready", f"input logic [{bits - 1}:0] s_data"]
        body = []
        for name, h in self.hardware.items():
            ports += [f"output logic {name}_s_ready, {name}_m_valid, {name}_m_last"]
            ports += [f"output logic [{8 * h.outputs[0].bytes - 1}:0] {name}_m_data"]
            own = _word_bits(h)
            body.append(_SOURCE.format(n=name, bits=own, high=own - 1, last=h.inputs[0].beats - 1))
        unused = ["  logic unused_last;", "  assign unused_last = s_last;"]
        path.write_text(
            "\n".join(["module batch (", "  " + ",\n  ".join(ports), ");", *body, *unused, "endmodule", ""])
        )
        return path


def _word_bits(h: Hardware) -> int:
    return 8 * h.inputs[0].bytes
