"""A tiny detector and some scenes for it: what training promises holds for objects and maps too."""

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.sources.shape_scenes import make_scene
from kerasvision.data.sources.shapes import scene_png
from kerasvision.data.transform import ImageTransform
from kerasvision.training.fit import fit

SIDE = 32
SCENES = c.Shapes(count=30, image_size=(SIDE, SIDE), classes=("circle", "square"), seed=1)
# 24 scenes in batches of 8, and 6 to validate: a quarter of that batch are copies.
SPLITS = {"train": range(24), "validation": range(24, 30)}
STEPS = 3
ANSWERS = {"boxes": 20, "candidates": 60, "least_score": 0.001}
TASKS = {
    "fcos": c.Detection(**ANSWERS),
    "faster_rcnn": c.Detection(**ANSWERS, sampled_anchors=32, sampled_regions=16),
}
# Maps of 8 x 8 and 4 x 4 cells; and one of 4 x 4 cells with six anchors.
OPTIONS = {
    "fcos": {"levels": "p2-p3", "depth": 1, "norm": "batch"},
    "faster_rcnn": {"anchor_sizes": (8, 14), "proposals": 16, "candidates": 40, "hidden": 16, "pooled": 3, "dropout": 0.0},
}


def write_scenes(folder):
    """Each eighth scene has no objects."""

    def rows(split):
        for number in SPLITS[split]:
            shapes = make_scene(SCENES, number).shapes if number % 8 else ()
            objects = [
                {
                    "bbox": tuple(side / SIDE for side in one.box),
                    "label": one.name,
                    "crowd": False,
                    "area": float(one.area),
                }
                for one in shapes
            ]
            yield Example(f"{number:02d}", scene_png(SCENES, number), objects=objects)

    write_examples(rows, splits=SPLITS, classes=(), object_classes=SCENES.classes, folder=folder / "data")


def fitted(folder, *, on=None, work=None, network="fcos", **training):
    """Fits on the scenes in `folder`. `on` is a strategy of tf.distribute."""
    defaults = {"epochs": 3, "batch_size": 8, "optimizer": c.Sgd(learning_rate=0.2, momentum=0.9)}
    settings = TrainerSettings(
        task=TASKS[network],
        model=c.Model(name=network, options={"backbone": "resnet9", "width": 0.0625, "channels": 8, **OPTIONS[network]}),
        training=c.Training(**{**defaults, **training}),
        augment=(c.RandomFlip(),),
    )
    return fit(
        settings,
        examples=ExampleSet(folder / "data"),
        classes=SCENES.classes,
        transform=ImageTransform(c.Transform(image_size=(SIDE, SIDE)), (0.5,) * 3, (1.0,) * 3),
        work=work,
        strategy=on,
    )
