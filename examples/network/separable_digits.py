"""A small network of your own reads handwritten digits."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="separable_digits",
    source=c.Digits(),
    transform=c.Transform(image_size=(16, 16), color_mode="grayscale", scale="standardize"),
    task=c.Classification(),
    model=c.Model(name="my_network:separable", options={"width": 16}),
    training=c.Training(epochs=3, batch_size=32, optimizer=c.Adam(learning_rate=1e-2), schedule="cosine"),
    gate=c.Gate(c.AtLeast("accuracy", 0.8)),
    simple_models=None,
)
