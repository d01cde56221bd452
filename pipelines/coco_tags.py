"""EfficientNet-Lite 0 tags COCO's photos: 0.435 average precision (1 seed, 29.6 minutes on 2 CPU cores).

That is the mean average precision of 25 test photos, with an interval from 0.30 to 0.57, after a training on 40 photos; 79
validation photos reach 0.249. A logistic regression per tag on pixels reaches 0.099 on the same test photos. 17 of the 74
tags had no training image. Other programs used the cores too. The command:

    kerasvision run pipelines/coco_tags.py --set source.path=../shared/data/coco-open --set splits.test=0.4 \\
        --until evaluator

`source.path` is a folder as published by COCO: `annotations/instances_train2017.json` next to `train2017`, and so on. The
tags of a photo are the categories of its objects. Only a linear layer is trained, on maps that are made once for each photo.
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="coco_tags",
    source=c.Coco(path="data/coco", annotations=("instances",), masks="leave_out", tags=True),
    splits=c.Splits(test=0.1, stratify=True),
    transform=c.Transform(image_size=(320, 320), fit="pad"),
    task=c.MultiLabel(),
    model=c.Model(name="efficientnet_lite0", weights="imagenet"),
    training=c.Training(
        epochs=40,
        batch_size=8,
        optimizer=c.AdamW(learning_rate=0.003, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=1,
        freeze="backbone",
        features="once",
    ),
    evaluation=c.Evaluation(slices=("tags", "objects")),
    gate=c.Gate(c.AtLeast("mean_average_precision", 0.3)),
)
