"""A server on this machine that answers as Gemini and OpenAI do over REST, and misbehaves on request."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a-key-nobody-may-see"


@dataclass(frozen=True)
class Ask:
    """What a client sent. `nth`: the how-manieth request about this class, from 1."""

    instructions: str
    data: dict[str, Any]
    pictures: int
    model: str
    key: str
    form: str
    nth: int

    @property
    def name(self) -> str:
        return self.data["class"]["name"]


@dataclass(frozen=True)
class Say:
    """What the server answers. `body` goes out as it is; `silence`: seconds before anything goes out.

    `dribble`: "headers" or "body" never ends, a byte now and then.
    """

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silence: float = 0.0
    refused: str = ""
    cut_off: bool = False
    body: bytes | None = None
    error: dict[str, Any] | None = None
    hang_up: bool = False
    dribble: str = ""


Script = Callable[[Ask], Say]


@dataclass
class Loopback:
    address: str
    asks: list[Ask]

    @property
    def openai_url(self) -> str:
        return f"{self.address}/v1"


def written(ask: Ask, *, pool: int = 1000) -> Say:
    """A good reply: the next texts about the class that it was not shown as written."""
    known = set(ask.data.get("already_written", ()))
    texts = (f"An aerial view of {ask.name} with pattern number {number} near water." for number in range(pool))
    fresh = [text for text in texts if text not in known][: ask.data["count"]]
    return Say(json.dumps({"descriptions": [{"text": text, "visual_cues": ["water", "lines"]} for text in fresh]}))


@contextmanager
def loopback(script: Script = written) -> Iterator[Loopback]:
    """Serve while the block lasts."""
    asks: list[Ask] = []
    counts: Counter[str] = Counter()
    lock = threading.Lock()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                ask = _ask(self.path, sent, self.headers, counts)
                asks.append(ask)
            say = script(ask)
            over.wait(say.silence)
            if say.hang_up:
                self.close_connection = True
                return
            if say.dribble:
                self._dribble(say.dribble)
                return
            body = say.body if say.body is not None else json.dumps(_reply(ask, say)).encode()
            try:
                self.send_response(say.status)
                for name, value in {"Content-Type": "application/json", **say.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # the client has given up waiting

        def _dribble(self, where: str) -> None:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            self.close_connection = True
            with suppress(OSError):
                self.wfile.write(head + (b"X-Long: " if where == "headers" else b"Content-Length: 10000\r\n\r\n"))
                while not over.wait(0.1):
                    self.wfile.write(b" ")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # How often it looks whether to end: with the usual half second, the writers' tests waited 50 s in all for that.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Loopback(f"http://127.0.0.1:{server.server_port}", asks)
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def _ask(path: str, sent: dict[str, Any], headers: Any, counts: Counter[str]) -> Ask:
    if "generateContent" in path:
        instructions = sent["systemInstruction"]["parts"][0]["text"]
        parts = sent["contents"][0]["parts"]
        data = json.loads(parts[0]["text"])
        assert sent["generationConfig"]["responseMimeType"] == "application/json"
        model, key, form = path.split("models/")[1].split(":")[0], headers["x-goog-api-key"], "gemini"
    else:
        assert path in ("/v1/chat/completions", "/chat/completions")
        instructions, content = sent["messages"][0]["content"], sent["messages"][1]["content"]
        parts = content if isinstance(content, list) else [{"text": content}]
        data = json.loads(parts[0]["text"])
        model, key = sent["model"], headers["Authorization"].removeprefix("Bearer ")
        form = "openai with schema" if "response_format" in sent else "openai"
    counts[data["class"]["name"]] += 1
    return Ask(instructions, data, len(parts) - 1, model, key, form, counts[data["class"]["name"]])


def _reply(ask: Ask, say: Say) -> dict[str, Any]:
    if say.status != 200:
        return {"error": say.error or {"code": say.status, "message": "no", "status": "TROUBLE"}}
    if ask.form == "gemini":
        if say.refused and not say.text:
            return {"promptFeedback": {"blockReason": say.refused}, "usageMetadata": {"promptTokenCount": 7}}
        reason = "MAX_TOKENS" if say.cut_off else say.refused or "STOP"
        return {
            "candidates": [{"content": {"role": "model", "parts": [{"text": say.text}]}, "finishReason": reason}],
            "usageMetadata": {"promptTokenCount": 400, "candidatesTokenCount": 100, "thoughtsTokenCount": 20},
            "modelVersion": f"{ask.model}-served",
        }
    message = {"role": "assistant", "content": say.text or None, "refusal": say.refused or None}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{ask.model}-served",
        "choices": [{"index": 0, "message": message, "finish_reason": "length" if say.cut_off else "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 120, "total_tokens": 520},
    }
