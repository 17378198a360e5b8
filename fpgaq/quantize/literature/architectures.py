"""Systems that change what a network consists of, and others that end in no quantized model."""

from __future__ import annotations

from fpgaq.quantize.literature.entry import Entry, modelled, trained

ARCHITECTURES = (
    Entry(
        "Widening and squeezing",
        "architecture",
        "adapter",
        "more features make up for binary weights",
        "",
        (trained("--method binary --bits 1"),),
        "a wider network is made and trained in Keras; nothing here multiplies widths, as new features have no "
        "trained weights to start from",
    ),
    Entry(
        "ISS-P",
        "architecture",
        "adapter",
        "weights shrink softly until those that do not matter are zero",
        "",
        (modelled("a pruned model: zeros are no hardware"),),
        "pruning belongs before quantization, in Keras; unrolled layers have nothing where a weight is zero",
    ),
    Entry(
        "DS-Net++",
        "architecture",
        "out of scope",
        "the width of layers depends on the input",
        remark="the schedule of the hardware is fixed; Precision Gating covers work that depends on data",
    ),
    Entry(
        "ManiDP",
        "architecture",
        "out of scope",
        "channels are pruned by the input",
        remark="the schedule of the hardware is fixed; Precision Gating covers work that depends on data",
    ),
    Entry(
        "PreQuant",
        "training",
        "out of scope",
        "language models are quantized, then their outliers trained",
        remark="outliers stay float, which has no place in integer hardware",
    ),
    Entry(
        "SAC device-edge co-inference",
        "architecture",
        "out of scope",
        "reinforcement learning of exits, partition and compression",
        remark="decides how work is shared between computers, not how numbers are stored",
    ),
    Entry(
        "Evolution of kernel sizes and shapes",
        "architecture",
        "out of scope",
        "several objectives over the shapes of kernels",
        remark="searches architectures; `fpgaq search` starts from a trained one",
    ),
    Entry(
        "EvoNorm",
        "architecture",
        "out of scope",
        "normalization layers found by a search",
        remark="they need the statistics of every sample at run time; only constant ones fold into integers",
    ),
    Entry(
        "Tied and reduced RNN-T",
        "architecture",
        "out of scope",
        "a shared embedding makes a transducer smaller",
        remark="a topology, not a way to store numbers",
    ),
    Entry(
        "Model fusion by optimal transport",
        "architecture",
        "out of scope",
        "trained networks are merged neuron by neuron",
        remark="no quantization",
    ),
    Entry(
        "Attentive GP",
        "architecture",
        "out of scope",
        "a learned model without few bits",
        remark="no quantization",
    ),
    Entry(
        "VGNet",
        "architecture",
        "out of scope",
        "a network design",
        remark="no quantization",
    ),
    Entry(
        "SAR target recognition by graph networks on FPGA",
        "architecture",
        "out of scope",
        "network and accelerator designed together",
        remark="a design of its own; useful to compare resources with",
    ),
)
