"""ResNet-18 and an LSTM with attention on COCO's photos: 0.44 BLEU-1 (1 seed, 3.5 minutes on 2 CPU cores)

`source.path` is a folder as published by COCO, with `train2017`, `val2017` and `annotations`; a tenth of train2017 becomes
the test split. The score is from 150 photos: 36 for training, 111 for validation, and 3 for the test. So it is a trial of
the pipeline, and says nothing about its quality. The model does not pass the gate, and the run ends with exit code 4.

    python tests/benchmarks/seeds.py pipelines/coco_captions.py --seeds 1 --set source.path=../shared/data/coco-open

For all 118,000 photos, start from a backbone that was trained on photos, and freeze it:

    --set model.options.backbone=resnet50 --set model.weights=imagenet --set training.freeze=backbone
    --set transform.scale=zero_to_one
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="coco_captions",
    source=c.Coco(path="data/coco", annotations=("captions",)),
    splits=c.Splits(test=0.1),
    transform=c.Transform(image_size=(224, 224), fit="crop", scale="standardize"),
    task=c.Captioning(vocabulary=c.Words(min_count=5), max_length=24),
    model=c.Model(name="show_attend_tell", options={"backbone": "resnet18"}),
    training=c.Training(
        epochs=20,
        batch_size=16,
        optimizer=c.AdamW(learning_rate=1e-3, weight_decay=0.02),
        schedule="cosine",
        warmup_epochs=1,
        clip_norm=5.0,
        precision="auto",
    ),
    gate=c.Gate(c.AtLeast("bleu_4", 0.2)),
)
