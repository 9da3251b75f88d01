"""The classes a model can speak of, in the order of its output channels."""

CLASSES = (
    "crack",
    "spalling",
    "peeling_paint",
    "biological_growth",
    "surface_mark",
    "corrosion",
    "drywall_joint",
)
EXPERIMENTAL = frozenset({"corrosion", "drywall_joint"})

# Names that manifests use for the same thing.
ALIASES = {"stain": "surface_mark", "mould": "biological_growth", "algae": "biological_growth"}


def canonical(name: str) -> str:
    """The class name of ours for a name found in a manifest (unknown names pass through)."""
    return ALIASES.get(name, name)
