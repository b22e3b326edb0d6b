"""The model card, made from the manifest: no figure stands in it that was not measured."""

from __future__ import annotations

from sake_model.checkpoint.manifest import Manifest

__all__ = ["model_card"]

CARD = """# {name}

{base} inside the Qwen2.5-VL architecture,
taught to find and type the entities of a social-media post. {holds}
Licence of the weights here: {licence}.

Made {made} at commit `{commit}` by

    {command}

## Trained on
{data}

Tweets among it are under their own terms (research use; the copyrights of Twitter and of the data
set's authors apply); none of them is in this folder.

## Figures
By `sake train measure` and `sake train weigh`, greedy, in bfloat16, on posts that it was not trained
on; the runs' settings and logs are in `training/results/`.

{figures}

## What it can and cannot do
{abilities}"""
ABILITIES = """- It reads English posts and names people, places, organisations and other named things.
- It is small: it knows few facts, and rare or new names are typed from their context.
- {sight}
- It answers at once where it was not taught to search: see what it was trained on.
- It repeats the biases of the posts that it was trained on. Do not decide about people with it.
"""
TRIES_OUT = "- It tries the pipeline out: its base is tiny and was drawn at random, so it knows nothing.\n"
DELTA = """The folder holds what was trained ({size_mb:.1f} MB);
set-up adds the language model out of its wheel."""
WHOLE = """The folder holds the whole model ({size_mb:.1f} MB),
what was trained merged in: transformers and vLLM load it as it is."""
SIGHTED = "It was taught to place boxes on brand marks, flags, name tags and posters, not on faces."
BLIND = "Its vision tower is untrained: it is shown no pictures and gives no boxes yet."


def model_card(manifest: Manifest, size_bytes: int, *, whole: bool = False, tries_out: bool = False) -> str:
    """The card's Markdown; the size is that of the weights.

    `whole` = the folder is served as it is, not added to a base model; `tries_out` as in `BaseModel`.
    """
    figures = [
        f"- **{name}**: {value}" for name, value in manifest.metrics.items() if not isinstance(value, dict)
    ]
    for name, value in manifest.metrics.items():
        if isinstance(value, dict):
            figures += [f"- **{name}**", *(f"    - {key}: {figure}" for key, figure in value.items())]
    abilities = ABILITIES.format(sight=SIGHTED if manifest.sees_pictures else BLIND)
    return CARD.format(
        name=manifest.name,
        base=manifest.base[0].upper() + manifest.base[1:],
        holds=(WHOLE if whole else DELTA).format(size_mb=size_bytes / 1e6),
        licence=manifest.licence,
        made=manifest.created_at.date().isoformat() if manifest.created_at else "on an unknown day",
        commit=manifest.commit or "unknown",
        command=manifest.command or "a command that was not written down",
        data="\n".join(f"- {source}" for source in manifest.data) or "- what was not written down",
        figures="\n".join(figures) or "- none measured",
        abilities=TRIES_OUT if tries_out else abilities,
    )
