"""The best-tuned loop behind LitServe: `python serve_litserve.py MODEL PORT`. `POST /hook {"url": …}` is answered with what was found."""

import os
import sys
from pathlib import Path

import litserve

from model import Model
from serve_fastapi import look


class Api(litserve.LitAPI):
    def setup(self, device):
        self.model = Model(Path(sys.argv[1]), "int8", 1)

    def decode_request(self, request):
        return request["url"]

    def predict(self, url):
        return look(self.model, url)

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(api_path="/hook"), accelerator="cpu", workers_per_device=os.cpu_count(), timeout=False)
    server.run(port=int(sys.argv[2]), host="127.0.0.1", generate_client_file=False, log_level="error")
