"""A replacement for docker: `run` starts `kerasvision serve` on the folder that would be mounted."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

STATE = Path(__file__).with_name("state.json")


def main(verb, *words):
    if verb == "image":
        sys.exit(words[1] != "tensorflow/serving")
    if verb == "run":
        mounted = Path(words[words.index("-v") + 1].split(":")[0])
        folder = STATE.parent / "model"
        folder.mkdir()
        (folder / "1").symlink_to(mounted)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        code = "from kerasvision.cli import main; main()"
        with (STATE.parent / "said.txt").open("w") as said:
            command = [sys.executable, "-c", code, "serve", str(folder), "--port", str(port)]
            server = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        STATE.write_text(json.dumps({"port": port, "pid": server.pid}))
        print("container-1")
    elif verb == "port":
        assert words == ("container-1", "8501")
        print(f"127.0.0.1:{json.loads(STATE.read_text())['port']}")
    elif verb == "stop":
        os.kill(json.loads(STATE.read_text())["pid"], signal.SIGTERM)
        (STATE.parent / "stopped").touch()


if __name__ == "__main__":
    main(*sys.argv[1:])
