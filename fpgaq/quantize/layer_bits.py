"""Files of bits by layer name."""

from __future__ import annotations

from pathlib import Path

import yaml

from fpgaq.errors import ConfigError


def read_layer_bits(path: Path) -> dict[str, int]:
    """Return what a YAML file says, by layer name; whether layers and bits fit is for others to check.

    Raises
    ------
    ConfigError
        If it is not a mapping of names.
    """
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not a YAML file that can be read: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ConfigError(f"{path} does not hold bits by layer name, such as `fc1: 4`")
    return found
