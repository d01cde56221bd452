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
from kerasvision.tuning.role import read_role

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "kubeflow.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def object_of(kind, name):
    """A Kubernetes object on the page."""
    found = [one for block in blocks("yaml") for one in yaml.safe_load_all(block) if one["kind"] == kind]
    (one,) = [one for one in found if one["metadata"]["name"] == name]
    return one


def printed_by(job, tmp_path, *, index, variables):
    """Environment variables and the arguments that a pod of a Job gives to kerasvision, a line each."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    program = tmp_path / "kerasvision"
    program.write_text('#!/bin/sh\nprintf "%s\\n" ' + " ".join(f'"${name}"' for name in variables) + ' "$*"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin", "JOB_COMPLETION_INDEX": str(index)}
    command = [*container["command"], *container["args"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["flowers", "search"])
def test_the_claim_is_the_one_that_stages_mount_by_default(name):
    claim = Containers("image", Path("a.py")).claim
    assert object_of("PersistentVolumeClaim", claim)["spec"]["accessModes"]
    volume = object_of("Job", name)["spec"]["template"]["spec"]["volumes"][0]
    assert volume["persistentVolumeClaim"]["claimName"] == claim


@pytest.mark.parametrize("name", ["flowers", "search"])
def test_the_parts_of_a_job_name_each_other(name):
    job, service = object_of("Job", name), object_of("Service", name)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    # The pods of an indexed Job are JOB-INDEX.SUBDOMAIN, and the Service of that name finds them by their label.
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]


@pytest.mark.parametrize("index", [0, 1])
def test_each_pod_of_the_job_is_a_worker_of_one_cluster(index, tmp_path):
    job = object_of("Job", "flowers")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    variable, arguments = printed_by(job, tmp_path, index=index, variables=["TF_CONFIG"])
    cluster = read_cluster({"TF_CONFIG": variable})
    port = container["ports"][0]["containerPort"]
    assert cluster.addresses == tuple(f"flowers-{number}.flowers:{port}" for number in range(job["spec"]["completions"]))
    assert cluster.number == index
    assert arguments.endswith(f"--root {container['volumeMounts'][0]['mountPath']}")


@pytest.mark.parametrize(("index", "name"), [(0, "chief"), (1, "worker1"), (2, "worker2")])
def test_each_pod_of_the_search_has_a_role_and_the_first_is_the_chief(index, name, tmp_path):
    job = object_of("Job", "search")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    variables = ["KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"]
    *values, arguments = printed_by(job, tmp_path, index=index, variables=variables)
    role = read_role(dict(zip(variables, values, strict=True)))
    assert (role.name, role.is_chief) == (name, index == 0)
    assert role.address == f"search-0.search:{container['ports'][0]['containerPort']}"
    assert arguments.split()[0] == "tune"


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
