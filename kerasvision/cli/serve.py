"""`serve`: a saved model behind HTTP."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from kerasvision.extras import extra_of, missing


def serve(
    saved_model: Annotated[Path, typer.Argument(metavar="SAVED_MODEL", help="saved_models/<name>, or one version of it.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="To listen at; 0 takes a free one.")] = 8501,
    host: Annotated[str, typer.Option("--host", help="To listen at; 0.0.0.0 lets everybody in.")] = "127.0.0.1",
    max_batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Rows that the model is asked for at once.")] = 32,
    max_delay_ms: Annotated[
        float, typer.Option(min=0, max=60_000, help="How long a batch waits to be as large as the last.")
    ] = 2.0,
    max_body_mib: Annotated[float, typer.Option(min=0.001, max=256, help="Of one request.")] = 16.0,
    max_megapixels: Annotated[float, typer.Option(min=0.001, max=100_000, help="Of one image.")] = 50.0,
    max_instances: Annotated[int, typer.Option(min=1, max=4096, help="Of one request.")] = 1024,
) -> None:
    """Serve a saved model by TensorFlow Serving's REST protocol, with a page to try it on; new versions are taken up."""
    try:
        from kerasvision.serving.limits import Limits
        from kerasvision.serving.server import serve as serve_versions
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if extra_of(package) is None:
            raise
        raise missing("`kerasvision serve`", [package]) from error
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kerasvision").setLevel(logging.INFO)
    limits = Limits(
        max_body_bytes=int(max_body_mib * 2**20),
        max_instances=max_instances,
        max_pixels=int(max_megapixels * 1e6),
        max_batch_size=max_batch_size,
        max_delay_seconds=max_delay_ms / 1000,
    )
    ready = f"serving {saved_model} at"
    serve_versions(saved_model, host=host, port=port, limits=limits, ready=lambda url: typer.echo(f"{ready} {url}"))
