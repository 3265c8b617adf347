"""Instance: an instance of a component."""

from __future__ import annotations

from wasmartifact.errors import WasmArtifactError
from wasmartifact.wasmtime._errors import translated
from wasmartifact.wasmtime._func import check_open
from wasmartifact.wasmtime.component._component import ExportIndex, find_export
from wasmartifact.wasmtime.component._func import Func
from wasmartifact.wasmtime.component._made import Made
from wasmartifact.wit import types as wit

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Any

    from wasmartifact.runtime.component import ComponentInstance
    from wasmartifact.wasmtime._func import Storelike
    from wasmartifact.wasmtime.component._surroundings import Surroundings


class Instance(Made):
    """An instance of a component; `Linker.instantiate` makes it."""

    _native: ComponentInstance
    _surroundings: Surroundings

    @classmethod
    def _of(cls, native: ComponentInstance, surroundings: Surroundings) -> Instance:
        made = cls.__new__(cls)
        made._native = native
        made._surroundings = surroundings
        return made

    def get_export_index(self, store: Storelike, name: str, instance: ExportIndex | None = None) -> ExportIndex | None:
        """Look an export up, in an exported interface where one is given; None where there is none."""
        check_open(store)
        return find_export(self._native.component, name, instance)

    def get_func(self, store: Storelike, index: ExportIndex | str) -> Func | None:
        """A function by its name, or as it was looked up; None where that is no function."""
        check_open(store)
        found = find_export(self._native.component, index, None) if isinstance(index, str) else index
        if found is None or found._component is not self._native.component:
            return None
        found._check_open()
        if not isinstance(found._item, wit.Function):
            return None
        place: Any = self._native
        try:
            for name in found._path:
                place = place[name]
        except WasmArtifactError as problem:
            raise translated(problem) from None
        return Func._of(place, found._item, self._surroundings)
