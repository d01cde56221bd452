from kerasvision.config.loading import load_experiment as load_experiment
from kerasvision.models import build as build
from kerasvision.pipeline.local import run as run
from kerasvision.pipeline.standard import load_pipeline as load_pipeline

__version__: str
