"""Docstrings give the shape and the dtype of tensors: at least nine of ten public functions that take or return them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEAST_SHARE = 0.9
TENSORS = {"Tensor", "RaggedTensor", "KerasTensor", "ndarray", "NDArray", "Tensors"}
# A function of tensors is not a tensor, and a literal is not a type.
NO_TENSORS = {"Callable", "Literal", "Annotated"}

# "(N, H, W, C)", "(4,)", "(N, ceil(H / 2), T = length + 1)", "(...)", "(..., V)", "scalar", "of the same shape".
_OPERAND = r"(?:\w+'?|\w*\([^()]*\))"
_LENGTH = rf"(?:\.\.\.|{_OPERAND}(?:\s*[-+*/=]+\s*{_OPERAND})*)"
SHAPE = re.compile(rf"\({_LENGTH},(?:\s+{_LENGTH},?)*\)|\(\.\.\.\)|\bscalars?\b|\bshapes?\b")
DTYPE = re.compile(r"\b(?:b?float(?:16|32|64)|u?int(?:8|16|32|64)|bool|string|complex64|(?:any(?: numeric)?|same) d?type)\b")


def public_modules() -> dict[str, ast.Module]:
    """Module -> its syntax tree."""
    trees = {}
    for file in sorted((ROOT / "kerasvision").rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if "._" not in name:
            trees[name] = ast.parse(file.read_text("utf-8"))
    return trees


def names_in(annotation: ast.AST | None) -> Iterator[str]:
    """The names of types in an annotation, also in one that is quoted."""
    match annotation:
        case ast.Constant(value=str(text)):
            yield from names_in(ast.parse(text, mode="eval"))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            yield name
        case ast.Subscript(value=ast.Name(id=name)) if name in NO_TENSORS:
            return
        case ast.AST():
            for child in ast.iter_child_nodes(annotation):
                yield from names_in(child)


def tensor_names(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Module -> the names of tensors in it: TENSORS, and aliases such as `Batch = Mapping[str, tf.Tensor]`."""
    found: dict[str, set[str]] = {}
    for module, tree in trees.items():
        found[module] = set(TENSORS)
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=alias)], value=ast.Subscript()) if TENSORS & set(names_in(node.value)):
                    found[module].add(alias)
    for module, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module in found:
                found[module] |= {name.name for name in node.names} & found[node.module]
    return found


def public_functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """(name, definition, docstring) of functions and methods; a method's docstring includes that of its class."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method, f"{ast.get_docstring(method)}\n{ast.get_docstring(node)}"


def annotations(function: ast.FunctionDef) -> Iterator[ast.expr | None]:
    """The annotations of all parameters and of the result."""
    yield function.returns
    parameters = function.args
    for one in (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs, parameters.vararg, parameters.kwarg):
        if one is not None:
            yield one.annotation


def described(trees: dict[str, ast.Module]) -> dict[str, bool]:
    """ "module.function" -> whether its docstring gives a shape and a dtype, for all functions with tensors."""
    names = tensor_names(trees)
    return {
        f"{module}.{name}": bool(SHAPE.search(text) and DTYPE.search(text))
        for module, tree in trees.items()
        for name, function, text in public_functions(tree)
        if any(names[module] & set(names_in(annotation)) for annotation in annotations(function))
    }


def test_docstrings_give_shape_and_dtype_of_the_tensors_of_public_functions():
    found = described(public_modules())
    assert len(found) > 250
    lacking = sorted(name for name, complete in found.items() if not complete)
    share = 1 - len(lacking) / len(found)
    assert share >= LEAST_SHARE, f"{share:.0%} of {len(found)} give both; these do not:\n" + "\n".join(lacking)


def test_functions_of_tensors_are_found_by_their_annotations():
    code = '''
from collections.abc import Callable, Mapping
Batch = Mapping[str, "tf.Tensor"]
def scale(x: tf.Tensor) -> tf.Tensor:
    """float32 (N, 4) in and out."""
def crop(batch: Batch) -> None:
    """The batch, cropped."""
def apply(change: Callable[[tf.Tensor], tf.Tensor], count: int) -> None: ...
def _private(x: tf.Tensor) -> None: ...
class Layer:
    """For images of dtype uint8."""
    def call(self, *inputs: "np.ndarray") -> None:
        """Takes shape (H, W)."""
'''
    assert described({"own": ast.parse(code)}) == {"own.scale": True, "own.crop": False, "own.Layer.call": True}
