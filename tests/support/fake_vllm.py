"""A stand-in for the `vllm` command: a process that behaves like it, without a model.

    fake_vllm.py MODE serve MODEL --port PORT …

MODE: `well` answers; `dies` exits at once with a sentence; `mute` never answers; `stubborn`
answers and ignores SIGTERM. `well` and `stubborn` start a child of their own, as vLLM starts
its engine process, and write both process ids into `$FAKE_VLLM_PIDS`.

It has the turnstile's two paths, and answers as the checkpoint does that it holds: by the format, but
`mumbling` without it, `rambling` without an end, `broken` with probabilities that are none;
`unreadable` is not taken, `fatal` takes it down. `$FAKE_VLLM_PIDS.calls` lists what was swapped and opened.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

TOKEN = os.environ.get("SAKE_SUPERVISOR_TOKEN", "")
KEY = f"Bearer {os.environ['VLLM_API_KEY']}" if "VLLM_API_KEY" in os.environ else ""


def note(call: str) -> None:
    with Path(os.environ["FAKE_VLLM_PIDS"] + ".calls").open("a") as file:
        file.write(call + "\n")


class Handler(BaseHTTPRequestHandler):
    holds = ""

    def do_GET(self) -> None:
        well = not Path(os.environ["FAKE_VLLM_PIDS"] + ".unwell").exists()
        self.send_response(200 if well else 503)
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/sake/") and self.headers["sake-supervisor-token"] != TOKEN:
            self._answer(404, {})
        elif self.path.startswith("/v1/") and KEY not in ("", self.headers["Authorization"]):
            self._answer(401, {"error": "Unauthorized"})
        elif self.path == "/sake/swap":
            self._swap(json.loads(body)["folder"])
        elif self.path == "/sake/open":
            note(f"open {json.loads(body)['manifest']['name']}")
            self._answer(200, {"revision": "sha256:" + hashlib.sha256(body).hexdigest()})
        else:
            self._turn(json.loads(body))

    def _swap(self, folder: str) -> None:
        note(f"swap {Path(folder).name}")
        if Path(folder).name == "fatal":
            os._exit(1)
        if Path(folder).name == "unreadable":
            self._answer(500, {"error": "no such file"})
            return
        Handler.holds = Path(folder).name
        self._answer(200, {"withdrawn": 1})

    def _turn(self, request: dict) -> None:
        texts = {"mumbling": "well", "rambling": "<reason>So so so so so"}
        text = texts.get(self.holds, "<reason>So.</reason><answer>[]</answer>")
        choice: dict = {"message": {"content": text}, "finish_reason": "stop"}
        if request.get("logprobs"):
            value = float("nan") if self.holds == "broken" else -0.5
            choice["logprobs"] = {"content": [{"logprob": value}]}
        self._answer(200, {"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    def _answer(self, status: int, body: dict) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

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
    Handler.holds = Path(sys.argv[sys.argv.index("serve") + 1]).name
    note(f"start {Handler.holds}")
    child = subprocess.Popen(["sleep", "3600"])
    Path(os.environ["FAKE_VLLM_PIDS"]).write_text(json.dumps([os.getpid(), child.pid]))
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
