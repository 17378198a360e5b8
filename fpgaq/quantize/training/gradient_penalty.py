"""Training whose loss grows with its own gradients: rounding of weights and activations then changes it less."""

from __future__ import annotations

from typing import Any

import keras

from fpgaq.quantize.requantize import matrices


class PenalizedModel(keras.Model):
    """The same layers as a model's, trained on ``loss + share * (|dL/dW|_1 + |dL/dA|_1)``.

    W are the kernels, A what goes into the layers that have them, the input of the model aside.

    Parameters
    ----------
    model : keras.Model
    share : float
    """

    def __init__(self, model: Any, share: float) -> None:
        super().__init__(model.inputs[0], model.outputs[0])
        self.share = share
        holders = [model.get_layer(name) for name in matrices(model)]
        self._kernels = [layer.weights[0] for layer in holders]
        between = [layer.input for layer in holders if layer.input is not model.inputs[0]]
        self._traced = keras.Model(model.inputs[0], [model.outputs[0], *between])

    def losses_of(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the loss of a batch in training, and the sum of the norms of its gradients."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            outputs, *between = tf.nest.flatten(self._traced(x, training=True))
            loss = self.compute_loss(x, y, outputs)
        gradients = tape.gradient(loss, [*(kernel.value for kernel in self._kernels), *between])
        return loss, tf.add_n([tf.reduce_sum(tf.abs(gradient)) for gradient in gradients if gradient is not None])

    def train_step(self, data: Any) -> dict[str, Any]:
        """Move all variables along the gradient of the whole loss, and tell that."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss, norms = self.losses_of(*data)
            whole = loss + self.share * norms
        self.optimizer.apply(tape.gradient(whole, self.trainable_weights), self.trainable_weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(whole)
        return {metric.name: metric.result() for metric in self.metrics}
