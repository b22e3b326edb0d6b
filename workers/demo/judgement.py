"""What came out against what should have: scores, and posts that end as they are meant to."""

from __future__ import annotations

from collections import Counter

from schemas.recognitions import Recognition
from workers.demo.material import Material
from workers.demo.tally import Tally
from workers.evaluation.recognised import score

__all__ = ["judged"]


def judged(material: Material, recognitions: dict[str, Recognition], tally: Tally) -> dict[str, str]:
    """Rows for the summary, by name; none where the material knows no gold."""
    rows: dict[str, str] = {}
    for part, gold in material.gold.items():
        named, posts = score(recognitions.values(), gold)
        seen = {name: entities for name, entities in gold.items() if name not in material.pictures_missing}
        whole, pictured = score(recognitions.values(), seen)
        if posts:
            text = f"MNER {named.mner.f1:.3f} over {posts} posts"
            if pictured:
                text += f"; GMNER {whole.gmner.f1:.3f}, EEG {whole.eeg.f1:.3f} over {pictured} posts"
                text += " whose pictures are here" if pictured < posts else ""
            rows[f"F1, {part}"] = text
    if material.missing or material.dead_letters is not None:
        rows["endings"] = _endings(material, recognitions, tally)
    return rows


def _endings(material: Material, recognitions: dict[str, Recognition], tally: Tally) -> str:
    """How many posts ended as meant: recognised, with the picture used or the right reason why not."""
    right = sum(
        name in recognitions and missing_of(recognitions[name]) == missing
        for name, missing in material.missing.items()
    )
    dead = material.dead_letters or Counter[str]()
    buried = sum(min(count, tally.dead_letters[reason]) for reason, count in dead.items())
    meant = len(material.missing) + sum(dead.values())
    return f"{right + buried} of {meant} posts ended as they are meant to"


def missing_of(recognition: Recognition) -> str | None:
    """Why the post's picture could not be used; None when it could, or there was none."""
    return recognition.picture.missing if recognition.picture is not None else None
