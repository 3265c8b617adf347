"""All modules of a package, from the types of a component."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from wasmartifact.bindgen.docs import Docs
from wasmartifact.bindgen.module_text import MARK, Module
from wasmartifact.bindgen.names import Names, interface_names
from wasmartifact.dataclass import dataclass
from wasmartifact.errors import CorruptArtifact, UnsupportedModule
from wasmartifact.runtime.component_types import camel, snake
from wasmartifact.wit import types as wit

_EXPORTED = "Bodies of functions here never run: what an instance has are the component's own."


def package_files(world: wit.World, name: str, source: str, docs: Docs) -> Mapping[str, str]:
    """Text of each Python file of a package, by its path in it.

    Parameters
    ----------
    world : World
        Types of the component.
    name : str
        What the package is called.
    source : str
        What the component is called in docstrings.
    docs : Docs
        What WIT says of it.
    """
    return dict(_Package(world, name, source, docs).files())


@dataclass
class _Side:
    """The modules of what is imported or exported, by the names of the interfaces; "" is the component itself."""

    word: str
    modules: dict[str, Module]
    shorts: Mapping[str, str]


class _Package:
    def __init__(self, world: wit.World, name: str, source: str, docs: Docs) -> None:
        self.name, self.source, self.docs = name, source, docs
        self.homes: dict[int, tuple[Module, str]] = {}
        self.imports = self._side("imports", world.imports, is_export=False)
        self.exports = self._side("exports", world.exports, is_export=True)
        types = {**world.imports.types, **world.exports.types}
        own = wit.Interface(None, types, world.exports.functions, world.exports.interfaces)
        self.root = Module("", own, is_export=True, home_of=self._home_of, docs=self.docs)

    def _home_of(self, type_: wit.Named) -> tuple[Module, str]:
        if id(type_) not in self.homes:  # which no valid component has
            raise CorruptArtifact(
                f"the component has a {type(type_).__name__.lower()} without a name", path=self.source
            )
        return self.homes[id(type_)]

    def _side(self, word: str, own: wit.Interface, *, is_export: bool) -> _Side:
        shorts = interface_names(own.interfaces, Names())
        modules: dict[str, Module] = {}
        for interface in [*own.interfaces.values(), own]:
            if interface.name and interface.interfaces:
                words = f"{self.source}: the interface {interface.name!r} has interfaces in it, which are no WIT"
                raise UnsupportedModule(words, feature="bindgen-nested-interfaces")
            short = shorts.get(interface.name or "", "")
            name = f"{word}.{snake(short)}" if short else word
            modules[interface.name or ""] = Module(
                name, interface, is_export=is_export, home_of=self._home_of, docs=self.docs
            )
        for module in modules.values():  # a type is at home where it is defined
            for name, type_ in module.interface.types.items():
                assert isinstance(type_, wit.Named)  # it has this name
                if id(type_) not in self.homes and (type_.interface, type_.name) == (module.interface.name, name):
                    self.homes[id(type_)] = module, module.define(name, type_)
        for name, module in modules.items():
            title = camel(shorts[name]) if name else ""
            if title:
                module.own = module.names.take_first((title, f"{title}Interface"))
                module.public.append(module.own)
        return _Side(word, modules, shorts)

    def files(self) -> Iterator[tuple[str, str]]:
        """Paths and texts."""
        for interface, module in self.imports.modules.items():
            yield _path(module), self._imported(interface, module)
        for interface, module in self.exports.modules.items():
            yield _path(module), self._exported(interface, module)
        yield "__init__.py", self._root()
        yield "py.typed", ""

    def _imported(self, interface: str, module: Module) -> str:
        lines = list(module.definitions())
        if not interface:
            words = "What the component imports: a module for each interface, and the types of its own imports."
            return _text([words], module, [*lines, "", "", *module.class_table()])
        lines += ["", "", *module.protocol(f"What the host has to have for ``{interface}``.")]
        lines += ["", "", *module.class_table(), f"HOST = {module.own}"]
        return _text([f"Interface ``{interface}``, which the component imports."], module, lines)

    def _exported(self, interface: str, module: Module) -> str:
        lines = list(module.definitions())
        if interface:
            words = f"Interface ``{interface}``, which the component exports."
            lines += ["", "", *module.exports(f"Interface ``{interface}`` of an instance.")]
        else:
            words = "What the component exports: a module for each interface, and the types of its own exports."
        lines += ["", "", *module.class_table()]
        return _text([words, "", _EXPORTED], module, lines)

    # The package itself -------------------------------------------------------------------------------------------

    def _root(self) -> str:
        root = self.root
        for type_ in root.interface.types.values():
            assert isinstance(type_, wit.Named)  # it has this name
            root.name_of(type_)
            home, own = self._home_of(type_)
            for case in home.cases.get(own, ()):
                root.take_over(home, case, root.names.take(case))
        root.public += ["Instance", "component", "instantiate"]
        wanted = _Wanted(self.imports, root)
        words = [
            f"The component {self.source}, with types.",
            "",
            f"``{self.name}.instantiate({'...' if wanted.lines else ''})`` makes an instance. {_EXPORTED}",
        ]
        exports = list(root.exports("An instance of the component.", self._interfaces()))
        lines = [
            *wanted.typing_lines(),
            "",
            f"PACKAGE = {root.use('Package')}(",
            "    __name__,",
            "    __file__,",
            "    {",
            *self._modules(),
            "    },",
            ")",
            "",
            "",
            f"def component() -> {root.use('wa')}.Component:",
            '    """The component, loaded when it is first asked for."""',
            "    return PACKAGE.component",
            "",
            "",
            *exports,
            "",
            "",
            *wanted.function(),
        ]
        return _text(words, root, lines)

    def _modules(self) -> Iterator[str]:
        for is_export, side in ((False, self.imports), (True, self.exports)):
            for interface, module in side.modules.items():
                yield f'        ({is_export}, "{interface}"): "{module.name}",'

    def _interfaces(self) -> Iterator[tuple[str, str, str]]:
        """Attributes of an instance that are interfaces: name, annotation and expression."""
        for interface, short in self.exports.shorts.items():
            module, own = f"exports_{snake(short)}", self.exports.modules[interface].own
            self.root.imports.add(f"from .exports import {snake(short)} as {module}")
            yield snake(short), f"{module}.{own}", f'{module}.{own}(exports["{interface}"])'


class _Wanted:
    """The function that makes an instance: its parameters are what the component imports."""

    def __init__(self, imports: _Side, root: Module) -> None:
        self.root = root
        names = Names(("wasi", "store", "imports"))
        #: What is imported: parameter, its declaration, and what it is for in WIT.
        self.lines: list[tuple[str, str, str]] = []
        self.modules: list[str] = []
        for interface, short in imports.shorts.items():
            module = imports.modules[interface]
            if module.interface.functions:
                name = names.take(snake(short))
                optional = " | None = None" if interface.startswith("wasi:") else ""
                self.lines.append((name, f"{name}: imports_{snake(short)}.{module.own}{optional}", interface))
                self.modules.append(snake(short))
        for function in imports.modules[""].interface.functions.values():
            if function.name[0] != "[":
                name = names.take(snake(function.name))
                self.lines.append((name, f"{name}: {root.callable(function)}", function.name))
        self.has_wasi = any(interface.startswith("wasi:") for _, _, interface in self.lines)

    def typing_lines(self) -> Iterator[str]:
        """Lines that import the modules of imported interfaces, for checkers only: no program needs all of them."""
        if self.modules:
            yield ""
            yield f"if {self.root.use('TYPE_CHECKING')}:"
            yield from (f"    from .imports import {module} as imports_{module}" for module in sorted(self.modules))

    def function(self) -> Iterator[str]:
        """Lines of the function."""
        yield "def instantiate("
        yield "    *,"
        yield from (f"    {declaration}," for _, declaration, _ in self.lines)
        if self.has_wasi:
            yield "    wasi: wa.Wasi | None = None,"
        yield "    store: wa.Store | None = None,"
        yield ") -> Instance:"
        yield '    """An instance of the component.'
        yield ""
        yield "    Parameters"
        yield "    ----------"
        for name, _, wit_name in self.lines:
            yield f"    {name}"
            yield f"        ``{wit_name}``."
        if self.has_wasi:
            yield "    wasi : wasmartifact.Wasi, optional"
            yield "        What has the interfaces of WASI that are not given."
        yield "    store : wasmartifact.Store, optional"
        yield "        Where the instance shall live; by default it gets a store of its own."
        yield ""
        yield "    Raises"
        yield "    ------"
        yield "    wasmartifact.UnlinkableModule"
        yield "        A function is missing."
        yield "    wasmartifact.Trap"
        yield "        A start function trapped."
        yield '    """'
        yield "    imports: dict[str, object] = {"
        yield from (f'        "{wit_name}": {name},' for name, _, wit_name in self.lines)
        yield "    }"
        yield f"    return Instance(PACKAGE.instantiate(imports, {'wasi' if self.has_wasi else 'None'}, store))"


def _path(module: Module) -> str:
    return module.name.replace(".", "/") + (".py" if "." in module.name else "/__init__.py")


def _text(words: Iterable[str], module: Module, lines: Iterable[str]) -> str:
    """A whole file."""
    first, *more = words
    head = [MARK, f'"""{first}' + ('"""' if not more else ""), *more, *(['"""'] if more else [])]
    imports = ["", "from __future__ import annotations", *module.import_lines(), *module.public_lines()]
    return "\n".join([*head, *imports, *lines]) + "\n"
