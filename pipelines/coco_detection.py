"""FCOS on COCO's photos, from ImageNet's weights: 0.000 average precision (1 seed, 14.5 minutes on 2 CPU cores).

That is a trial of the pipeline with a single epoch: 59 photos for training, 79 for validation, 6 for the test, while other
programs used the cores too. It says nothing about the quality. The model does not pass the gate, and the run ends with exit
code 4.

    kerasvision run pipelines/coco_detection.py --set source.path=../shared/data/coco-open
        --set training.epochs=1 --set training.warmup_epochs=0

`source.path` is a folder as published by COCO: `annotations/instances_train2017.json` next to `train2017`, and so on. Images
are padded and not cropped, so no object is lost. Crowds are neither learned nor counted as errors, as COCO does it.
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
