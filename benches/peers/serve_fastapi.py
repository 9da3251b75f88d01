"""The best-tuned loop behind FastAPI: `python serve_fastapi.py MODEL PORT`.

`POST /hook {"id": …, "url": …}` tells of a photo and is answered at once; a pool looks. `GET /done` gives `{id: time}`.
"""

import os
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loops import reduced
from model import Model

CORES = os.cpu_count() or 1


def look(model: Model, url: str) -> dict:
    """Fetches a photo and looks at it; OpenCV wants a file to decode less of it."""
    with tempfile.NamedTemporaryFile(suffix=".jpg", dir="/dev/shm") as file:
        file.write(urllib.request.urlopen(url).read())
        file.flush()
        return model.look(reduced(Path(file.name), model.sizes))


def main(folder: Path, port: int) -> None:
    import uvicorn
    from fastapi import FastAPI

    app, pool, own, done = FastAPI(), ThreadPoolExecutor(CORES), threading.local(), {}
    models = [Model(folder, "int8", 1) for _ in range(CORES)]

    def work(photo: dict) -> None:
        if not hasattr(own, "model"):
            own.model = models.pop()
        look(own.model, photo["url"])
        done[photo["id"]] = time.time()

    @app.post("/hook")
    async def hook(photo: dict):
        pool.submit(work, photo)
        return {}

    @app.get("/done")
    async def all_done():
        return done

    uvicorn.run(app, port=port, log_level="error")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
