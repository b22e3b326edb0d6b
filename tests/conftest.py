"""Makes tests/support importable as `support`.

Putting tests/ itself on the path would do that, too, but then tests/sake_model and its
neighbours would stand in for the packages that they mirror.
"""

import sys
import types
from pathlib import Path

support = types.ModuleType("support")
support.__path__ = [str(Path(__file__).parent / "support")]
sys.modules["support"] = support
