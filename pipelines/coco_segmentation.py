"""FCN-8s on COCO's panoptic maps, from ImageNet's weights: 0.011 mean IoU (1 seed, 15.2 minutes on 2 CPU cores).

That is a trial of the pipeline up to the verdict, with a single epoch: 23 photos for training, 27 for validation, 3 for the
test, while other programs used the cores too. It says nothing about the quality. The model does not pass the gate. The
SavedModel answers 36 photos as the trained network does, in a process with TensorFlow alone: probabilities differ by at most
2.4e-6 (`--until infra_validator`).

    kerasvision run pipelines/coco_segmentation.py --set source.path=../shared/data/coco-open
        --set training.epochs=1 --set training.warmup_epochs=0 --until evaluator

`source.path` is a folder as published by COCO: `annotations/panoptic_train2017.json` and the folder of its PNG files next to
`train2017`, and so on. Images are padded and not cropped, and what lies around them is ignored.
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="coco_segmentation",
    source=c.Coco(path="data/coco", annotations=("panoptic",)),
    splits=c.Splits(test=0.1),
    transform=c.Transform(image_size=(320, 320), fit="pad"),
    augment=(c.RandomFlip(),),
    task=c.Segmentation(),
    model=c.Model(name="fcn8s", weights="imagenet", options={"backbone": "efficientnet_lite0", "dropout": 0.0}),
    training=c.Training(
        epochs=60,
        batch_size=8,
        optimizer=c.AdamW(learning_rate=0.001, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=2,
        clip_norm=10.0,
    ),
    gate=c.Gate(c.AtLeast("mean_iou", 0.05)),
    serving=c.Serving(max_difference=1e-4),
)
