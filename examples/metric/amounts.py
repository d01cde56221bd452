"""LeNet-5 reads the digits of amounts of money, where a 9 in place of a 1 costs more than a 2."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="amounts",
    source=c.Digits(),
    transform=c.Transform(image_size=(16, 16), color_mode="grayscale", scale="standardize"),
    task=c.Classification(metrics=(c.Metric("my_metric:reading_error", best="min", bounds=(0, 9)),)),
    model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
    training=c.Training(epochs=3, batch_size=32, optimizer=c.Adam(learning_rate=3e-3)),
    gate=c.Gate(c.AtMost("reading_error", 0.8), c.AtMost("reading_error", 3, slice="label")),
    simple_models=None,
)
