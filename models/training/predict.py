"""What a model says about labelled pictures, kept as arrays."""

from dataclasses import dataclass

import numpy as np

from .manifest import Row
from .model import Model
from .photo import open_photo


@dataclass
class Predictions:
    """rows: n pictures; values: [n, C] pooled logits; names: the C classes."""

    rows: list[Row]
    values: np.ndarray
    names: list[str]

    def of(self, name: str, sources: set[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Pooled logits [m] and truth [m] of the pictures that say whether the class is there."""
        c = self.names.index(name)
        pairs = [
            (value[c], row.truth(name))
            for row, value in zip(self.rows, self.values)
            if row.truth(name) is not None and (sources is None or row.source in sources)
        ]
        return np.array([v for v, _ in pairs]), np.array([t for _, t in pairs], int)

    def clean(self, name: str, sources: set[str]) -> np.ndarray:
        """Pooled logits of the pictures of these sources that show none of the model's classes."""
        c = self.names.index(name)
        return np.array(
            [v[c] for row, v in zip(self.rows, self.values) if row.source in sources and not row.present()]
        )


def predict(model: Model, rows: list[Row]) -> Predictions:
    values = [model.pooled(model.maps(open_photo(row.image, max(model.settings.views)))) for row in rows]
    return Predictions(rows, np.array(values), [c["name"] for c in model.classes])
