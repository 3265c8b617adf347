"""Artifact: a loaded module, ready to be instantiated."""

from __future__ import annotations

from wasmartifact.runtime.native import types

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from wasmartifact.metadata.views import Metadata
    from wasmartifact.runtime.instance import ImportRow, Instance, Linked


class Artifact:
    """A loaded module; `wasmartifact.load` makes it.

    Its code stays mapped until the artifact and all stores with instances of it are gone.

    Parameters
    ----------
    native : NativeArtifact
        Its native half, bound.
    path : str | None
        Where it was loaded from; None for one loaded from bytes.
    """

    __slots__ = ("__weakref__", "_imports", "_metadata", "_native", "address", "path")

    def __init__(self, native: types.NativeArtifact, path: str | None) -> None:
        self._native = native
        self.address = native.address
        self.path = path
        self._metadata: Metadata | None = None
        self._imports: tuple[ImportRow, ...] | None = None

    def __repr__(self) -> str:
        return f"<Artifact {self.path or 'from bytes'}>"

    @property
    def metadata(self) -> Metadata:
        """Everything that the artifact says about its module: views of the mapped section, which they keep mapped."""
        if self._metadata is None:
            from wasmartifact.metadata.views import Metadata

            self._metadata = Metadata(memoryview(self._native))
        return self._metadata

    @property
    def import_rows(self) -> tuple[ImportRow, ...]:
        """What an instance needs: (module, name, kind, type, label), in order; read once."""
        if self._imports is None:
            self._imports = types.import_rows(self.address)
        return self._imports

    def instantiate(
        self, imports: Mapping[str, Mapping[str, Any] | Instance] | None = None, *, store: types.Store | None = None
    ) -> Instance:
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

        Raises
        ------
        UnlinkableModule
            An import is missing or has another type, or would join two stores that were made by hand.
        Trap
            An active segment does not fit, or the start function trapped.
        IncompatibleHost
            The address space has no room for a memory.
        """
        from wasmartifact.runtime.instance import instantiate

        return instantiate(self, imports, store)

    def link(self, imports: Mapping[str, Mapping[str, Any] | Instance] | None = None) -> Linked:
        """Resolve the imports once, for any number of instances: ``linked.instantiate()`` makes one.

        Parameters
        ----------
        imports : mapping of mappings, optional
            As for `instantiate`. Later changes of the mappings don't count.

        Raises
        ------
        UnlinkableModule
            An import is missing, or something of another kind. Types are compared by ``linked.instantiate()``.
        """
        from wasmartifact.runtime.instance import link

        return link(self, imports)
