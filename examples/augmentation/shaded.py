"""LeNet-5 tells three kinds of shapes apart under uneven light."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="shaded",
    source=c.Shapes(count=150, image_size=(32, 32), max_objects=1, classes=("circle", "square", "triangle")),
    transform=c.Transform(image_size=(32, 32), scale="standardize"),
    augment=({"kind": "my_augmentation:Shade", "strength": 0.9}, c.RandomFlip()),
    task=c.Classification(top_k=2),
    model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
    training=c.Training(epochs=3, batch_size=16, optimizer=c.Adam(learning_rate=3e-3)),
    gate=c.Gate(c.AtLeast("accuracy", 0.5)),
    simple_models=None,
)
