"""Learning rates of their own for groups of parameters."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="fpgaq")
class GroupedAdam(keras.optimizers.Adam):
    """Adam whose rate is multiplied for some variables.

    Parameters
    ----------
    factors : dict
        Factor of the learning rate by the name of a variable, such as ``clip`` or ``transform``.
    learning_rate, options
        As of ``keras.optimizers.Adam``.
    """

    def __init__(self, factors: dict[str, float], learning_rate: Any = 1e-3, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.factors = dict(factors)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable."""
        # Keras' own variable: what a back end passes here may have another name.
        name = self._trainable_variables[self._get_variable_index(variable)].name
        super().update_step(gradient, variable, learning_rate * self.factors.get(name, 1.0))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "factors": self.factors}
