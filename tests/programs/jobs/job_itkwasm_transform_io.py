"""itkwasm-transform-io writes transforms and reads them back."""

import numpy
from itkwasm import FloatTypes, Transform, TransformParameterizations, TransformType
from itkwasm_transform_io_wasi import txt_read_transform, txt_write_transform
from running import run


def job() -> object:
    """An affine transform, as text."""
    kind = TransformType(
        transformParameterization=TransformParameterizations.Affine,
        parametersValueType=FloatTypes.Float64,
        inputDimension=2,
        outputDimension=2,
    )
    transform = Transform(
        kind,
        numberOfFixedParameters=2,
        numberOfParameters=6,
        fixedParameters=numpy.array([0.5, 1.5]),
        parameters=numpy.array([1.0, 0.25, -0.25, 1.0, 3.0, 4.0]),
    )
    written = txt_write_transform([transform], "out.txt")
    could_read, transforms = txt_read_transform("out.txt")
    return [written, could_read, [[one.parameters.tolist(), one.fixedParameters.tolist()] for one in transforms]]


run(job)
