"""GMNER, MNER and EEG: the official scorer, and the SAKE authors' for comparison. Never mixed.

from sake_model.scoring import official, sake_compatible
official.score(posts).gmner.f1
"""

from sake_model.scoring import bootstrap, official, sake_compatible, tokens
from sake_model.scoring.counts import Counts, Scores
from sake_model.scoring.parts import WHOLE, Part, PostScorer
from sake_model.scoring.records import Box, GoldEntity, Prediction, ScoredPost, Spot

__all__ = [
    "WHOLE",
    "Box",
    "Counts",
    "GoldEntity",
    "Part",
    "PostScorer",
    "Prediction",
    "ScoredPost",
    "Scores",
    "Spot",
    "bootstrap",
    "official",
    "sake_compatible",
    "tokens",
]
