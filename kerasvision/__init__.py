"""Train vision models on Keras with a TFX-style pipeline, from images on disk to a model that a server can load.

>>> import kerasvision
>>> kerasvision.__version__
'0.1.0'
"""

__version__ = "0.1.0"

# For notebooks, imported on first use: `import kerasvision` alone must not import TensorFlow.
# Editors find them in __init__.pyi. An import here, although only for editors, would count as code of every stage.
_LAZY = {
    "run": "kerasvision.pipeline.local:run",
    "load_pipeline": "kerasvision.pipeline.standard:load_pipeline",
    "load_experiment": "kerasvision.config.loading:load_experiment",
    "build": "kerasvision.models:build",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'kerasvision' has no attribute {name!r}")
    from kerasvision.lookup import load

    return load(_LAZY[name])
