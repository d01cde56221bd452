"""Prints the two stages of test_kubeflow.py as kfp itself compiles them: `python written_by_kfp.py FILE`."""

import sys

from kfp import compiler, dsl, kubernetes

IMAGE = "registry/vision:1"
CALL = ["--root", "/kerasvision", "--run", dsl.PIPELINE_JOB_ID_PLACEHOLDER, "--executor-input", "{{$}}"]


@dsl.container_component
def read_all(examples: dsl.Output[dsl.Dataset]):
    out = ["--out", dsl.ConcatPlaceholder(["examples=", examples.path])]
    return dsl.ContainerSpec(
        image=IMAGE, command=["kerasvision"], args=["stage", "pipelines/digits.py", "read_all", *CALL, *out]
    )


@dsl.container_component
def learn(examples: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model], notes: dsl.Output[dsl.Artifact]):
    read = ["--in", dsl.ConcatPlaceholder(["examples=", examples.path])]
    out = ["--out", dsl.ConcatPlaceholder(["model=", model.path]), "--out", dsl.ConcatPlaceholder(["notes=", notes.path])]
    return dsl.ContainerSpec(
        image=IMAGE, command=["kerasvision"], args=["stage", "pipelines/digits.py", "learn", *CALL, *read, *out]
    )


@dsl.pipeline(name="two-stages")
def two_stages():
    first = read_all().set_caching_options(False)
    second = learn(examples=first.outputs["examples"]).set_caching_options(False)
    second.set_cpu_request("1.5").set_memory_request("3072Mi").set_memory_limit("3072Mi")
    second.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(2)
    for task in (first, second):
        kubernetes.mount_pvc(task, "kerasvision", "/kerasvision")
    kubernetes.use_secret_as_env(second, "hub", {"token": "HUB_TOKEN"})


if __name__ == "__main__":
    compiler.Compiler().compile(two_stages, sys.argv[1])
