"""`explain`: shows why a saved model gives an image a class, a tag or a number, and what is inside its network."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from kerasvision.cli.tables import print_whole, table_of
from kerasvision.config.listing import printable
from kerasvision.errors import ConfigError, DataError

if TYPE_CHECKING:
    from kerasvision.export.asking.explaining import ExplanationPictures, GradCam, IntegratedGradients, Occlusion
    from kerasvision.export.asking.inside_pictures import LayerPictures
    from kerasvision.export.asking.predict import ImagePredictor

Method = Literal["grad_cam", "occlusion", "integrated_gradients"]
KERAS_FILE = "the .keras file of the training"
WHERE = "it is runs/artifacts/<pipeline>/trainer/model/<number>/Format-Keras/model.keras"
FILTERS_NAME = "filters.png"
# How many lines are printed at a time, and how many faults are named.
LINES, MOST_NAMED = 20, 20


def explain(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="SAVED_MODEL", help="saved_models/<name>, or one version of it. With --filters also a .keras file."
        ),
    ],
    what: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[IMAGE]...", help="Image files, folders of them, or tables with a column of paths."),
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option(
            help="What to ask: which maps, what is missed if it is covered, or what each pixel adds. Default: grad_cam."
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="LABEL", help="Explain this class, tag or value, instead of the best one."),
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FOLDER", help="Write the pictures into this new or empty folder.")
    ] = Path("explained"),
    network: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The .keras file of the training, if the records of the runs do not name it."),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="With occlusion: the side of the covering square, in pixels of what the network sees. Default: a fifth of "
            "the shorter side.",
        ),
    ] = None,
    filters: Annotated[
        bool,
        typer.Option("--filters", help="Instead: one picture of the first layer's filters, or a linear model's templates."),
    ] = False,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead: the maps of this layer for each image, side by side.")
    ] = None,
) -> None:
    """Show why a model gives an image a class, a tag or a number: red speaks for it, or raises it; blue is against it."""
    _refuse_unfit(what, method=method, label=label, window=window, filters=filters, layer=layer)
    if filters:
        _filters(model, network, out)
        return
    from kerasvision.export.asking.predict import ImagePredictor

    asked = ImagePredictor(model)
    if layer is not None:
        from kerasvision.export.asking.inside_pictures import LayerPictures

        file = _network(asked.folder, network, f"--layer {layer}")
        _print(asked, what or [], LayerPictures(out, model=asked, network=file, layer=layer), (f"layer {layer}",))
        return
    from kerasvision.export.asking.explained import explained_by
    from kerasvision.export.asking.explaining import ExplanationPictures

    explained_by(asked)
    method = method or "grad_cam"
    chosen = _method(method, asked, network, window)
    pictures = ExplanationPictures(out, model=asked, method=chosen, label=label)
    _print(asked, what or [], pictures, (*pictures.columns, method))


def _refuse_unfit(
    what: Sequence[Path] | None,
    *,
    method: Method | None,
    label: str | None,
    window: int | None,
    filters: bool,
    layer: str | None,
) -> None:
    """Rejects options that exclude each other before anything is loaded."""
    if filters and layer is not None:
        raise ConfigError("--filters and --layer ask for different pictures; use only one of them")
    instead = "--filters" if filters else "--layer" if layer is not None else ""
    for option, value in (("--method", method), ("--label", label), ("--window", window)):
        if instead and value is not None:
            raise ConfigError(f"{option} explains an answer, and {instead} shows the network; use only one of them")
    if window is not None and method != "occlusion":
        raise ConfigError("--window requires --method occlusion")
    if filters and what:
        raise ConfigError("--filters shows the network alone; remove the images")
    if not filters and not what:
        raise ConfigError("explain requires an image", hint="name image files or a folder; --filters requires no image")


def _method(
    method: Method, model: "ImagePredictor", network: Path | None, window: int | None
) -> "GradCam | IntegratedGradients | Occlusion":
    from kerasvision.export.asking.explaining import GradCam, IntegratedGradients, Occlusion

    if method == "grad_cam":
        return GradCam(model, _network(model.folder, network, "grad_cam"))
    if network is not None:
        raise ConfigError(f"--network is for grad_cam, --layer and --filters; {method} asks the saved model alone")
    return Occlusion(model, window=window) if method == "occlusion" else IntegratedGradients(model)


def _network(folder: Path, given: Path | None, purpose: str) -> Path:
    """The `.keras` file that was given, or that the records of the runs name."""
    from kerasvision.pipeline.origin import network_behind

    found = given or network_behind(folder)
    if found is None:
        others = "; occlusion and integrated_gradients need the saved model alone" if purpose == "grad_cam" else ""
        raise ConfigError(
            f"{purpose} requires {KERAS_FILE}, because a saved model has no layers, and no record names that of {folder}",
            hint=f"give it with --network: {WHERE}{others}",
        )
    return found


def _filters(model: Path, network: Path | None, out: Path) -> None:
    """Writes the picture of the first layer."""
    from kerasvision.export.asking.inside_pictures import filters_picture
    from kerasvision.export.asking.pictures import new_folder
    from kerasvision.served.versions import find_saved_model

    file = model if model.suffix == ".keras" else _network(find_saved_model(model), network, "--filters")
    picture, line = filters_picture(file)
    picture.save(new_folder(out, noun="pictures") / FILTERS_NAME)
    typer.echo(f"{line}\n{out / FILTERS_NAME}")


def _print(
    model: "ImagePredictor", what: Sequence[Path], writer: "ExplanationPictures | LayerPictures", columns: tuple[str, ...]
) -> None:
    """Writes a picture for each image, prints a line for each, and at the end names the faults."""
    from kerasvision.config.inference import asked_for
    from kerasvision.export.asking.predict import predict_listed

    answers = predict_listed(model, asked_for(what), batch_size=LINES, writers=[writer])
    faults, count, shown = list[str](), 0, 0
    while some := list(islice(answers, LINES)):
        names = [printable(str(answer.path)) for answer in some]
        faults += [f"{name}: {answer.fault}" for name, answer in zip(names, some, strict=True) if answer.fault]
        good = [name for name, answer in zip(names, some, strict=True) if not answer.fault]
        table = table_of("image", *columns)
        for name, line in zip(good, writer.lines[shown : shown + len(good)], strict=True):
            table.add_row(*map(escape, (name, *line)))
        count, shown = count + len(some), shown + len(good)
        if good:
            print_whole(table)
    if shown:
        typer.echo(writer.finish())
    if faults:
        raise DataError(f"{len(faults)} of {count} files cannot be used: {'; '.join(faults[:MOST_NAMED])}")
