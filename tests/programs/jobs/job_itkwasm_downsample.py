"""itkwasm-downsample makes images smaller."""

import numpy
from itkwasm import FloatTypes, Image, ImageType, IntTypes, PixelTypes
from itkwasm_downsample_wasi import downsample, downsample_bin_shrink, gaussian_kernel_radius
from running import run

SIZE = [48, 32]


def image() -> Image:
    """A pattern without chance."""
    y, x = numpy.mgrid[: SIZE[1], : SIZE[0]]
    kind = ImageType(dimension=2, componentType=IntTypes.UInt8, pixelType=PixelTypes.Scalar, components=1)
    data = ((x * 5 + y * y * 3) % 251).astype(numpy.uint8)
    return Image(kind, "pattern", [0.0, 0.0], [1.0, 1.0], numpy.eye(2, dtype=numpy.float64), SIZE, data=data)


def job() -> object:
    """By averages, by a filter, and the filter's radius."""
    found = [downsample_bin_shrink(image(), shrink_factors=[2, 2]), downsample(image(), shrink_factors=[2, 4])]
    radius = gaussian_kernel_radius(size=SIZE, sigma=[2.0, 4.0], max_kernel_width=32)
    return [[[one.size, one.spacing, one.data.tolist()] for one in found], radius, FloatTypes.Float64]


run(job)
