"""What goes to standard error: one JSON object a line for machines, or a line for people.

A record carries the ids of the span that is running, so that a log line leads to its trace, and
whatever the call gave as `extra`.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, ClassVar, TextIO

import orjson
from opentelemetry import trace

from workers.settings import LogSettings

__all__ = ["JsonFormatter", "PrettyFormatter", "set_up_logging"]

# What every record has; anything else came in as `extra`.
STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}

# Libraries that tell at INFO what only their authors want to know.
TALKATIVE = ("aiokafka", "asyncio", "kafka", "aiohttp.access", "PIL", "faust", "mode", "workers.faust_app")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, trace and extras."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **trace_ids(),
            **extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class PrettyFormatter(logging.Formatter):
    """`12:03:44 warning  message  key=value`, in colour where there is a terminal."""

    COLOURS: ClassVar[dict[str, str]] = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31;1", "DEBUG": "2"}

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback under it."""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        level = record.levelname.lower()
        code = self.COLOURS.get(record.levelname) if self._colour else None
        level = f"\x1b[{code}m{level:7}\x1b[0m" if code else f"{level:7}"
        facts = "".join(f"  {name}={value}" for name, value in {**extras(record), **trace_ids()}.items())
        line = f"{time} {level} {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """What the call gave as `extra`."""
    return {name: value for name, value in record.__dict__.items() if name not in STANDARD}


def trace_ids() -> dict[str, str]:
    """The running span's ids, in hex; nothing when none is running."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def set_up_logging(settings: LogSettings, *, verbose: bool = False, stream: TextIO | None = None) -> None:
    """Sends all logging to `stream` (standard error unless given), as the settings say."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    as_json = settings.format == "json" or (settings.format == "auto" and not terminal)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if as_json else PrettyFormatter(colour=terminal))
    logging.basicConfig(handlers=[handler], level="DEBUG" if verbose else settings.level.upper(), force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
