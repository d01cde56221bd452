"""Decides by the verdict whether another network is trained on all images, and for how long."""

from kerasvision.pipeline.artifacts import FinalPlan, InfraBlessing, Model, ModelBlessing, Out


def final_plan(model: Model, model_blessing: ModelBlessing, infra_blessing: InfraBlessing, plan: Out[FinalPlan]) -> None:
    """Model, ModelBlessing, InfraBlessing -> FinalPlan.

    The plan does not say why the network is blessed. So another gate that blesses it too does not repeat the final training.
    """
    from kerasvision.progress import say
    from kerasvision.training.final import FinalTraining

    blessings = (model_blessing.properties, infra_blessing.properties)
    refusals = [str(one["reason"]) for one in blessings if one["blessed"] != 1]
    planned = FinalTraining.planned(model.epochs, refusals=refusals)
    planned.save(plan.file)
    if not planned.trains:
        say(f"no network is trained on all images, because the judged one is not blessed: {planned.reason}")
