"""Biases that take up the mean error of a layer's outputs.

Source: Nagel et al., Data-Free Quantization (arXiv 1906.04721), section 4.2, with means of calibration data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.quantize.ptq.reconstruction import Reconstruction

Real = NDArray[np.float64]


def correction(task: Reconstruction, weights: Real) -> Real:
    """Return what is added to the biases: the mean of the outputs wanted without that of the outputs.

    Parameters
    ----------
    task : Reconstruction
        Of a layer with biases.
    weights : float array, shape (groups, inputs, outputs)
        The rounded ones.

    Returns
    -------
    float array, shape (groups * outputs,)
    """
    assert task.shift is not None
    inputs, outputs = task.shift
    found: Real = outputs - np.einsum("gi,gio->go", inputs, weights)
    return found.reshape(-1)
