"""Quantizers to train with, each into one weight format. Importing this package loads Keras."""

from fpgaq.quantize.quantizers.attachment import attach_quantizers
from fpgaq.quantize.quantizers.base import FormatQuantizer
from fpgaq.quantize.quantizers.codebook import Codebook
from fpgaq.quantize.quantizers.drawn_levels import DrawnLevels
from fpgaq.quantize.quantizers.fixed_levels import FixedLevels
from fpgaq.quantize.quantizers.frequency_aware import FrequencyAware
from fpgaq.quantize.quantizers.gaussian_mixture import GaussianMixture
from fpgaq.quantize.quantizers.haar import HaarWeights
from fpgaq.quantize.quantizers.learned_clip import LearnedClip
from fpgaq.quantize.quantizers.learned_clip_weights import LearnedClipWeights
from fpgaq.quantize.quantizers.learned_step import LearnedStep, LearnedStepWeights
from fpgaq.quantize.quantizers.learned_thresholds import LearnedThresholds
from fpgaq.quantize.quantizers.levels import AdditivePowerOfTwo, PiecewiseLinear, PowerOfTwo, Tapered
from fpgaq.quantize.quantizers.multi_binary import MultiBinary
from fpgaq.quantize.quantizers.running_range import RunningRange
from fpgaq.quantize.quantizers.searched_levels import SearchedLevels
from fpgaq.quantize.quantizers.ternary import TernaryWeights, TwoScaleTernary
from fpgaq.quantize.quantizers.threshold_levels import ThresholdLevels
from fpgaq.quantize.quantizers.trainable import TrainableActivation, TrainableQuantizer, TrainableWeights
from fpgaq.quantize.quantizers.trained_ternary import TrainedTernary
from fpgaq.quantize.quantizers.two_steps import TwoSteps

attach_quantizers()

__all__ = [
    "AdditivePowerOfTwo",
    "Codebook",
    "DrawnLevels",
    "FixedLevels",
    "FormatQuantizer",
    "FrequencyAware",
    "GaussianMixture",
    "HaarWeights",
    "LearnedClip",
    "LearnedClipWeights",
    "LearnedStep",
    "LearnedStepWeights",
    "LearnedThresholds",
    "MultiBinary",
    "PiecewiseLinear",
    "PowerOfTwo",
    "RunningRange",
    "SearchedLevels",
    "Tapered",
    "TernaryWeights",
    "ThresholdLevels",
    "TrainableActivation",
    "TrainableQuantizer",
    "TrainableWeights",
    "TrainedTernary",
    "TwoScaleTernary",
    "TwoSteps",
]
