"""The exactly-once core: posts in, records out, each input once, whatever crashes.

`run_worker` runs one worker over a `Processor`; `WorkerConfig` says where and how.
"""

from workers.recognise.config import WorkerConfig
from workers.recognise.messages import InMessage, OutMessage, Processor, StagedPostError
from workers.recognise.state import LaneState, Phase, WorkerState
from workers.recognise.worker import Worker, run_worker

__all__ = [
    "InMessage",
    "LaneState",
    "OutMessage",
    "Phase",
    "Processor",
    "StagedPostError",
    "Worker",
    "WorkerConfig",
    "WorkerState",
    "run_worker",
]
