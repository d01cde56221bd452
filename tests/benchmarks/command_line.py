"""How fast the command line answers: medians over whole processes that take turns.

python tests/benchmarks/command_line.py [ROUNDS]
"""

import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS = {
    "--help": ["--help"],
    "settings": ["settings", "training.optimizer"],
    "plan, nothing there": ["plan", "pipelines/digits.py", "--root", "EMPTY"],
    "plan, all there": ["plan", "pipelines/digits.py", "--root", "ROOT"],
    "second run": ["run", "pipelines/digits.py", "--root", "ROOT"],
}


def seconds(arguments: list[str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-c", "from kerasvision.cli import main; main()", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as empty:
        places = {"ROOT": root, "EMPTY": empty}
        first = seconds(["run", "pipelines/digits.py", "--root", root])
        print(f"first run, from nothing: {first:.1f} s")
        times: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, command in COMMANDS.items():
                times[name].append(seconds([places.get(word, word) for word in command]))
    for name, values in times.items():
        print(f"{name}: median {statistics.median(values):.2f} s, {min(values):.2f} to {max(values):.2f} (n={rounds})")


if __name__ == "__main__":
    main()
