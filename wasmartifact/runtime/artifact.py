"""Artifact: a loaded module, ready to be instantiated."""

from __future__ import annotations

from wasmartifact import _types as types

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn, Self

    from wasmartifact.metadata import Metadata


class Artifact:
    """A loaded module; `wasmartifact.load` makes it.

    Its code stays mapped until the artifact and all stores with instances of it are gone.

    Attributes
    ----------
    path : str | None
        Where it was loaded from; None for one loaded from bytes.
    metadata : Metadata
        Everything that it says about its module.
    """

    #: Whether it is a `Component`, for those who must not import that.
    _is_component = False

    __slots__ = ("__weakref__", "_metadata", "_native", "path")

    def __init__(self, native: types.NativeArtifact, path: str | None) -> None:
        """Of its native half, bound to its code."""
        self._native = native
        self.path = path
        self._metadata: Metadata | None = None

    def __getattr__(self, name: str) -> Any:
        from wasmartifact.hints import absent_attribute

        problem = None if name[:1] == "_" else absent_attribute(self, name)
        raise problem or AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
        )

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        from wasmartifact.hints import unpicklable

        raise unpicklable(self)

    def __repr__(self) -> str:
        return f"<Artifact {self.path or 'from bytes'}>"

    @property
    def metadata(self) -> Metadata:
        """Everything that the artifact says about its module: views of the mapped section, which they keep mapped."""
        if self._metadata is None:
            from wasmartifact.metadata import Metadata

            self._metadata = Metadata(memoryview(self._native), path=self.path)
        return self._metadata

    @property
    def cpu(self) -> str:
        """The CPU that the code in use is for: where there is code for several, the best that this host has."""
        return self.metadata.cpu_levels[self._native.cpu_level].name

    def contents(self) -> bytes:
        """The bytes of the file that it was loaded from, for `wasmartifact.load` and for keeping.

        Returns
        -------
        bytes
            A copy; the file itself may be gone by now.
        """
        import os

        fd, parts, offset = self._native.fileno(), [], 0
        while part := os.pread(fd, 1 << 24, offset):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def instantiate(
        self,
        imports: Mapping[str, Mapping[str, Any] | types.Instance] | None = None,
        *,
        store: types.Store | None = None,
    ) -> types.Instance:
        """Make an instance: link the imports, initialise memories, tables and globals, run the start function.

        Parameters
        ----------
        imports : mapping of mappings, optional
            ``{"module": {"name": value}}``. A value is a Func, Memory, Table, Global or Tag; for a function any
            callable will do, for an immutable global a number too. Instead of a mapping of names, an Instance or its
            exports can stand for a module. What is not asked for is ignored.
        store : Store, optional
            Where the instance shall live. By default it gets a store of its own, which becomes one with the stores of
            what it imports.

        Returns
        -------
        Instance
            Its ``exports`` are what can be called and used.

        Raises
        ------
        UnlinkableModule
            An import is missing or has another type, or would join two stores that were made by hand.
        TypeError
            ``imports``, or what stands for a module in it, is no mapping; ``store`` is no Store.
        Trap
            An active segment does not fit, or the start function trapped.
        IncompatibleHost
            The address space has no room for a memory.
        """
        return types.instantiate(self, self._native, imports, store)

    def link(self, imports: Mapping[str, Mapping[str, Any] | types.Instance] | None = None) -> types.Linked:
        """Resolve the imports once, for any number of instances: ``linked.instantiate()`` makes one.

        Parameters
        ----------
        imports : mapping of mappings, optional
            As for `instantiate`. Later changes of the mappings don't count.

        Returns
        -------
        Linked
            What all instances that it makes have in common.

        Raises
        ------
        UnlinkableModule
            An import is missing, or something of another kind. Types are compared by ``linked.instantiate()``.
        """
        return types.link(self, self._native, imports)
