"""Types of components: what `Component.types` consists of. All objects are immutable.

Types that have names are the same object wherever they are used; a type with parts equals another one with equal parts.
"""

from __future__ import annotations

from types import MappingProxyType

from wasmartifact.wit.immutable import Frozen

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final, TypeAlias

    from wasmartifact.wit.modules import ModuleExport, ModuleImport

_NOTHING: Final[Mapping[str, Function]] = MappingProxyType({})


# Types without names ----------------------------------------------------------------------------------------------


class Primitive(Frozen):
    """``bool``, ``s8`` to ``u64``, ``f32``, ``f64``, ``char`` or ``string``.

    Attributes
    ----------
    name : str
        Which one.
    """

    name: str

    def __str__(self) -> str:
        return self.name


class List(Frozen):
    """``list<T>``.

    Attributes
    ----------
    element : Type
        What it is a list of.
    """

    element: Type

    def __str__(self) -> str:
        return f"list<{self.element}>"


class Option(Frozen):
    """``option<T>``.

    Attributes
    ----------
    some : Type
        What there is, or is not.
    """

    some: Type

    def __str__(self) -> str:
        return f"option<{self.some}>"


class Result(Frozen):
    """``result<T, E>``.

    Attributes
    ----------
    ok, err : Type | None
        What comes with either outcome; None where nothing does.
    """

    ok: Type | None
    err: Type | None

    def __str__(self) -> str:
        if self.err is None:
            return "result" if self.ok is None else f"result<{self.ok}>"
        return f"result<{'_' if self.ok is None else self.ok}, {self.err}>"


class Tuple(Frozen):
    """``tuple<A, B, ...>``.

    Attributes
    ----------
    items : tuple of Type
        Types of its items.
    """

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple<{', '.join(map(str, self.items))}>"


class Own(Frozen):
    """A resource that is handed over.

    Attributes
    ----------
    resource : Resource
        Its type.
    """

    resource: Resource

    def __str__(self) -> str:
        return str(self.resource)


class Borrow(Frozen):
    """``borrow<R>``: a resource that is lent for a call.

    Attributes
    ----------
    resource : Resource
        Its type.
    """

    resource: Resource

    def __str__(self) -> str:
        return f"borrow<{self.resource}>"


# Types with names -------------------------------------------------------------------------------------------------


class Named(Frozen, eq=False):
    """What types with names have in common: two of them are equal only where they are the same.

    Attributes
    ----------
    name : str
        As in WIT.
    interface : str | None
        The interface that defines it, None for the world itself.
    """

    name: str
    interface: str | None

    def __str__(self) -> str:
        return self.name


class Field(Frozen):
    """A field of a record.

    Attributes
    ----------
    name : str
        As in WIT.
    type : Type
        What it holds.
    """

    name: str
    type: Type

    def __str__(self) -> str:
        return f"{self.name}: {self.type}"


class Record(Named):
    """A record.

    Attributes
    ----------
    fields : tuple of Field
        Its fields, in order.
    """

    fields: tuple[Field, ...]


class Case(Frozen):
    """A case of a variant.

    Attributes
    ----------
    name : str
        As in WIT.
    type : Type | None
        What it holds, None for nothing.
    """

    name: str
    type: Type | None

    def __str__(self) -> str:
        return self.name if self.type is None else f"{self.name}({self.type})"


class Variant(Named):
    """A variant.

    Attributes
    ----------
    cases : tuple of Case
        Its cases, in order.
    """

    cases: tuple[Case, ...]


class Enum(Named):
    """An enum.

    Attributes
    ----------
    cases : tuple of str
        Names of its cases, in order.
    """

    cases: tuple[str, ...]


class Flags(Named):
    """Flags.

    Attributes
    ----------
    flags : tuple of str
        Their names, from bit 0 on.
    """

    flags: tuple[str, ...]


class Alias(Named):
    """Another name for a type: ``type size = u64``.

    Attributes
    ----------
    type : Type
        What it stands for.
    """

    type: Type


class Resource(Named):
    """A type of resources.

    Attributes
    ----------
    constructor : Function | None
        What makes one, None where only functions give one.
    methods, statics : mapping of str to Function
        By their own names, as ``read`` for ``[method]blob.read``.
    """

    constructor: Function | None = None
    methods: Mapping[str, Function] = _NOTHING
    statics: Mapping[str, Function] = _NOTHING

    def __repr__(self) -> str:  # its methods have it among their parameters
        return f"<resource {self.name} of {self.interface or 'the world'}>"


Type: TypeAlias = (
    Primitive | List | Option | Result | Tuple | Own | Borrow | Record | Variant | Enum | Flags | Alias | Resource
)


# What is imported and exported ------------------------------------------------------------------------------------


class Param(Frozen):
    """A parameter.

    Attributes
    ----------
    name : str
        As in WIT.
    type : Type
        What it takes.
    """

    name: str
    type: Type

    def __str__(self) -> str:
        return f"{self.name}: {self.type}"


class Function(Frozen):
    """A function.

    Attributes
    ----------
    name : str
        As in WIT, as ``[method]blob.read``.
    params : tuple of Param
        Its parameters; ``self`` is the first one of methods.
    result : Type | None
        What it gives, None for nothing.
    """

    name: str
    params: tuple[Param, ...]
    result: Type | None

    def __str__(self) -> str:
        result = "" if self.result is None else f" -> {self.result}"
        return f"{self.name}: func({', '.join(map(str, self.params))}){result}"


class CoreModule(Frozen):
    """A core module that a component imports or exports as it is.

    Attributes
    ----------
    name : str
        As it is imported or exported.
    imports : tuple of ModuleImport
        What it imports, or what one that is given may import at most: ``module``, ``name`` and ``type``.
    exports : tuple of ModuleExport
        What it exports, or what one that is given has to export: ``name`` and ``type``.
    """

    name: str
    imports: tuple[ModuleImport, ...] = ()
    exports: tuple[ModuleExport, ...] = ()


NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_MODULES: Final[Mapping[str, CoreModule]] = MappingProxyType({})


class Interface(Frozen, eq=False):
    """An interface, or a component's own imports or exports.

    Attributes
    ----------
    name : str | None
        As in WIT, with package and version; None for a component's own.
    types : mapping of str to Type
        Types by the names that they have here; one that another interface defines is that one's object.
    functions : mapping of str to Function
        All functions, methods too, by their names in WIT.
    interfaces : mapping of str to Interface
        Interfaces, of a component's own imports or exports.
    modules : mapping of str to CoreModule
        Core modules, which WIT has no words for.
    implements : mapping of str to str
        The interface that an instance with a name of its own stands for, by that name.
    external_ids : mapping of str to str
        What something is called outside of components, by its name.
    """

    name: str | None
    types: Mapping[str, Type]
    functions: Mapping[str, Function]
    interfaces: Mapping[str, Interface]
    modules: Mapping[str, CoreModule] = _NO_MODULES
    implements: Mapping[str, str] = NO_TEXTS
    external_ids: Mapping[str, str] = NO_TEXTS

    def __repr__(self) -> str:
        return f"<{self.name or 'world'}: {', '.join([*self.interfaces, *self.modules, *self.types, *self.functions])}>"


class World(Frozen, eq=False):
    """What a component imports and exports.

    Attributes
    ----------
    imports, exports : Interface
        Either side.
    """

    imports: Interface
    exports: Interface
