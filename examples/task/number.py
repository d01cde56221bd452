"""LeNet-5 reads a handwritten digit as a number between 0 and 9, and not as one of ten classes."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="number",
    source=c.Digits(),
    transform=c.Transform(image_size=(16, 16), color_mode="grayscale", scale="standardize"),
    task={"kind": "my_task:Number"},
    model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
    training=c.Training(epochs=8, batch_size=32, optimizer=c.Adam(learning_rate=3e-3)),
    gate=c.Gate(c.AtMost("mean_error", 1.0)),
    serving=c.Serving(canary_examples=32, latency_queries=5),
)
