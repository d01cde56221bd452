"""A tiny network of pixels and some scenes for it: what training promises holds for maps of classes too."""

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.sources.shape_scenes import make_scene
from kerasvision.data.sources.shapes import scene_png, shape_mask_png
from kerasvision.data.transform import ImageTransform
from kerasvision.training.fit import fit

SIDE = 32
SCENES = c.Shapes(count=36, image_size=(SIDE, SIDE), classes=("circle", "square"), seed=1)
# 24 scenes in batches of 8, and 6 to validate: a quarter of that batch are copies.
SPLITS = {"train": range(24), "validation": range(24, 30), "test": range(30, 36)}
NAMES = ("background", *SCENES.classes)
STEPS = 3
MODEL = c.Model(name="unet", options={"width": 4, "depth": 1, "dropout": 0.0, "batch_norm": True})


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
                    "mask": shape_mask_png(SCENES, number, place),
                }
                for place, one in enumerate(shapes)
            ]
            yield Example(f"{number:02d}", scene_png(SCENES, number), objects=objects)

    write_examples(rows, splits=SPLITS, classes=(), object_classes=SCENES.classes, masks=True, folder=folder / "data")


def transform(fit="stretch", side=SIDE):
    return ImageTransform(c.Transform(image_size=(side, side), fit=fit), (0.5,) * 3, (1.0,) * 3)


def trainer_settings(*, task=None, model=MODEL, **training):
    defaults = {"epochs": 3, "batch_size": 8, "optimizer": c.Sgd(learning_rate=0.2, momentum=0.9), "xla": "off"}
    return TrainerSettings(
        task=task or c.Segmentation(),
        model=model,
        training=c.Training(**{**defaults, **training}),
        augment=(c.RandomFlip(),),
    )


def fitted(folder, *, on=None, work=None, task=None, model=MODEL, **training):
    """Fits on the scenes in `folder`. `on` is a strategy of tf.distribute."""
    return fit(
        trainer_settings(task=task, model=model, **training),
        examples=ExampleSet(folder / "data"),
        classes=NAMES,
        transform=transform(),
        work=work,
        strategy=on,
    )
