"""A stage can record what its inputs were made from."""

import hashlib
import json

from kerasvision.pipeline.artifacts import Model, Out, Schema
from kerasvision.pipeline.local import run


def tell(model: Model, schema: Out[Schema], *, lineage: dict) -> None:
    schema.file.write_text(json.dumps(lineage))


def test_lineage_goes_back_to_the_source_through_runs_that_reused_it(toy, number, tmp_path):
    def told(factor):
        pipeline = toy.pipeline(number, factor)
        pipeline.add(tell, model=pipeline.nodes["multiply"].model)
        result = run(pipeline, root=tmp_path)
        return result, json.loads(result.artifact("tell", "schema").file.read_text())

    told(2)
    result, lineage = told(3)
    assert (lineage["run"], lineage["pipeline"], lineage["node"]) == (result.id, "toy", "tell")
    read, multiply = lineage["executions"]
    assert (read["node"], multiply["node"], multiply["settings"]) == ("read", "multiply", {"factor": 3})
    # The second run reused the first run's artifact: the lineage names the execution that made it.
    assert read["id"] < multiply["id"] < lineage["execution"]
    assert multiply["inputs"] == {"examples": read["outputs"]["examples"]}
    assert lineage["inputs"] == {"model": multiply["outputs"]["model"]}
    assert read["versions"].keys() >= {"tensorflow", "keras"}
    assert len(read["code"]) == 64
    examples, model = lineage["artifacts"]
    assert [(one["type"], len(one["digest"])) for one in (examples, model)] == [("Examples", 64), ("Model", 64)]
    folder = tmp_path / "runs" / model["uri"]
    assert (folder / "product.txt").read_text() == "3"
    # The digest is of the names and the hashes of the files.
    content = {"0/product.txt": hashlib.sha256(b"3").hexdigest()}
    assert model["digest"] == hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
