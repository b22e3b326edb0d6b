"""Pictures from strangers: decoded safely, resized once for the model, kept encoded.

Only encoded bytes are kept while a post is in flight: a decoded megapixel is 3 MB.
"""

from __future__ import annotations

from dataclasses import dataclass

from sake_model.grounding import Size

__all__ = ["ModelPicture"]


@dataclass(frozen=True, slots=True)
class ModelPicture:
    """A picture, ready for the model: already at the size in which the model sees it."""

    data: bytes
    """Encoded (JPEG or PNG), at `resized`."""
    media_type: str
    sha256: str
    """Hex digest of the ORIGINAL bytes."""
    original: Size
    resized: Size

    @property
    def uuid(self) -> str:
        """Names this very input to the engine's picture cache: same bytes, same size, same name."""
        return f"{self.sha256}-{self.resized.width}x{self.resized.height}"
