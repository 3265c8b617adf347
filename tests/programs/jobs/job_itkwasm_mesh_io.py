"""itkwasm-mesh-io reads a mesh in one format and writes it in others."""

from pathlib import Path

from itkwasm_mesh_io_wasi import obj_write_mesh, off_read_mesh, stl_read_mesh, stl_write_mesh
from running import run

MESH = """OFF
4 4 0
0 0 0
1 0 0
0 1 0
0 0 1
3 0 2 1
3 0 1 3
3 0 3 2
3 1 2 3
"""


def job() -> object:
    """OFF to STL and OBJ, and STL back."""
    Path("in.off").write_text(MESH)
    could_read, mesh = off_read_mesh("in.off")
    written = [stl_write_mesh(mesh, "out.stl"), obj_write_mesh(mesh, "out.obj")]
    again = stl_read_mesh("out.stl")[1]
    return [
        could_read,
        written,
        [[one.numberOfPoints, one.points.tolist(), one.cells.tolist()] for one in (mesh, again)],
        Path("out.obj").read_text(),
    ]


run(job)
