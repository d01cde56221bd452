"""Every notebook runs from top to bottom, and prints what its text says.

Executing all of them takes minutes, so the default suite executes the long ones with few steps of each training. Of each it
checks that the parts of kerasvision that its cells name exist and have the named arguments.
"""

import ast
import importlib
import inspect
import json
import shutil
from itertools import takewhile
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
from matplotlib_inline.config import InlineBackend
from traitlets.config import Config

make_folder, given = tempfile.mkdtemp, [sys.argv[1]]
tempfile.mkdtemp = lambda *place, **named: given.pop() if given else make_folder(*place, **named)
shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
matplotlib.use("module://matplotlib_inline.backend_inline")
matplotlib.interactive(True)
configure_inline_support(shell, matplotlib.get_backend())
# Nobody looks at these pictures, and a tight border draws each of them twice.
InlineBackend.instance(parent=shell).print_figure_kwargs = {"bbox_inches": None, "dpi": 20}
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


# The last cell of a notebook with exercises checks the answers that its text hides.
ANSWERED = "all answers are right"
# What 12_a_new_problem prints after its look at the data.
AFTER_THE_DATA = (
    "every simple model is better: True",
    "learned by heart: True",
    "the interval by hand: equal",
    "BLESSED {",
    "ran: ['evaluator', 'pusher']",
    "versions in saved_models/meter: ['1']",
    "nothing ran again: True",
    "the same answer over HTTP: True",
    "two devices train as one does: True",
    ANSWERED,
)
# Notebook -> what its cells print where its text holds.
SAYS = {
    "01_first_model": (
        "score and loss by hand: equal to the evaluator's",
        "BLESSED {'accuracy >= 0.97': 'passed'}",
        ANSWERED,
    ),
    "02_boxes": (
        "IoU: 0.3333333333333333",
        "one pass equals 81 windows",
        "after suppression: the same as ops.suppression.best_boxes",
        "RoI pooling of 30 regions: equal",
        "RoI align of 30 regions: equal",
        "the network's first 5 cover more than the first 5 windows: True",
        "average precision by hand equals the library's",
        ANSWERED,
    ),
    "03_every_pixel": (
        "weights: 104124 and 104124",
        "transposed convolution by hand: equal to Keras' Conv2DTranspose",
        "with the bilinear kernel: the line from one cell to the next",
        "IoU by hand: equal to the library's",
        "finer maps are better: True",
        "pooling with switches and unpooling by hand: equal to ops.unpooling",
        "values that are back in their place: 64 of 64",
        "weights of the transposed convolutions: 7200",
        "the learned enlargement is missed: True",
        ANSWERED,
    ),
    "04_linear_classifiers": (
        "hinge [2.9]  softmax [2.04]",
        "losses and gradients: equal to those of c.Classification",
        "each way is better than the one before: True",
        "five steps of kerasvision's linear: the same weights",
        ANSWERED,
    ),
    "05_backpropagation": (
        "f = -12, dx = -4, dy = -4, dz = 3",
        "half of h, a quarter of the error: 4.00",
        "largest difference of a gradient below 1e-6: True",
        "after 20 steps, largest difference of a weight below 1e-6: True",
        "nearly all digits are read: True",
        "mlp passes: True   the wrong layer passes: False",
        ANSWERED,
    ),
    "06_convolution_by_hand": (
        "float32, stride 3, same : (3, 3, 4)",
        "im2col gives what the loops give",
        "gradients of the convolution: equal to TensorFlow's",
        "pooling, forward and backward: equal",
        "batch normalisation, forward and backward: equal",
        "dropout with Keras' mask: equal",
        "loss and gradients of the whole network: equal to Keras'",
        "nearly all digits are read: True",
        ANSWERED,
    ),
    "07_optimisation": (
        "at 0.102 the steps grow: True  at 2/21 both shrink by 19/21 each step",
        *(f"{name}: the 40 places of Keras'" for name in ("SGD", "momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam")),
        "momentum is ahead of SGD: True",
        "the lowest and the highest are worst: True",
        "the falling rate ends below a tenth of the other's loss: True",
        "the cosine with warm-up by hand: equal",
        "the noise falls with 1 / B: True",
        ANSWERED,
    ),
    "08_initialisation": (
        "at 0.01 each layer makes the deviation 0.14 of what it was",
        "deviations of kerasvision's initializations are those of the formulas",
        "mean, deviation and dead share of all ten layers: as by hand",
        "he keeps the gradient, sigmoid loses it: True",
        "all 16 units of the first layer are the same: True",
        "a high rate kills units: True",
        "with normalisation all three learn: True  without it, 0.01 does not: True",
        ANSWERED,
    ),
    "09_the_networks": (
        "alexnet_2012: 60,965,224 weights, 724,406,816 multiply-adds, the last map sees 195 x 195 pixels",
        "by hand and by the library: equal",
        "all see 7 x 7 pixels; three 3x3 have 27/49 of the weights and of the multiply-adds",
        "a 1x1 convolution is a dense layer at every pixel: equal",
        "GoogLeNet: 6,998,552 weights, equal to the library's",
        "AlexNet has 8.7 times as many weights",
        "by hand and resnet20: the same scores; plain or residual: 269,722 weights",
        "the deepest plain network is worse than the shallowest: True",
        "the deepest residual network is better than the plain one: True",
        "the gradient grows more in the plain network: True",
        "DenseNet-121: 7,978,856 weights by hand, as published; the channels of each layer: equal to the library's",
        "the loss of the mean is below the mean of the losses: True",
        ANSWERED,
    ),
    "10_recurrent_networks": (
        "RNN: the gradients are the measured slopes",
        "RNN, forward and backward: equal to Keras' SimpleRNN",
        "hell -> ello",
        "without tanh the length is radius ** steps",
        "clipping: equal to that of c.Training(clip_norm=...)",
        "LSTM, forward and backward: equal to Keras' LSTM",
        "the cell keeps sigmoid(bias) of its gradient at each step",
        "the LSTM remembers the first symbol: True",
        "the RNN does not: True",
        "GRU, forward: equal to Keras' GRU",
        "all three cells: equal to kerasvision's",
        "an unseen letter costs less than a third of a guess: True",
        "the colder, the more real words: True",
        "more than half of them are true: True",
        "greedy    a cross   0.20\nbeam of 2 the star  0.36",
        "on average, the beam's sentence is at least as likely: True",
        "sentences and their attention by hand: equal to those of the library",
        "the network looks more at what it names: True",
        ANSWERED,
    ),
    "11_without_labels": (
        "40 axes and their variances by hand: equal to the SVD's, scikit-learn's and the library's",
        "ZCA whitening: equal to c.ZcaWhitening; PCA whitening: equal to scikit-learn's",
        "k-means by hand: the centers of scikit-learn's\nthe loss never rises: True",
        "silhouette of the library's ten groups by hand: equal",
        "t-SNE keeps more neighbours than two axes: True",
        "PCA is where a linear autoencoder has nothing left to learn: True",
        "the autoencoder beats PCA with 2 and with 8 numbers: True",
        "the network removes more noise than PCA: True",
        "both parts of the loss and all gradients: equal to those of c.Generation",
        "the divergence, solved 1.443, and from draws: equal within 0.01: True",
        "no new digit is a copy: True",
        "the losses of the game and both gradients: equal to those of c.Generation",
        "a slow discriminator lets the generator collapse: True  a fast one leads it to the real numbers: True",
        "fourteen noises, fourteen images: True",
        "colour histogram: equal to NumPy's; HOG: equal to the library's; 324 numbers of an image",
        "for shapes HOG is the best description by hand, for colours the histogram: True",
        "the network is better at shapes than all of them: True",
        ANSWERED,
    ),
    "12_a_new_problem": (
        "verdict: warn  left out: 2",
        "warning contradiction: 2 images are under two labels",
        "verdict: pass  left out: 0",
        *AFTER_THE_DATA,
    ),
}
# The fewest pictures that a notebook shows.
PICTURES = 4
# Those that take more than about 10 s are also executed for a few steps of each training, without a graph. Then a figure may
# be another one: notebook -> what is replaced, and which of the lines above then need not be true.
IN_SHORT = {
    "02_boxes": (
        ("SCENES, JUDGED, EPOCHS = 400, 200, 16", "SCENES, JUDGED, EPOCHS = 16, 4, 1"),
        ("the network's first 5 cover more than the first 5 windows: True",),
    ),
    "03_every_pixel": (
        ("SCENES, EPOCHS = 640, 10", "SCENES, EPOCHS = 16, 1"),
        ("finer maps are better: True", "the learned enlargement is missed: True"),
    ),
    "04_linear_classifiers": (
        ("SCENES, TRIES = 1600, 1000", "SCENES, TRIES = 100, 50"),
        ("each way is better than the one before: True",),
    ),
    "07_optimisation": (
        ("EPOCHS = 30", "EPOCHS = 11"),
        ("the lowest and the highest are worst: True", "the falling rate ends below a tenth of the other's loss: True"),
    ),
    "08_initialisation": (
        ("EPOCHS, SEEN = 12, 1400", "EPOCHS, SEEN = 1, 100"),
        ("a high rate kills units: True", "with normalisation all three learn: True  without it, 0.01 does not: True"),
    ),
    "09_the_networks": (
        (
            "COUNT, DEPTHS, IMAGES, EPOCHS, MEMBERS = 8, (8, 20, 32), 1000, 10, 5",
            "COUNT, DEPTHS, IMAGES, EPOCHS, MEMBERS = 1, (8,), 100, 1, 2",
        ),
        (
            "the deepest plain network is worse than the shallowest: True",
            "the deepest residual network is better than the plain one: True",
            "the gradient grows more in the plain network: True",
        ),
    ),
    "10_recurrent_networks": (
        ("STEPS, SCENES, EPOCHS = 450, 2400, 8", "STEPS, SCENES, EPOCHS = 10, 32, 1"),
        (
            "the LSTM remembers the first symbol: True",
            "the RNN does not: True",
            "an unseen letter costs less than a third of a guess: True",
            "the colder, the more real words: True",
            "more than half of them are true: True",
            "on average, the beam's sentence is at least as likely: True",
            "the network looks more at what it names: True",
        ),
    ),
    "11_without_labels": (
        ("GAN_EPOCHS, SCENES = 1400, 32, 24, 1600", "GAN_EPOCHS, SCENES = 100, 1, 1, 50"),
        (
            "the autoencoder beats PCA with 2 and with 8 numbers: True",
            "the network removes more noise than PCA: True",
            "fourteen noises, fourteen images: True",
            "for shapes HOG is the best description by hand, for colours the histogram: True",
            "the network is better at shapes than all of them: True",
        ),
    ),
    "12_a_new_problem": (("PHOTOS, EPOCHS = 900, 40", "PHOTOS, EPOCHS = 150, 40"), AFTER_THE_DATA),
}
# Of a notebook whose later cells start processes, only those before this heading are executed in short.
UNTIL = {"12_a_new_problem": "## What is easy?"}
EAGERLY = "import tensorflow as tf\ntf.config.run_functions_eagerly(True)\n"


@pytest.mark.slow
@FILES
def test_notebook_runs_from_top_to_bottom(file):
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    printed = "".join(output.get("text", "") for output in outputs)
    assert [line for line in SAYS[file.stem] if line not in printed] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= PICTURES
    # The page of the notebook is for readers of any machine.
    assert [place for place in ("/tmp/", "/home/", str(FOLDER.parent)) if place in nbformat.writes(notebook)] == []


@FILES
def test_no_output_is_stored(file):
    cells = code_cells(nbformat.read(file, as_version=4))
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}


@FILES
def test_what_the_cells_name_of_the_package_is_there(file):
    code = "\n".join(cell.source for cell in code_cells(nbformat.read(file, as_version=4)))
    assert len(names_of_the_package(ast.parse(code))) >= 3


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("from kerasvision import config as c\nc.Traning(epochs=1)", "Traning"),
        ("from kerasvision import config as c\nc.Training(epoch=1)", "epoch"),
        ("from kerasvision.ops import boxes\nboxes.iou_of_all(1, 2)", "iou_of_all"),
        ("from kerasvision.ops.boxes import iou_of_all", "iou_of_all"),
        ("import kerasvision.operations", "operations"),
    ],
)
def test_a_name_that_is_not_there_would_be_noticed(code, missing):
    with pytest.raises((AttributeError, ImportError, AssertionError), match=missing):
        names_of_the_package(ast.parse(code))


def test_cells_run_in_order_on_the_results_of_the_pipeline_that_the_notebook_loads(warm, digits_root, tmp_path):
    root = shutil.copytree(digits_root, tmp_path / "root")
    printed, pictures = cells_in_order(FOLDER / "01_first_model.ipynb", warm, root, tmp_path)
    assert [line for line in SAYS["01_first_model"] if line not in printed] == []
    assert pictures >= PICTURES
    # Otherwise the notebook has other settings than pipelines/digits.py.
    assert "'trainer': 'reused'" in printed


@pytest.mark.parametrize("name", [name for name in SAYS if name not in (*IN_SHORT, "01_first_model")])
def test_cells_run_in_order_and_show_what_the_text_says(name, warm, tmp_path):
    printed, pictures = cells_in_order(FOLDER / f"{name}.ipynb", warm, tmp_path, tmp_path)
    assert [line for line in SAYS[name] if line not in printed] == []
    assert pictures >= PICTURES


@pytest.mark.parametrize("name", IN_SHORT)
def test_cells_run_in_order_with_few_steps_of_each_training(name, warm, tmp_path):
    (before, after), without = IN_SHORT[name]
    text = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    assert before in text
    notebook = json.loads(text.replace(before, after))
    cells = takewhile(lambda cell: name not in UNTIL or UNTIL[name] not in "".join(cell["source"]), notebook["cells"])
    notebook["cells"] = [{"cell_type": "code", "source": EAGERLY}, *cells]
    short = tmp_path / f"{name}.ipynb"
    short.write_text(json.dumps(notebook), encoding="utf-8")
    printed, pictures = cells_in_order(short, warm, tmp_path, tmp_path)
    assert [line for line in SAYS[name] if line not in printed and line not in without] == []
    assert pictures >= (1 if name in UNTIL else PICTURES)


def cells_in_order(file, warm, root, folder):
    """What the cells of a notebook print, and how many pictures they show."""
    done = warm.run(CELLS, root, file, folder=FOLDER, IPYTHONDIR=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def names_of_the_package(tree):
    """The parts of kerasvision that code imports, by their name there; an error if a part or argument does not exist."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name.startswith("kerasvision"):
                    known[one.asname or "kerasvision"] = importlib.import_module(one.name)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("kerasvision"):
            for one in node.names:
                known[one.asname or one.name] = imported(node.module, one.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = part(node.func, known)
            of_ours = inspect.isclass(called) or inspect.isfunction(called)
            accepted = inspect.signature(called).parameters if of_ours else {}
            if of_ours and not any(each.kind == each.VAR_KEYWORD for each in accepted.values()):
                assert [word.arg for word in node.keywords if word.arg and word.arg not in accepted] == [], ast.unparse(node)
        part(node, known)
    return known


def imported(module, name):
    """What `from module import name` gives."""
    parent = importlib.import_module(module)
    return getattr(parent, name) if hasattr(parent, name) else importlib.import_module(f"{module}.{name}")


def part(node, known):
    """The part of the package that an expression like `c.Training` names; None for every other expression."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    parent = part(node.value, known) if isinstance(node, ast.Attribute) else None
    return None if parent is None else getattr(parent, node.attr)


def test_every_notebook_is_known():
    assert {file.stem for file in FOLDER.glob("*.ipynb")} == {*SAYS}
