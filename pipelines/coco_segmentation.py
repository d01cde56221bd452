"""FCN-8s on COCO's panoptic maps, from ImageNet's weights."""

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
