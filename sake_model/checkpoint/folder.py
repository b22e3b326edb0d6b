"""A checkpoint as a folder that transformers and vLLM load; set-up and training write the same one.

Needs the model environment; torch and transformers are imported on the first call.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from sake_model.checkpoint.graft import build_processor
from sake_model.grounding import ResizeLimits

__all__ = ["PROMPTS_FOLDER", "appearing_at_once", "compact_prompts", "save_model", "write_checkpoint"]

PROMPTS_FOLDER = "prompts"


def save_model(model: Any, tokenizer: Any, folder: Path, pictures: ResizeLimits) -> None:
    """Weights, configuration, tokenizer, chat template, and a processor for pictures of these sizes."""
    model.save_pretrained(folder)
    processor = build_processor(tokenizer, min_pixels=pictures.min_pixels, max_pixels=pictures.max_pixels)
    processor.save_pretrained(folder)


def write_checkpoint(
    model: Any, tokenizer: Any, folder: Path, *, pictures: ResizeLimits, prompts: Path
) -> None:
    """All that is served but the manifest: the model, and a prompt set of its own."""
    save_model(model, tokenizer, folder, pictures)
    shutil.copytree(prompts, folder / PROMPTS_FOLDER)
    for path in folder.rglob("*"):  # safetensors leaves its files to their owner alone
        path.chmod(0o755 if path.is_dir() else 0o644)


def compact_prompts() -> AbstractContextManager[Path]:
    """The built-in prompt set that the default checkpoint is trained on."""
    return resources.as_file(resources.files("sake_model.prompts") / "compact")


@contextmanager
def appearing_at_once(target: Path) -> Iterator[Path]:
    """A path for a new folder that takes `target`'s place, complete, when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        built = Path(scratch) / "checkpoint"
        yield built
        if target.exists():
            target.rename(Path(scratch) / "replaced")
        built.rename(target)
