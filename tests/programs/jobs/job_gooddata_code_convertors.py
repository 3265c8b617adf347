"""gooddata-code-convertors turns metrics from one form into the other: JavaScript, in an instance per call."""

from gooddata_code_convertors import declarative_metric_to_yaml, yaml_metric_to_declarative
from gooddata_code_convertors._wasm_runtime import ConversionError
from running import run

METRIC = {
    "type": "metric",
    "id": "revenue",
    "title": "Revenue",
    "description": "Sum of orders — ä",
    "maql": 'SELECT SUM({fact/order_price}) WHERE {label/state} = "open"',
    "format": "#,##0.00",
    "tags": ["a", "b"],
}


def job() -> object:
    """There and back, and what it can't convert."""
    declarative = yaml_metric_to_declarative(METRIC)
    found = [declarative, declarative_metric_to_yaml(declarative)]
    try:
        found.append(yaml_metric_to_declarative(3))
    except ConversionError as problem:
        found.append(str(problem))
    return found


run(job)
