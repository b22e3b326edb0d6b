"""Makes tests/support importable as `support`, and property tests independent of the machine's load.

Putting tests/ itself on the path would do that, too, but then tests/sake_model and its
neighbours would stand in for the packages that they mirror.
"""

import importlib.util
import sys
import types
from pathlib import Path

from hypothesis import HealthCheck, settings

support = types.ModuleType("support")
support.__path__ = [str(Path(__file__).parent / "support")]
sys.modules["support"] = support

# A busy machine is no failure; what hangs is ended by pytest-timeout.
settings.register_profile("sake", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sake")

if importlib.util.find_spec("aiokafka") is None:  # the model environment
    collect_ignore = ["chaos", "console", "deploy", "faults", "hostile", "integration", "security", "workers"]
