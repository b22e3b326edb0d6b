"""The local index: built once from packages that carry their licence, then read offline."""

from sake_model.search.index.build import BuildReport, build_index, index_path

__all__ = ["BuildReport", "build_index", "index_path"]
