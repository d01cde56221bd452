"""A stage of your own: the answers that a person should look at, the surest mistakes first."""

import pandas as pd
from pydantic import Field

from kerasvision import config as c
from kerasvision.pipeline.artifacts import Artifact, ModelEvaluation, Out


class Mistakes(Artifact):
    """`mistakes.csv`: id, label, predicted, score."""

    TYPE_NAME = "Mistakes"
    FRONT = "mistakes.csv"


class MistakesSettings(c.Config):
    """How long the list is."""

    most: int = Field(default=20, ge=1, description="how many mistakes are listed")


def list_mistakes(evaluation: ModelEvaluation, mistakes: Out[Mistakes], *, settings: MistakesSettings) -> None:
    """Lists the wrong answers with the highest scores: these labels may be wrong.

    The signature says what the stage is: it reads what the evaluator wrote, and writes `mistakes` into an empty folder.
    """
    answers = pd.read_parquet(evaluation.predictions)
    wrong = answers[~answers["correct"]].nlargest(settings.most, "score")
    wrong[["id", "label", "predicted", "score"]].to_csv(mistakes.front, index=False)
    mistakes.properties["mistakes"] = len(wrong)
