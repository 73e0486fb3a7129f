"""The names of a wheel: what a consumer installs and imports, made from the name of the model."""

import re
import unicodedata

__all__ = ["name_distribution", "name_module"]


def name_distribution(*names: str) -> str:
    """Return the name to install, from the first of the names that has letters or digits: `flight-delays-model`."""
    return name_module(*names).replace("_", "-")


def name_module(*names: str) -> str:
    """Return the name to import: `flight_delays_model`; `model_42_things` where the name starts with a digit."""
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        plain = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:60].strip("_")
        if plain:
            module = f"model_{plain}" if plain[0].isdigit() else f"{plain}_model"
            return module
    return "the_model"
