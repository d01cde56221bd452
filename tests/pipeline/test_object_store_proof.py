"""Artifacts travel through an S3 server: moto's, on this machine, with s3fs.

Both packages are installed into an environment of its own, which also sees the packages of this one.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from kerasvision.pipeline.store import opened

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]  # downloads 60 MB, and trains
# Two epochs, and little of what follows.
SHORT = [
    "training.epochs=2",
    "gate.rules.0.value=0.1",
    "evaluation.resamples=100",
    "evaluation.slices=[]",
    "serving.canary_examples=64",
]
OVERRIDES = [word for setting in SHORT for word in ("--set", setting)]
SERVE = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
MAIN = ("-c", "from kerasvision.cli import main; main()")
# Counts requests by their kind: what is sent or read again would show here.
COUNTED = """
import json, sys
from collections import Counter
import s3fs
from kerasvision.errors import StoreError
from kerasvision.pipeline import object_store
from kerasvision.pipeline.artifacts import Model
from kerasvision.pipeline.copies import CopyRecord, DamagedCopy, download, read_copy, remove_copy, upload
from kerasvision.pipeline.object_store import ObjectStore
from pathlib import Path

calls = Counter()
plain = s3fs.S3FileSystem._call_s3

async def counted(self, method, *words, **options):
    calls[method] += 1
    return await plain(self, method, *words, **options)

s3fs.S3FileSystem._call_s3 = counted
object_store.WAITS_SECONDS = (0.0, 0.0, 0.0)
folder = Path(sys.argv[1])
(folder / "deep" / "empty").mkdir(parents=True)
(folder / "deep" / "two words ü%+.bin").write_bytes(bytes(range(256)) * 40_000)
(folder / "none.txt").write_bytes(b"")
model, store = Model(folder), ObjectStore("s3://bucket/raw")
record = CopyRecord.of(model, about={"type": "Model"})
found = {}

def step(name, does):
    calls.clear()
    try:
        answer = does()
    except (StoreError, DamagedCopy) as error:
        answer = str(error)
    found[name] = [answer, dict(sorted(calls.items()))]

name = f"{record.digest}.json"
step("upload", lambda: upload(model, record, store, name=name))
step("again", lambda: upload(model, record, store, name=name))
step("record", lambda: read_copy(store, name) == record)
(folder / "back").mkdir()
step("download", lambda: download(record, store, folder / "back"))
found["equal"] = CopyRecord.of(Model(folder / "back"), about={}).digest == record.digest
found["folders"] = (folder / "back" / "deep" / "empty").is_dir()
store.remove(name)
store.write(f"{record.digest}/deep/two words ü%+.bin", b"half")
step("rest", lambda: upload(model, record, store, name=name))
store.write(f"{record.digest}/none.txt", b"x")
(folder / "other").mkdir()
step("damaged", lambda: download(record, store, folder / "other"))
step("remove", lambda: remove_copy(f"{store.address}/{record.digest}"))
step("left", lambda: store.sizes(""))
step("no bucket", lambda: ObjectStore("s3://nowhere/x").write("a", b""))
print("FOUND" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Runs a program with s3fs and the addresses of a server with an empty bucket; `python.folder` is a folder."""
    folder = tmp_path_factory.mktemp("objects")
    interpreter = folder / "venv" / "bin" / "python"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    packages = [one for one in extras["objects"] if one.startswith("s3fs")]
    subprocess.run(
        ["uv", "pip", "install", "--quiet", "--python", interpreter, "moto[server]>=5.2,<6", *packages], check=True
    )
    # The packages of this environment come last.
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "these.pth").write_text(sysconfig.get_path("purelib") + "\n")
    with subprocess.Popen([interpreter, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as served:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{int(served.stdout.readline())}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

        def run(*words, code=0):
            command = [interpreter, *map(str, words)]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == code, done.stdout[-4000:] + done.stderr[-4000:]
            return done.stdout + done.stderr

        run("-c", "import s3fs; s3fs.S3FileSystem().mkdir('bucket')")
        run.folder = folder
        # The server ends when its input does.
        yield run


def test_a_copy_in_s3_is_whole_or_not_there_and_is_read_without_a_list(python):
    found = json.loads(python("-c", COUNTED, python.folder / "raw").partition("FOUND")[2])
    assert found["upload"][0] is None
    assert not {"put_object", "list_objects_v2"} & set(found["again"][1])
    assert found["record"][0] is True
    assert "list_objects_v2" not in found["download"][1]
    assert (found["equal"], found["folders"]) == (True, True)
    # Only the file of which a half was there, and the record: 10 MB go in one request.
    assert found["rest"][1]["put_object"] == 2
    assert found["damaged"][0] == "its file none.txt has other content"
    assert found["left"][0] == {}
    assert "s3://nowhere/x/a cannot be written: FileNotFoundError" in found["no bucket"][0]


def artifacts_of(root):
    """stage.output -> artifact of the newest run, and the outcome of its stage."""
    with opened(root / "runs", read_only=True) as store:
        run, *_ = store.runs()
        executions = store.executions(run)
        return {f"{one.node}.{key}": (made, one.outcome) for one in executions for key, made in one.outputs.items()}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def machine_a(python):
    """The root of a run whose artifacts were copied to S3, and the bytes that they had there."""
    root = python.folder / "a"
    arguments = (*OVERRIDES, "--set", "object_store=s3://bucket/artifacts", "--root", root)
    python(*MAIN, "run", "pipelines/digits.py", *arguments)
    return root, {name: contents(made.uri) for name, (made, _) in artifacts_of(root).items()}


def test_a_machine_without_artifacts_fetches_all_and_executes_nothing(python, machine_a):
    root, before = machine_a
    assert len(before) == 12
    # The disk of machine A is emptied; machine B gets a copy of its store and of what it has pushed.
    shutil.rmtree(root / "runs" / "artifacts")
    other = python.folder / "b"
    (other / "runs").mkdir(parents=True)
    shutil.copy(root / "runs" / "metadata.sqlite", other / "runs")
    shutil.copytree(root / "saved_models", other / "saved_models")
    shown = python(*MAIN, "plan", "pipelines/digits.py", *OVERRIDES, "--root", other)
    assert shown.count("is fetched from") == 12
    python(*MAIN, "run", "pipelines/digits.py", *OVERRIDES, "--root", other)
    after = artifacts_of(other)
    assert {outcome for _, outcome in after.values()} == {"reused"}
    assert {name: contents(made.uri) for name, (made, _) in after.items()} == before
    # Nothing was pushed again.
    assert [path.name for path in (other / "saved_models" / "digits").iterdir() if path.name.isdigit()] == ["1"]


def test_removal_empties_the_bucket_of_what_nothing_needs(python, machine_a):
    root, _ = machine_a
    shutil.rmtree(root / "saved_models", ignore_errors=True)
    sizes = (
        "from kerasvision.pipeline.object_store import ObjectStore as O; print(len(O('s3://bucket/artifacts').sizes('')))"
    )
    before = int(python("-c", sizes))
    shown = python(*MAIN, "runs", "gc", "--keep", 0, "--root", root)
    assert "copies in object stores: " in shown
    assert int(python("-c", sizes)) == before
    python(*MAIN, "runs", "gc", "--keep", 0, "--delete", "--root", root)
    assert int(python("-c", sizes)) < before


def test_stages_pass_artifacts_through_s3(python):
    first, second = python.folder / "first", python.folder / "second"
    address = "s3://bucket/exchange/examples"
    stage = ("stage", "pipelines/digits.py")
    python(*MAIN, *stage, "example_gen", "--out", f"examples={address}", "--root", first)
    out = f"statistics={python.folder}/statistics"
    python(*MAIN, *stage, "statistics_gen", "--in", f"examples={address}", "--out", out, "--root", second)
    with opened(second / "runs", read_only=True) as store:
        received = store.earlier_outputs("digits", "example_gen-examples-received")[0][1]["examples"]
    with opened(first / "runs", read_only=True) as store:
        made = store.earlier_outputs("digits", "example_gen")[0][1]["examples"]
    assert contents(received.uri) == contents(made.uri)
    said = python(*MAIN, *stage, "statistics_gen", "--in", "examples=s3://bucket/empty", "--root", second, code=3)
    assert "s3://bucket/empty must contain artifact.json" in said
    said = python(*MAIN, *stage, "schema_gen", "--in", f"statistics={address}", "--root", second, code=3)
    assert f"statistics_gen.statistics is ExampleStatistics; {address} contains Examples" in said
