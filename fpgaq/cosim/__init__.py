"""Simulation of the generated SystemVerilog with Verilator, driven by cocotb."""

from fpgaq.cosim.simulation import Observation, Simulation, SimulationResult

__all__ = ["Observation", "Simulation", "SimulationResult"]
