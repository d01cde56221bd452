"""`serve`: serves a saved model over HTTP."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from kerasvision.extras import extra_of, missing
from kerasvision.lookup import ENGINES


def serve(
    saved_model: Annotated[Path, typer.Argument(metavar="SAVED_MODEL", help="saved_models/<name>, or one version of it.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0: any free port.")] = 8501,
    host: Annotated[str, typer.Option("--host", help="The address to listen on; 0.0.0.0: all networks.")] = "127.0.0.1",
    max_batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Largest batch that the model answers.")] = 32,
    max_delay_ms: Annotated[
        float, typer.Option(min=0, max=60_000, help="How long a batch may wait to become as large as the one before.")
    ] = 2.0,
    max_body_mib: Annotated[float, typer.Option(min=0.001, max=256, help="Largest body of a request, in MiB.")] = 16.0,
    max_megapixels: Annotated[float, typer.Option(min=0.001, max=100_000, help="Largest image, in megapixels.")] = 50.0,
    max_instances: Annotated[int, typer.Option(min=1, max=4096, help="Most instances in a request.")] = 1024,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help=f"Computes the network: {' or '.join(ENGINES)}, if the model was exported for it. Default: TensorFlow.",
        ),
    ] = None,
) -> None:
    """Serve a saved model with TensorFlow Serving's REST protocol and a page to try it. New versions load automatically."""
    try:
        from kerasvision.serving.limits import Limits
        from kerasvision.serving.server import serve as serve_versions
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if extra_of(package) is None:
            raise
        raise missing("`kerasvision serve`", [package]) from error
    if engine is not None:
        ENGINES.path(engine)
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
    serve_versions(
        saved_model, host=host, port=port, limits=limits, engine=engine, ready=lambda url: typer.echo(f"{ready} {url}")
    )
