"""Pictures of posts, from wherever strangers say they are, past a guard."""

from workers.fetch.errors import FetchError, FetchTrouble
from workers.fetch.limits import FetchLimits
from workers.fetch.source import PictureSource, PostPictures

__all__ = ["FetchError", "FetchLimits", "FetchTrouble", "PictureSource", "PostPictures"]
