"""LeNet-5 on handwritten digits, exported as a SavedModel and in a format of your own."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="pixels",
    source=c.Digits(),
    transform=c.Transform(image_size=(16, 16), color_mode="grayscale", scale="standardize"),
    task=c.Classification(),
    model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
    training=c.Training(epochs=2, batch_size=32, optimizer=c.Adam(learning_rate=3e-3)),
    gate=c.Gate(c.AtLeast("accuracy", 0.8)),
    export=c.Export(formats=({"kind": "my_format:PixelModel"},)),
    simple_models=None,
)
