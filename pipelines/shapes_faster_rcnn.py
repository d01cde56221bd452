"""Faster R-CNN on a pyramid finds generated shapes: 0.730 +- 0.002 average precision (3 seeds, 209 s of processor time).

The score is pycocotools', of the SavedModel's answers for 300 scenes; 1,500 others were learned. The first 100 proposals
cover all objects with an IoU of at least 0.5. docs/how-to/detection.md compares it with other detectors.

    python tests/benchmarks/detection.py --networks faster_rcnn_fpn --epochs 10 --seeds 3
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="shapes_faster_rcnn",
    source=c.Shapes(count=2_100, image_size=(96, 96)),
    splits=c.Splits(validation=0.15, test=0.15),
    transform=c.Transform(image_size=(96, 96), scale="zero_mean"),
    augment=(c.RandomFlip(),),
    task=c.Detection(),
    model=c.Model(
        name="faster_rcnn_fpn",
        options={
            "backbone": "resnet18",
            "width": 0.25,
            "levels": "p3-p5",
            # Anchors of 24, 48, 96 and 192 pixels: the shapes are small.
            "anchor_strides": 3.0,
            "proposals": 100,
            "candidates": 300,
            "channels": 48,
            "hidden": 128,
            "pooled": 5,
        },
    ),
    training=c.Training(
        epochs=10,
        batch_size=16,
        optimizer=c.AdamW(learning_rate=0.003, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=1,
        precision="bfloat16",
        # Compiling takes as long as some epochs, and the network is small.
        xla="off",
    ),
    evaluation=c.Evaluation(slices=("objects", "brightness")),
    gate=c.Gate(c.AtLeast("box_average_precision", 0.5), c.AtLeast("proposal_recall_100", 0.9)),
    serving=c.Serving(max_difference=1e-4),
)
