"""FCOS on COCO's photos, from ImageNet's weights: unchanged on the whole of COCO and on a folder of a few photos.

`source.path` is a folder as published by COCO: `annotations/instances_train2017.json` next to `train2017`, and so on. Images
are padded and not cropped, so no object is lost. Crowds are neither learned nor counted as errors, as COCO does it.

    kerasvision run pipelines/coco_detection.py --set source.path=../shared/data/coco-open
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="coco_detection",
    source=c.Coco(path="data/coco", annotations=("instances",), crowds="keep", masks="leave_out"),
    splits=c.Splits(test=0.1),
    transform=c.Transform(image_size=(320, 320), fit="pad"),
    augment=(c.RandomFlip(),),
    task=c.Detection(),
    model=c.Model(
        name="fcos",
        weights="imagenet",
        options={"backbone": "efficientnet_lite0", "channels": 96, "depth": 2},
    ),
    training=c.Training(
        epochs=60,
        batch_size=8,
        optimizer=c.AdamW(learning_rate=0.001, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=2,
        clip_norm=10.0,
    ),
    evaluation=c.Evaluation(slices=("objects",)),
    gate=c.Gate(c.AtLeast("box_average_precision", 0.05)),
    serving=c.Serving(max_difference=1e-4),
)
