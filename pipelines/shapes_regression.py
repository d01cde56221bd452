"""LeNet-5 tells where the largest of generated shapes is, and how large."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="shapes_regression",
    source=c.Shapes(count=4000, values=("area", "y", "x")),
    transform=c.Transform(image_size=(64, 64), scale="standardize"),
    augment=(c.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),),
    task=c.Regression(loss="huber", places=("y", "x"), sizes=("area",), tolerance={"y": 0.05, "x": 0.05}),
    model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
    training=c.Training(
        epochs=30,
        batch_size=64,
        optimizer=c.Adam(learning_rate=2e-3),
        schedule="cosine",
        warmup_epochs=1,
        keep="best",
    ),
    gate=c.Gate(c.AtLeast("r2", 0.8)),
    serving=c.Serving(canary_examples=128),
)
