"""LeNet-5 finds bright spots in slices of scans."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="scans",
    source={"kind": "my_source:Scans", "folder": "scans"},
    transform=c.Transform(image_size=(24, 24), color_mode="grayscale", scale="standardize"),
    task=c.Classification(top_k=2),
    model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
    training=c.Training(epochs=5, batch_size=16, optimizer=c.Adam(learning_rate=2e-3)),
    gate=c.Gate(c.AtLeast("accuracy", 0.8)),
    simple_models=None,
)
