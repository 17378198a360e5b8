"""Systems that round trained weights."""

from __future__ import annotations

from fpgaq.quantize.literature.entry import Entry, rounded

ROUNDING = (
    Entry(
        "Attention Round",
        "rounding",
        "works",
        "a weight may go to any number, the further the rarer",
        "arXiv 2207.03088",
        (rounded("--method attention-round --bits 3"),),
        "reconstruction from the abstract; gradient and constants from our trials, not checked against the paper",
    ),
    Entry(
        "ECQx",
        "rounding",
        "works",
        "weights go to numbers that are used often, relevant ones less so: sparse and short to store",
        "arXiv 2109.04236",
        (rounded("--method ecqx --bits 4"),),
        "the paper's rule, assigned once and without training; the relevance is weight times gradient",
    ),
    Entry(
        "AdaRound",
        "rounding",
        "works",
        "a weight goes to the one of its two neighbours that the outputs of the layer need",
        "arXiv 2004.10568",
        (rounded("--method adaround --bits 3"),),
        "the paper, with constants of the code of BRECQ",
    ),
    Entry(
        "BRECQ",
        "rounding",
        "works",
        "weights of several layers are tuned together for what comes out of the last one",
        "arXiv 2102.05426",
        (rounded("--method nearest --bits 3 --reconstruct block"),),
        "the idea of its code, with plain squared errors",
    ),
    Entry(
        "Bias correction",
        "rounding",
        "works",
        "biases take up the mean error of the outputs",
        "arXiv 1906.04721",
        (rounded("--method nearest --bits 3 --bias-correction"),),
        "with calibration data",
    ),
    Entry(
        "Plain rounding",
        "baseline",
        "works",
        "to the nearest number, or by lot to one of two; integers with ranges by errors or magnitudes",
        "",
        (
            rounded("--method nearest --bits 4 --format int --ranges mse"),
            rounded("--method stochastic --bits 4 --ranges max"),
            rounded("--method nearest --bits 4 --ranges percentile"),
        ),
        "definition",
    ),
)
