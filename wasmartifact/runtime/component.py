"""Component: a loaded component, and its instances with what they export as attributes."""

from __future__ import annotations

from wasmartifact import _types as native_types
from wasmartifact.constants import COMPONENT_KINDS, COMPONENT_SORTS
from wasmartifact.runtime.artifact import Artifact
from wasmartifact.runtime.component_types import camel, snake

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, NoReturn

    from wasmartifact.runtime.component_imports import Imported
    from wasmartifact.wit.types import World

SORT_FUNC, SORT_TYPE, SORT_RESOURCE, SORT_INSTANCE, SORT_IMPORTED_FUNC = (
    COMPONENT_SORTS.index(sort) for sort in ("func", "type", "resource", "instance", "imported func")
)
#: Types from here on name a resource, or are functions.
FIRST_HANDLE = COMPONENT_KINDS.index("own")
#: Kinds of functions of resources, as their names begin.
_METHOD, _STATIC, _CONSTRUCTOR = "[method]", "[static]", "[constructor]"


class Component(Artifact):
    """A loaded component; `wasmartifact.load` makes it of what was packed from one.

    Attributes
    ----------
    path : str | None
        Where it was loaded from; None for one loaded from bytes.
    metadata : Metadata
        Everything that the artifact says about the core module that the component's modules became.
    """

    _is_component = True

    __slots__ = (
        "_description",
        "_exports",
        "_extern_rows",
        "_host_objects",
        "_imported",
        "_package",
        "_world",
    )

    def __init__(self, native: native_types.NativeArtifact, path: str | None) -> None:
        """Of its native half, bound to its code."""
        super().__init__(native, path)
        self._description: native_types._NativeComponent | None = None
        self._world: World | None = None
        #: The generated package that has classes for its types, a `wasmartifact.bindings.Package`.
        self._package: Any = None

    def __repr__(self) -> str:
        return f"<Component {self.path or 'from bytes'}>"

    def instantiate(  # type: ignore[override]
        self,
        imports: Mapping[str, Any] | native_types.WasiHost | None = None,
        *,
        store: native_types.Store | None = None,
    ) -> ComponentInstance:
        """Make an instance: give it what it imports, run what its modules run at the start.

        Parameters
        ----------
        imports : mapping, optional
            By the name of each imported interface, as ``"wasi:clocks/wall-clock@0.2.6"``, something that has its
            functions: a mapping of names, or an object with attributes, in which names are as in WIT or as in Python.
            Functions that are imported by themselves stand beside them. Methods of a resource are found as
            ``"[method]blob.read"``, or as attributes of the class that stands under the resource's name.
            Interfaces that differ in the last number of their version fit. A `Wasi`, or its imports among the others,
            has those of WASI 0.2.
        store : Store, optional
            Where the instance shall live; by default it gets a store of its own.

        Returns
        -------
        ComponentInstance
            What it exports are its attributes.

        Raises
        ------
        UnlinkableModule
            An import is missing.
        Trap
            A start function trapped.
        """
        description = self._open()
        callables, find = self._imported.find(imports)
        objects = self._renewed(imports) if self._host_objects else ()
        native = native_types.component_instantiate(description, self._native, callables, find, store, objects)
        return ComponentInstance(self, native)

    @property
    def types(self) -> World:
        """The types of what it imports and exports, read from the artifact when they are first asked for."""
        if self._world is None:
            from wasmartifact.metadata.component_rows import component_rows
            from wasmartifact.wit.read import read_world

            self._world = read_world(component_rows(self.metadata.columns))
        return self._world

    # What the columns say, read when it is first needed -----------------------------------------------------------

    def _open(self) -> native_types._NativeComponent:
        if self._description is None:
            from wasmartifact.runtime.component_imports import Imported

            description = native_types.component_open(self, self._native)
            self._imported: Imported = Imported(description)
            self._extern_rows: list[tuple[str, int, int, int, int]] | None = None
            self._host_objects = description.host_objects()
            self._exports: dict[int, dict[str, int]] = {}
            self._description = description
        return self._description

    def _renewed(self, imports: Any) -> tuple[object, ...]:
        """What a snapshot has handles of, made anew by the Wasi among the imports."""
        from wasmartifact.runtime.component_imports import renew

        return renew(self._host_objects, imports)

    def _type(self, row: int) -> tuple[int, list[tuple[str, int]]]:
        """(kind, [(name, type + 1)]) of a type."""
        return self._open().type(row)

    def _type_name(self, row: int) -> str:
        """The name that a type is imported or exported by, or ""."""
        return self._open().type_name(row)

    @property
    def _externs(self) -> list[tuple[str, int, int, int, int]]:
        """(name, sort, row of its interface + 1, whether it is exported, index) of each import and export."""
        description = self._open()
        if self._extern_rows is None:
            self._extern_rows = description.externs()
        return self._extern_rows

    def _extern(self, row: int) -> tuple[str, int, int, int, int]:
        """The same of one: an instance that is used in few ways needs few."""
        return self._open().extern(row)

    @property
    def _module_name(self) -> str:
        return "component"

    def _package_class(self, sort: int, index: int) -> Any:
        """What a generated package has for a type or a resource; None without one."""
        for name, found, parent, is_export, row in self._externs if self._package is not None else ():
            if (found, row) == (sort, index + 1):
                place = self._externs[parent - 1][0] if parent else ""
                made = self._package.class_of(name, place, is_export=bool(is_export))
                if made is not None:
                    return made
        return None

    def _python_type(self, row: int) -> Any:
        """The class of a type; where it has none of its own, what its values are."""
        from wasmartifact.runtime.component_types import HAS_FACE, plain_type

        kind, items = self._type(row)
        if kind in HAS_FACE:
            return self._open().face(row)[0]
        parts = [None if part == 0 else self._python_type(part - 1) for _, part in items if kind < FIRST_HANDLE]
        return plain_type(kind, parts)

    def _children(self, parent: int) -> dict[str, int]:
        """Rows of what is exported in an instance, by the Python name and by the name in WIT; 0: by the component."""
        description = self._open()
        if parent not in self._exports:
            found: dict[str, int] = {}
            for row, name in description.exports(parent):
                if not name.startswith("["):
                    found.setdefault(name, row)
            for name, row in list(found.items()):
                for short in _python_names(name, self._extern(row)[1]):
                    found.setdefault(short, row)
            self._exports[parent] = found
        return self._exports[parent]

    def _member(self, parent: int, name: str) -> int:
        """Row of a function of a resource by its name in WIT; KeyError where there is none."""
        for row, found in self._open().exports(parent):
            if found == name:
                return row
        raise KeyError(name)


def _python_names(name: str, sort: int) -> Iterator[str]:
    """What an export is called in Python: an interface by its own name, without package and version, or in full."""
    if sort in (SORT_TYPE, SORT_RESOURCE):
        yield camel(name)
    elif sort == SORT_INSTANCE and "/" in name:
        package, _, rest = name.partition("/")
        interface = rest.partition("@")[0]
        yield snake(interface)
        yield snake(package.replace(":", "-") + "-" + interface)
    else:
        yield snake(name)


class Namespace:
    """What an interface exports, or a component: functions, types and interfaces as attributes, or by name as items.

    Iterating gives the names as they are in WIT. ``None`` was the parent of what the component itself exports.
    """

    __slots__ = ("_cache", "_component", "_native", "_parent")

    def __init__(self, component: Component, native: native_types._NativeComponentInstance, parent: int) -> None:
        """Of an instance, and the row of the interface + 1; 0 for the component's own exports."""
        self._component = component
        self._native = native
        self._parent = parent
        self._cache: dict[str, Any] = {}

    def __reduce__(self) -> NoReturn:
        from wasmartifact.hints import unpicklable

        raise unpicklable(self)

    def __getattr__(self, name: str) -> Any:
        if name in self._cache:
            return self._cache[name]
        row = self._component._children(self._parent).get(name)
        if row is None or name.startswith("__"):
            raise AttributeError(f"{self!r} has no {name!r}; it has {', '.join(self) or 'nothing'}")
        value = self._cache[name] = self._make(row)
        return value

    def __getitem__(self, name: str) -> Any:
        if name.startswith("["):
            return self._make(self._component._member(self._parent, name))
        if name not in self._component._children(self._parent):
            raise KeyError(name)
        return self.__getattr__(name)

    def __contains__(self, name: object) -> bool:
        return name in self._component._children(self._parent)

    def __iter__(self) -> Iterator[str]:
        rows = self._component._children(self._parent)
        return iter([name for name, row in rows.items() if self._component._extern(row)[0] == name])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __dir__(self) -> list[str]:
        return [name for name in self._component._children(self._parent) if name.isidentifier()]

    def keys(self) -> list[str]:
        """The names, as they are in WIT."""
        return list(self)

    def __repr__(self) -> str:
        if self._parent == 0:
            return f"<exports of {self._component!r}>"
        return f"<interface {self._component._extern(self._parent - 1)[0]}>"

    def _make(self, row: int) -> Any:
        """The object of an export."""
        name, sort, _, _, index = self._component._extern(row)
        if sort == SORT_FUNC:
            return self._native.function(index - 1, name)
        if sort == SORT_INSTANCE:
            return Namespace(self._component, self._native, row + 1)
        if sort == SORT_RESOURCE:
            return resource_class(self._component, self._native, index - 1)
        if sort == SORT_TYPE:
            return self._component._python_type(index - 1)
        if sort == SORT_IMPORTED_FUNC:
            from wasmartifact.errors import UnsupportedModule

            raise UnsupportedModule(
                f"{name!r} is a function that the component imports and exports as it is: call the imported one",
                feature="component-reexports",
            )
        return None


class ComponentInstance(Namespace):
    """An instance of a component; `Component.instantiate` makes it.

    What it exports are attributes: functions by their names with underscores in the place of dashes, interfaces by
    their names without package and version (``instance.run`` for ``wasi:cli/run@0.2.6``), types by their names in
    CamelCase. As items they have the names of WIT.

    Attributes
    ----------
    exports : Namespace
        The same, where a name would be hidden by one of these.
    component : Component
        What it is an instance of.
    """

    __slots__ = ("__weakref__", "component", "exports")

    def __init__(self, component: Component, native: native_types._NativeComponentInstance) -> None:
        """Of a component, and the native half."""
        super().__init__(component, native, 0)
        self.component = component
        self.exports = Namespace(component, native, 0)

    def __repr__(self) -> str:
        return f"<Instance of {self.component!r}>"


def resource_class(component: Component, native: native_types._NativeComponentInstance, resource: int) -> type:
    """The class of a resource of an instance."""
    if resource not in native.classes:
        native.classes[resource] = make_resource_class(component, native, resource)
    made: type = native.classes[resource]
    return made


def make_resource_class(component: Component, native: native_types._NativeComponentInstance, resource: int) -> type:
    """A class with the methods of a resource that the component exports."""
    names = {  # by where it has them: an interface may export it again, under another name
        parent: text
        for text, sort, parent, is_export, index in reversed(component._externs)
        if sort == SORT_RESOURCE and is_export and index == resource + 1
    }
    base = component._package_class(SORT_RESOURCE, resource)
    attributes = {} if base is None else component._package.attributes(base)
    namespace: dict[str, Any] = {"__module__": component._module_name, "__slots__": ()}
    for text, sort, parent, is_export, index in component._externs:
        kind, _, rest = text.partition("]")
        owner, _, method = rest.partition(".")
        if sort != SORT_FUNC or not is_export or names.get(parent) != owner:
            continue
        attribute = attributes.get(text) or snake(method)
        if kind + "]" == _CONSTRUCTOR:
            constructor = native.function(index - 1, text)
            namespace["__new__"] = lambda cls, *args, _made=constructor, **kwargs: _made(*args, **kwargs)
        elif kind + "]" == _METHOD:
            namespace[attribute] = native.function(index - 1, text)
        elif kind + "]" == _STATIC:
            namespace[attribute] = staticmethod(native.function(index - 1, text))
    if base is None:
        title = camel(next(reversed(names.values()), "resource"))
        return type(title, (native_types.resource_base(),), namespace)
    namespace["__module__"], namespace["__doc__"] = base.__module__, base.__doc__
    return type(base.__name__, (base,), namespace)
