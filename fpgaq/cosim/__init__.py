"""Simulation of the generated SystemVerilog with Verilator, driven by cocotb."""

from fpgaq.cosim.simulation import Observation, Simulation, SimulationResult, Violation

__all__ = ["Observation", "Simulation", "SimulationResult", "Violation"]
