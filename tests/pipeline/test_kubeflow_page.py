"""The YAML, the Dockerfile and the client's calls of docs/how-to/kubeflow.md.

The blocks begin with FROM python:3.11-slim, apiVersion: v1 and import kfp.
"""

import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from kerasvision.pipeline.kubeflow import Containers
from kerasvision.training.devices.cluster import read_cluster

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "kubeflow.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def objects():
    """kind -> the Kubernetes object on the page."""
    return {one["kind"]: one for block in blocks("yaml") for one in yaml.safe_load_all(block)}


def test_the_claim_is_the_one_that_stages_mount_by_default():
    claim = objects()["PersistentVolumeClaim"]
    default = Containers("image", Path("a.py"))
    assert claim["metadata"]["name"] == default.claim
    volume = objects()["Job"]["spec"]["template"]["spec"]["volumes"][0]
    assert volume["persistentVolumeClaim"]["claimName"] == default.claim


def test_the_parts_of_the_job_name_each_other():
    found = objects()
    job, service = found["Job"], found["Service"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    # The pods of an indexed Job are JOB-INDEX.SUBDOMAIN, and the Service of that name finds them by their label.
    assert job["spec"]["completionMode"] == "Indexed"
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]


@pytest.mark.parametrize("index", [0, 1])
def test_each_pod_of_the_job_is_a_worker_of_one_cluster(index, tmp_path):
    job = objects()["Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    program = tmp_path / "kerasvision"
    program.write_text('#!/bin/sh\nprintf "%s\\n%s" "$TF_CONFIG" "$*"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin", "JOB_COMPLETION_INDEX": str(index)}
    command = [*container["command"], *container["args"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    variable, _, arguments = done.stdout.partition("\n")
    cluster = read_cluster({"TF_CONFIG": variable})
    name, port = job["metadata"]["name"], container["ports"][0]["containerPort"]
    assert cluster.addresses == tuple(f"{name}-{number}.{name}:{port}" for number in range(job["spec"]["completions"]))
    assert cluster.number == index
    assert arguments.endswith(f"--root {container['volumeMounts'][0]['mountPath']}")


def test_the_image_installs_with_a_command_that_exists():
    (dockerfile,) = blocks("dockerfile")
    (command,) = re.findall(r"^RUN python (\S+) (\S+)$", dockerfile, re.MULTILINE)
    assert (ROOT / command[0]).is_file()
    spec = importlib.util.spec_from_file_location("install", ROOT / command[0])
    install = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(install)
    assert install.complaint([command[1]]) == ""


@pytest.mark.skipif(importlib.util.find_spec("kfp") is None, reason="requires kfp, which the locked versions do not allow")
def test_the_client_has_the_methods_that_are_called(monkeypatch):
    from unittest import mock

    import kfp

    client = mock.create_autospec(kfp.Client, instance=True)
    client.create_experiment.return_value = SimpleNamespace(experiment_id="7")
    monkeypatch.setattr(kfp, "Client", lambda host: client)
    (code,) = [block for block in blocks("text") if block.startswith("import kfp\n")]
    exec(code, {})
    (experiment, name), options = client.create_recurring_run.call_args
    assert (experiment, options["pipeline_package_path"]) == ("7", "digits.yaml")
    assert json.dumps(name)
