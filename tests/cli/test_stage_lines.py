"""The line of a stage that has finished."""

from pathlib import Path

from kerasvision.cli.stage_lines import stage_lines
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.pipeline.tables import LIVE


def test_the_main_score_comes_first_and_what_only_lists_need_is_left_out(capsys):
    scores = {"bleu_1": 0.5, "cider_d": 1.25, "headline": "cider_d", "split": "test"}
    verdict = {"blessed": 1, "verdict": "BLESSED", "reason": "all rules passed"}
    outputs = {
        name: ArtifactRecord(1, kind, Path("folder"), LIVE, "", properties)
        for name, kind, properties in (("evaluation", "ModelEvaluation", scores), ("blessing", "ModelBlessing", verdict))
    }
    stage_lines().finished(Result("evaluator", outputs, reused=False, seconds=3.0))
    assert capsys.readouterr().err == "evaluator ran in 3.0 s (cider_d 1.25, bleu_1 0.5, blessed 1, verdict BLESSED)\n"


def test_a_stage_without_facts_has_no_parentheses(capsys):
    stage_lines().finished(Result("transform", {}, reused=True, seconds=0.0))
    assert capsys.readouterr().err == "transform reused\n"
