"""Services under load: photos that come at times that know nothing of each other, and all at once."""

import functools
import http.client
import http.server
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECRET = "0123456789abcdef0123456789abcdef"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def tree(pid: int) -> list[int]:
    """A process and all that it started."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        children += [int(child) for child in (task / "children").read_text().split()]
    return [pid] + [p for child in children for p in tree(child)]


def cpu_s(pids: list[int]) -> float:
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def most_memory_mb(pids: list[int]) -> float:
    return sum(int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) for pid in pids) / 1000


class Service:
    """A process that answers HTTP. Those that come after say what a photo is told of with and when it is through."""

    def __init__(self, command: list, port: int, ready: str, env: dict | None = None):
        self.port, started = port, time.perf_counter()
        self.process = subprocess.Popen(
            [str(part) for part in command], env={**os.environ, **(env or {})}, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        while not self.answers(ready):
            if self.process.poll() is not None or time.perf_counter() - started > 120:
                raise RuntimeError(f"{command[0]} did not come up")
            time.sleep(0.005)
        self.cold_ms = (time.perf_counter() - started) * 1000

    def answers(self, path: str) -> bool:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5).status == 200
        except OSError:
            return False

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def post(self, path: str, body: dict, headers: dict) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{path} answered {answer.status}")


class Python(Service):
    """FastAPI or LitServe, with the photos on a file server of ours."""

    def __init__(self, name: str, python: str, model: Path, photos: Path):
        handler = functools.partial(Quiet, directory=str(photos))
        self.files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.files.serve_forever, daemon=True).start()
        self.urls = [f"http://127.0.0.1:{self.files.server_port}/{p.name}" for p in sorted(photos.glob("*.jpg"))]
        self.waits, port = name == "litserve", free_port()
        self.through: dict[str, float] = {}
        command = [python, HERE / f"serve_{name}.py", model, port]
        super().__init__(command, port, "/health" if self.waits else "/done")

    def photo(self, number: int) -> str:
        return uuid.uuid4().hex + f"-{number}"

    def tell(self, photo: str) -> None:
        self.post("/hook", {"id": photo, "url": self.urls[int(photo.rpartition("-")[2]) % len(self.urls)]}, {})
        self.through[photo] = time.time()

    def done(self) -> dict[str, float]:
        if self.waits:
            return dict(self.through)
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.port}/done"))

    def stop(self) -> None:
        super().stop()
        self.files.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Ours(Service):
    """`punchlens serve` against `punchlens simulate`, which has the photos; its hooks are told by hand."""

    def __init__(self, punchlens: str, model: Path, photos: Path, env: dict):
        self.folder, self.files = tempfile.TemporaryDirectory(), sorted(photos.glob("*.jpg"))
        self.api, port = free_port(), free_port()
        self.simulator = subprocess.Popen(
            [punchlens, "simulate", "--listen", f"127.0.0.1:{self.api}", "--no-limits"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=self.folder.name,
        )
        told = ""
        while "project =" not in told:
            told += self.simulator.stdout.readline()
        threading.Thread(target=self.simulator.stdout.read, daemon=True).start()
        sections = told[told.index("[procore]"):] + 'mode = "shadow"\n'
        self.config = Path(self.folder.name) / "punchlens.toml"
        self.config.write_text(
            f'{sections}[webhook]\npublic_url = "http://127.0.0.1:{port}/procore/events"\nauthorization = "{SECRET}"\n'
            f'[store]\npath = "{self.folder.name}/p.db"\n[http]\nlisten = "127.0.0.1:{port}"\n'
            f'[inference]\nmodel = "{model}"\n'
        )
        super().__init__([punchlens, "serve", "--config", self.config], port, "/readyz", env)

    def photo(self, number: int) -> str:
        """Uploads one; nobody is told."""
        file = self.files[number % len(self.files)]
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="photo"; filename="{file.name}"\r\nContent-Type: image/jpeg\r\n\r\n'
        body = head.encode() + file.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.api}/simulator/photos", body)
        request.add_header("Content-Type", f"multipart/form-data; boundary={edge}")
        return re.search(r"\d+", urllib.request.urlopen(request).read().decode()).group()

    def tell(self, photo: str) -> None:
        event = {
            "id": uuid.uuid4().hex, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()),
            "reason": "create", "company_id": "8", "project_id": "6778", "user_id": "160586",
            "resource_type": "Images", "resource_id": photo,
        }
        self.post("/procore/events", event, {"Authorization": SECRET})

    def done(self) -> dict[str, float]:
        base = sqlite3.connect(f"file:{self.folder.name}/p.db?mode=ro", uri=True)
        rows = base.execute("SELECT image, recorded_at FROM photos WHERE state = 'analysed'").fetchall()
        base.close()
        return {str(image): at / 1000 for image, at in rows}

    def stop(self) -> None:
        super().stop()
        self.simulator.kill()
        self.simulator.wait()
        self.folder.cleanup()


def offer(service: Service, times: list[float], patience_s: float) -> dict:
    """Tells of a photo at each of `times`; how long answers took, and how long photos until they were through, both from when they were due."""
    photos = [service.photo(number) for number in range(len(times))]
    pids = tree(service.process.pid)
    cpu, began, answered = cpu_s(pids), time.time() + 0.05, {}

    def tell(photo: str, at: float) -> None:
        time.sleep(max(0.0, began + at - time.time()))
        service.tell(photo)
        answered[photo] = time.time()

    with ThreadPoolExecutor(len(times)) as senders:
        told = [senders.submit(tell, photo, at) for photo, at in zip(photos, times)]
    [one.result() for one in told]
    while len((done := service.done()).keys() & answered.keys()) < len(photos) and time.time() < began + times[-1] + patience_s:
        time.sleep(0.1)
    due = {photo: began + at for photo, at in zip(photos, times)}
    latencies = lambda at: sorted((at[photo] - due[photo]) * 1000 if photo in at else float("inf") for photo in photos)
    rank = lambda values, p: values[max(0, int(len(values) * p + 0.999999) - 1)]
    ack, through = latencies(answered), latencies(done)
    return {
        "ack_p50_ms": rank(ack, 0.5), "ack_p99_ms": rank(ack, 0.99), "through_p99_ms": rank(through, 0.99),
        "photos_per_s": len(photos) / max(through[-1] / 1000, 1e-3),
        "cpu_ms": (cpu_s(pids) - cpu) * 1000 / len(photos), "peak_mb": most_memory_mb(pids),
    }


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    chance, at, times = random.Random(seed), 0.0, []
    while (at := at + chance.expovariate(rate)) < seconds or not times:
        times.append(at)
    return times


def measure(service: Service, burst: int, seconds: float, bound_ms: float, trials: int) -> dict:
    """A burst, then hooks at twice the rate that it went through with, so that every core looks at photos meanwhile; then the highest rate at which p99 is through within the bound."""
    offer(service, [0.0] * 4, 60)
    result = {"cold_ms": service.cold_ms, **offer(service, [0.0] * burst, 120)}
    low, high = 0.0, result["photos_per_s"]
    busy = offer(service, arrivals(2 * high, seconds, 6), 120)
    for trial in range(trials):
        rate = (low + high) / 2
        got = offer(service, arrivals(rate, seconds, trial), 5 + bound_ms / 1000)
        low, high = (rate, high) if got["through_p99_ms"] <= bound_ms else (low, rate)
        # What is left over from a rate too high must not meet the next one.
        time.sleep(1.0)
    return {**result, "server_photos_per_s": low, "busy_ack_p99_ms": busy["ack_p99_ms"]}
