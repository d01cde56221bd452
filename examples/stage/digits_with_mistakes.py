"""LeNet-5 reads handwritten digits; one more stage lists the mistakes that it is sure of."""

from my_stage import MistakesSettings

from kerasvision import config as c
from kerasvision.pipeline.standard import standard_pipeline

EXPERIMENT = c.Experiment(
    name="digits_with_mistakes",
    source=c.Digits(),
    transform=c.Transform(image_size=(16, 16), color_mode="grayscale", scale="standardize"),
    task=c.Classification(),
    model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
    training=c.Training(epochs=3, batch_size=32, optimizer=c.Adam(learning_rate=3e-3)),
    gate=c.Gate(c.AtLeast("accuracy", 0.8)),
    simple_models=None,
)


def pipeline(experiment):
    """The standard stages, and one more that reads what the evaluator wrote."""
    stages = standard_pipeline(experiment)
    evaluation = stages.node("evaluator").evaluation
    stages.add("my_stage:list_mistakes", settings=MistakesSettings(most=5), evaluation=evaluation)
    return stages
