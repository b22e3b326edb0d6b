"""A stand-in for the `vllm` command: a process that behaves like it, without a model.

    fake_vllm.py MODE serve MODEL --port PORT …

MODE: `well` answers; `dies` exits at once with a sentence; `mute` never answers; `stubborn`
answers and ignores SIGTERM. `well` and `stubborn` start a child of their own, as vLLM starts
its engine process, and write both process ids into `$FAKE_VLLM_PIDS`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        well = not Path(os.environ["FAKE_VLLM_PIDS"] + ".unwell").exists()
        self.send_response(200 if well else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    mode, port = sys.argv[1], int(sys.argv[sys.argv.index("--port") + 1])
    print(f"fake vllm: {mode}", flush=True)
    if mode == "dies":
        sys.exit("no model of that name")
    if mode == "mute":
        time.sleep(3600)
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "3600"])
    Path(os.environ["FAKE_VLLM_PIDS"]).write_text(json.dumps([os.getpid(), child.pid]))
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
