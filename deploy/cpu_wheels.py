"""Local wheels that let vLLM's CPU build install where only CUDA builds of its companions can be had.

    python deploy/cpu_wheels.py OUT_DIR [NAME…]

vLLM for CPU asks for torchvision, torchaudio, torchcodec and (through xgrammar) triton. PyPI has
their CUDA builds only: gigabytes, and torchvision's then fails at import beside a CPU torch.
What Qwen-VL needs of torchvision is its Python part, and nothing of the other three. So:

- torchvision: PyPI's wheel without its compiled operators; the two operator schemas that
  `import torchvision` wants are declared instead;
- torchaudio, torchcodec, triton: empty, nothing can be imported from them;
- vllm: empty. vLLM's command asks for a distribution of its own name and takes "cpu" in its
  version as the platform; the CPU build is published under another name.

`environments.py` makes only those whose real CPU builds pip cannot find.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["SHIMS", "build", "write_wheel"]

TAG = "py3-none-any"
WHEEL_FILE = f"Wheel-Version: 1.0\nGenerator: cpu_wheels\nRoot-Is-Purelib: true\nTag: {TAG}\n"

TORCHVISION = "0.28.0"

SHIMS = {
    "torchvision": f"{TORCHVISION}+cpu.noops",
    "torchaudio": "2.11.0+none",
    "torchcodec": "0.14.0+none",
    "triton": "3.9.0+none",
    "vllm": "0.32.0+cpu",
}
"""Version of each local wheel. The local part keeps pip from taking it for the real one."""

# `import torchvision` registers fake kernels for these two, which must be declared before.
DECLARED_OPERATORS = b"""

if not _has_ops():
    _declared = torch.library.Library("torchvision", "FRAGMENT")
    for _name in ("nms", "qnms"):
        _declared.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def build(out: Path, name: str, python: str = sys.executable) -> Path:
    """The local wheel of this name in `out`. `python`: whose pip downloads what is repacked.

    Raises subprocess.CalledProcessError when torchvision's wheel cannot be downloaded.
    """
    out.mkdir(parents=True, exist_ok=True)
    version = SHIMS[name]
    if name != "torchvision":
        return write_wheel(out, name, version, {})
    with tempfile.TemporaryDirectory() as scratch:
        download = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", scratch]
        subprocess.run([python, *download, f"torchvision=={TORCHVISION}"], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        files = _edited(wheel, _without_compiled_operators)
    return write_wheel(out, name, version, files)


def _without_compiled_operators(name: str, content: bytes) -> bytes | None:
    if ".so" in Path(name).name or name.startswith("torchvision.libs/"):
        return None
    return content + DECLARED_OPERATORS if name == "torchvision/extension.py" else content


def _edited(wheel: Path, edit: Callable[[str, bytes], bytes | None]) -> dict[str, bytes]:
    """The package's files after `edit` (None drops one); its dist-info is written anew."""
    files = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            folder = name.split("/", 1)[0]
            if name.endswith("/") or (folder.endswith(".dist-info") and "LICENSE" not in name):
                continue
            if (content := edit(name, archive.read(name))) is not None:
                files[_licence_path(name) if folder.endswith(".dist-info") else name] = content
    return files


def _licence_path(name: str) -> str:
    return f"torchvision-{SHIMS['torchvision']}.dist-info/licenses/{name.rsplit('/', 1)[1]}"


def write_wheel(out: Path, name: str, version: str, files: dict[str, bytes]) -> Path:
    """A wheel of these files, with the metadata that pip needs; the same input gives the same bytes."""
    info = f"{name}-{version}.dist-info"
    requires = "Requires-Dist: numpy\nRequires-Dist: pillow\n" if name == "torchvision" else ""
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}".encode(),
        f"{info}/WHEEL": WHEEL_FILE.encode(),
    }
    record = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = out / f"{name}-{version}-{TAG}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    return wheel


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    for wanted in sys.argv[2:] or SHIMS:
        print(build(Path(sys.argv[1]), wanted))
