"""What a fine-tuned checkpoint has beyond its base model, as one small safetensors file.

Names are those of the model's state dict. For a parameter `P` the file holds one of

    P                       the whole new tensor
    P.lora_A and P.lora_B   to be added: B @ A, the scale already in B
    P.tail                  new last rows (the embeddings of added tokens)

in bfloat16; matrices as int8 beside a float32 `X.scale` for each row of X, the largest number of a row being
127 steps: an entry is off by 0.4 % of that at most, and the file is half as large. Writing and reading live
side by side, so that training and set-up agree. Needs the model environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError

__all__ = ["DELTA_FILE", "Delta", "apply_delta", "read_delta", "write_delta"]

DELTA_FILE = "delta.safetensors"
SCALE = ".scale"
MATRIX = 2
STEPS = 127
# A row of zeros has a step, too.
SMALLEST_ROW = 1e-30


@dataclass(frozen=True, slots=True)
class Delta:
    """Tensors by parameter name; a parameter stands in one of the three at most."""

    whole: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """A (rank × in) and B (out × rank); the scale is part of B."""
    tail: dict[str, Any] = field(default_factory=dict)


def write_delta(path: Path, delta: Delta) -> None:
    """Writes the file: matrices in int8 with a scale a row, everything else in bfloat16."""
    import torch  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    tensors = dict(delta.whole)
    tensors |= {f"{name}.tail": rows for name, rows in delta.tail.items()}
    for name, (a, b) in delta.lora.items():
        tensors[f"{name}.lora_A"], tensors[f"{name}.lora_B"] = a, b
    stored: dict[str, Any] = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().float()
        if plain.dim() == MATRIX:
            stored[name], stored[f"{name}{SCALE}"] = _in_steps(plain)
        else:
            stored[name] = plain.to(torch.bfloat16).contiguous()
    save_file(stored, path)


def _in_steps(matrix: Any) -> tuple[Any, Any]:
    """A float32 matrix as int8 steps, and the size of a step of each row."""
    import torch  # noqa: PLC0415

    step = matrix.abs().amax(dim=1).clamp(min=SMALLEST_ROW) / STEPS
    return (matrix / step[:, None]).round().to(torch.int8).contiguous(), step


def read_delta(path: Path) -> Delta:
    """The file's tensors in float32. Raises OperatorError when half of a LoRA pair is missing."""
    from safetensors.torch import load_file  # noqa: PLC0415

    delta = Delta()
    stored = load_file(path)
    tensors = {
        name: tensor.float() * stored[f"{name}{SCALE}"][:, None]
        if f"{name}{SCALE}" in stored
        else tensor.float()
        for name, tensor in stored.items()
        if not name.endswith(SCALE)
    }
    for name, tensor in tensors.items():
        if name.endswith(".lora_A"):
            parameter = name.removesuffix(".lora_A")
            if f"{parameter}.lora_B" not in tensors:
                raise OperatorError(f"{path} holds {name} without its lora_B")
            delta.lora[parameter] = (tensor, tensors[f"{parameter}.lora_B"])
        elif name.endswith(".tail"):
            delta.tail[name.removesuffix(".tail")] = tensor
        elif not name.endswith(".lora_B"):
            delta.whole[name] = tensor
    return delta


def apply_delta(model: Any, delta: Delta) -> None:
    """Changes the model's parameters in place, in its own number format.

    Raises OperatorError when a name or a shape does not fit: another base model.
    """
    import torch  # noqa: PLC0415

    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in delta.whole.items():
            _fitting(parameters, name, tuple(tensor.shape)).copy_(tensor)
        for name, (a, b) in delta.lora.items():
            _fitting(parameters, name, (b.shape[0], a.shape[1])).add_(b @ a)
        for name, rows in delta.tail.items():
            parameter = _fitting(parameters, name, None)
            if rows.shape[1:] != parameter.shape[1:] or len(rows) > len(parameter):
                raise OperatorError(f"the delta's rows do not fit {name}: it was made for another base model")
            parameter[-len(rows) :].copy_(rows)


def _fitting(parameters: dict[str, Any], name: str, shape: tuple[int, ...] | None) -> Any:
    parameter = parameters.get(name)
    if parameter is None or (shape is not None and tuple(parameter.shape) != shape):
        raise OperatorError(f"the delta does not fit {name}: it was made for another base model")
    return parameter
