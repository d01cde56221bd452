"""Every notebook runs from top to bottom, with the outputs that its text describes."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent.parent / "notebooks"
FILES = pytest.mark.parametrize("file", sorted(FOLDER.glob("*.ipynb")), ids=lambda file: file.stem)
# Runs the cells of a notebook in IPython, without a kernel. The first folder that they make is the given one.
CELLS = """
import json, sys, tempfile
import matplotlib
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib_inline.backend_inline import configure_inline_support
from traitlets.config import Config

make_folder, given = tempfile.mkdtemp, [sys.argv[1]]
tempfile.mkdtemp = lambda *place, **named: given.pop() if given else make_folder(*place, **named)
shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
matplotlib.use("module://matplotlib_inline.backend_inline")
matplotlib.interactive(True)
configure_inline_support(shell, matplotlib.get_backend())
values, printed, pictures = [], "", 0
shell.displayhook.write_format_data = lambda data, metadata=None: values.append(data)
for cell in json.load(open(sys.argv[2], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        with capture_output() as shown:
            done = shell.run_cell("".join(cell["source"]))
        done.raise_error()
        printed += shown.stdout
        pictures += sum("image/png" in output.data for output in shown.outputs)
pictures += sum("image/png" in data for data in values)
print(json.dumps([printed, pictures]))
"""


def assert_prints_what_its_text_describes(printed, pictures):
    assert "BLESSED {'accuracy >= 0.97': 'passed'}" in printed
    assert pictures >= 5


@pytest.mark.slow
@FILES
def test_notebook_runs_from_top_to_bottom(file):
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.get("text", "") for output in outputs)
    assert_prints_what_its_text_describes(printed, sum("image/png" in output.get("data", {}) for output in outputs))


@FILES
def test_cells_run_in_order_on_the_results_of_the_pipeline_that_the_notebook_loads(file, warm, digits_root, tmp_path):
    root = shutil.copytree(digits_root, tmp_path / "root")
    done = warm.run(CELLS, root, file, folder=FOLDER, IPYTHONDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    printed, pictures = json.loads(done.stdout.splitlines()[-1])
    assert_prints_what_its_text_describes(printed, pictures)
    # Otherwise the notebook has other settings than pipelines/digits.py.
    assert "'trainer': 'reused'" in printed


@FILES
def test_notebook_holds_its_outputs_and_no_path_of_one_machine(file):
    text = file.read_text()
    assert "image/png" in text
    assert "/tmp/" not in text
    assert "/home/" not in text
