"""Which objects the proposals of a two-stage detector cover: a table of many training images, and a picture of one."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kerasvision.ops.boxes import pairwise_iou
from kerasvision.tasks.detection.assigning import Truth
from kerasvision.tasks.detection.regions import Regions
from kerasvision.tasks.lessons import Lessons

TABLE = "covered_by_proposals"
TITLE = "The first proposals for a training image, and its objects"
# The IoU from which a proposal covers an object.
ENOUGH = 0.5
COUNTS = (10, 30, 100, 300)
DRAWN = 30
INCHES = 5.0


def region_lessons(pixels: npt.NDArray[np.float32], regions: Regions, truth: Truth) -> Lessons:
    """How many objects the first 10, 30, 100 and 300 proposals cover, and a picture of the image with the most objects.

    Args:
        pixels: float32 (N, H, W, C) in [0, 255], before scaling.
        regions: what the trained network answers for them.
        truth: the objects; at least one is to be learned.
    """
    wanted, count = truth.single.numpy(), regions.is_region.numpy()
    iou = pairwise_iou(truth.boxes, regions.proposals).numpy()
    table = coverage_table(iou, wanted, count.sum(axis=1))
    row = int(wanted.sum(axis=1).argmax())
    proposals = regions.proposals[row].numpy()[count[row]][:DRAWN]
    figure = _picture(pixels[row], truth.boxes[row].numpy()[wanted[row]], proposals)
    return Lessons({TITLE: figure}, {TABLE: table})


def coverage_table(
    iou: npt.NDArray[np.float32], wanted: npt.NDArray[np.bool_], counts: npt.NDArray[np.integer]
) -> pd.DataFrame:
    """proposals (how many of the first), objects, covered, share; up to the largest number that the network has.

    Args:
        iou: float32 (N, M, P), of each object with each proposal.
        wanted: bool (N, M), the objects to learn.
        counts: int (N,), how many proposals an image has.

    >>> coverage_table(np.array([[[0.2, 0.6]]]), np.array([[True]]), np.array([2])).to_dict("list")
    {'objects': [1], 'covered': [1], 'share': [1.0]}
    """
    most = int(counts.max(initial=1))
    shown = [count for count in COUNTS if count < most] + [most]
    best = np.maximum.accumulate(np.pad(iou, ((0, 0), (0, 0), (1, 0))), axis=-1)
    covered = [int((best[..., count][wanted] >= ENOUGH).sum()) for count in shown]
    objects = int(wanted.sum())
    table = pd.DataFrame({"objects": objects, "covered": covered}, index=pd.Index(shown, name="proposals"))
    return table.assign(share=(table["covered"] / objects).round(4))


def _picture(
    pixels: npt.NDArray[np.float32], objects: npt.NDArray[np.float32], proposals: npt.NDArray[np.float32]
) -> Figure:
    """The image in pale colours, the proposals as thin lines, and the objects as thick ones."""
    height, width, channels = pixels.shape
    figure = Figure(figsize=(INCHES, INCHES * height / width + 0.2), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    shown = np.broadcast_to(pixels, (height, width, 3)) if channels == 1 else pixels
    axes.imshow((0.5 + 0.5 * shown / 255).clip(0, 1), extent=(0, width, height, 0))
    for boxes, color, line in ((proposals, "C0", 0.7), (objects, "C1", 2.0)):
        for top, left, bottom, right in boxes:
            axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=line))
    names = [f"the first {len(proposals)} proposals", "objects"]
    figure.legend(axes.patches[:1] + axes.patches[-1:], names, loc="outside lower center", ncols=2, frameon=False)
    return figure
