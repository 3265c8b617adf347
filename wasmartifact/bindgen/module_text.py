"""The module of an interface: its types as classes, and a class with its functions."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from wasmartifact.bindgen.annotations import Way, annotation, meant
from wasmartifact.bindgen.docs import Docs
from wasmartifact.bindgen.names import Names
from wasmartifact.runtime.component_types import camel, snake
from wasmartifact.wit import types as wit

MARK = "# Made by `wasmartifact bindgen`: change the component, not this file."
#: What modules import for themselves, and what no class may hide.
_SUPPORT = {
    "Buffer": "from wasmartifact.bindings import Buffer",
    "Callable": "from collections.abc import Callable",
    "ClassVar": "from typing import ClassVar",
    "Enum": "from enum import Enum",
    "Exports": "from wasmartifact.bindings import Exports",
    "IntFlag": "from enum import IntFlag",
    "Literal": "from typing import Literal",
    "Namespace": "from wasmartifact.runtime.component import Namespace",
    "NowOrLater": "from wasmartifact.bindings import NowOrLater",
    "Package": "from wasmartifact.bindings import Package",
    "Protocol": "from typing import Protocol",
    "Resource": "from wasmartifact.bindings import Resource",
    "Self": "from typing import Self",
    "Sequence": "from collections.abc import Sequence",
    "TYPE_CHECKING": "from typing import TYPE_CHECKING",
    "TypeAlias": "from typing import TypeAlias",
    "Unbound": "from wasmartifact.bindings import Unbound",
    "builtins": "import builtins",
    "dataclass": "from dataclasses import dataclass",
    "wa": "import wasmartifact as wa",
    "wit_name": "from wasmartifact.bindings import wit_name",
}
#: What stands in every package for itself.
RESERVED = frozenset((*_SUPPORT, "CLASSES", "HOST", "Instance", "PACKAGE"))
#: Names of Python's own that annotations use.
_BUILTINS = frozenset(("bool", "bytes", "float", "int", "list", "memoryview", "str", "tuple", "type"))
#: What the bodies of classes use, and no attribute may hide there.
_IN_CLASSES = ("builtins", "staticmethod", "wa", "wit_name")
_LINE_COLUMNS = 120
_OF_ANNOTATIONS = re.compile(r"\b(Sequence|Buffer|wa|builtins)\b")
#: What resources have whatever their methods are.
_OF_RESOURCES = ("close", "closed")


class Module:
    """A module of the package.

    Parameters
    ----------
    name : str
        Its name in the package, as ``exports.api``; ``exports`` for what the component itself exports.
    interface : Interface
        What it is of.
    is_export : bool
        Which side it is of.
    home_of : callable
        The module that defines a type, and the name that it has there.
    docs : Docs
        What WIT says of it.
    """

    def __init__(
        self,
        name: str,
        interface: wit.Interface,
        *,
        is_export: bool,
        home_of: Callable[[wit.Named], tuple[Module, str]],
        docs: Docs,
    ) -> None:
        self.name = name
        self.interface = interface
        self.is_export = is_export
        self.names = Names(RESERVED)
        #: Name of the class of the interface's functions.
        self.own = "Instance"
        #: Types that are defined here, by the names of their classes.
        self.classes: dict[str, wit.Type] = {}
        #: Classes of the cases of variants that are defined here.
        self.cases: dict[str, tuple[str, ...]] = {}
        #: Names that the module has for its users.
        self.public: list[str] = []
        #: Lines that import what the text uses.
        self.imports: set[str] = set()
        self._home_of = home_of
        self._docs = docs
        self._local: dict[int, str] = {}
        self._given, self._back = (Way.GIVEN, Way.BACK) if is_export else (Way.BACK, Way.GIVEN)

    # Names --------------------------------------------------------------------------------------------------------

    def define(self, name: str, type_: wit.Type) -> str:
        """Let a type be defined here; the name of its class."""
        own = self.names.take(camel(name))
        self.classes[own] = type_
        self.public.append(own)
        if isinstance(type_, wit.Variant):
            self.cases[own] = tuple([self.names.take(camel(f"{name}-{case.name}")) for case in type_.cases])
            self.public += self.cases[own]
        return own

    def use(self, name: str) -> str:
        """A name that is imported for the module itself."""
        self.imports.add(_SUPPORT[name])
        return name

    def name_of(self, type_: wit.Named) -> str:
        """The name of a type here, which is imported from where it is defined."""
        home, name = self._home_of(type_)
        if home is self:
            return name
        if id(type_) not in self._local:
            local = self._local[id(type_)] = self.names.take(camel(self._first_name(type_)))
            self.take_over(home, name, local)
        return self._local[id(type_)]

    def take_over(self, home: Module, name: str, local: str) -> None:
        """Import a class of another module, for users of this one, too."""
        self.imports.add(f"from {self.path_to(home)} import {name}" + (f" as {local}" if local != name else ""))
        self.public.append(local)

    def path_to(self, other: Module) -> str:
        """Another module as an import here names it."""
        side, _, rest = other.name.partition(".")
        if not self.name:
            return f".{other.name}"
        return f".{rest}" if side == self.name.partition(".")[0] else f"..{other.name}"

    def _text(self, item: str = "", part: str = "") -> list[str]:
        return self._docs.lines(self.interface.name, item, part)

    def _class_docstring(self, name: str, words: list[str]) -> Iterator[str]:
        return _docstring("    ", self._text(name), words)

    def _attribute_names(self, *taken: str) -> Names:
        """Names of what a class has, which hide nothing that annotations and decorators in it mean."""
        return Names((*_IN_CLASSES, *self.classes, *self._local.values(), *taken))

    # Annotations --------------------------------------------------------------------------------------------------

    def annotate(self, type_: wit.Type | None, way: Way, hidden: frozenset[str] = frozenset()) -> str:
        """An annotation, with all that it uses imported."""
        text = annotation(type_, way, self.name_of, hidden & _BUILTINS)
        for name in _OF_ANNOTATIONS.findall(text):
            self.use(name)
        return text

    def result(self, function: wit.Function, hidden: frozenset[str] = frozenset()) -> str:
        """What a function gives back: of a result, its value."""
        return self.annotate(_value_type(function), self._back, hidden)

    def parameters(self, params: tuple[wit.Param, ...], first: str, hidden: frozenset[str]) -> list[str]:
        """Parameters as a function of Python has them; functions of the host take theirs by place."""
        names = Names([first])
        texts = [first] if first else []
        for param in params:
            texts.append(f"{names.take(snake(param.name))}: {self.annotate(param.type, self._given, hidden)}")
        if not self.is_export and texts:
            texts.append("/")
        return texts

    def callable(self, function: wit.Function) -> str:
        """The annotation of a function that is imported by itself."""
        self.use("Callable")
        params = ", ".join(self.annotate(param.type, Way.BACK) for param in function.params)
        return f"Callable[[{params}], {self.now_or_later(function)}]"

    def now_or_later(self, function: wit.Function, hidden: frozenset[str] = frozenset()) -> str:
        """What a function of the host gives back, which may be ``async def``."""
        return f"{self.use('NowOrLater')}[{self.annotate(_value_type(function), Way.GIVEN, hidden)}]"

    # Definitions --------------------------------------------------------------------------------------------------

    def definitions(self) -> Iterator[str]:
        """Lines of the types that are defined here, and of other names for types."""
        for own, type_ in self.classes.items():
            yield ""
            yield ""
            yield from self._definition(own, type_)
        for name, type_ in self.interface.types.items():
            assert isinstance(type_, wit.Named)  # it has this name
            local = self.name_of(type_)
            if name != self._first_name(type_):
                other = self.names.take(camel(name))
                self.public.append(other)
                yield ""
                yield ""
                yield f"{other}: {self.use('TypeAlias')} = {local}"

    def _first_name(self, type_: wit.Named) -> str:
        """The name in WIT that a type's name here is made of."""
        if self._home_of(type_)[0] is self:
            return type_.name
        return next((name for name, same in self.interface.types.items() if same is type_), type_.name)

    def _definition(self, own: str, type_: wit.Type) -> Iterator[str]:
        match type_:
            case wit.Record():
                yield from self._record(own, type_)
            case wit.Variant():
                yield from self._variant(own, type_)
            case wit.Enum(name=name, cases=labels):
                yield f"class {own}(str, {self.use('Enum')}):"
                yield from self._class_docstring(name, [f"Enum ``{name}``."])
                yield ""
                for label in labels:
                    yield from (f"    #: {line}".rstrip() for line in self._text(name, label))
                    yield f'    {snake(label).upper()} = "{label}"'
            case wit.Flags(name=name, flags=labels):
                yield f"class {own}({self.use('IntFlag')}):"
                yield from self._class_docstring(name, [f"Flags ``{name}``."])
                yield ""
                for bit, label in enumerate(labels):
                    yield from (f"    #: {line}".rstrip() for line in self._text(name, label))
                    yield f"    {snake(label).upper()} = {1 << bit:#x}"
            case wit.Resource():
                yield from self._resource(own, type_)
            case wit.Alias(name=name, type=behind):
                yield from (f"#: {line}".rstrip() for line in self._text(name))
                yield f'{own}: {self.use("TypeAlias")} = "{self.annotate(behind, Way.HELD)}"'

    def _record(self, own: str, record: wit.Record) -> Iterator[str]:
        names = self._attribute_names()
        attributes = [names.take(snake(field.name)) for field in record.fields]
        hidden = frozenset(attributes)
        annotations = [self.annotate(field.type, Way.HELD, hidden) for field in record.fields]
        yield f"@{self.use('dataclass')}(frozen=True, slots=True)"
        yield f"class {own}:"
        words = [f"Record ``{record.name}``.", "", "Attributes", "----------"]
        for attribute, text, field in zip(attributes, annotations, record.fields, strict=True):
            words.append(f"{attribute} : {text}")
            words += [f"    {line}" for line in (*self._text(record.name, field.name), f"``{field.type}``")]
        yield from self._class_docstring(record.name, words)
        yield ""
        yield from (f"    {attribute}: {text}" for attribute, text in zip(attributes, annotations, strict=True))

    def _variant(self, own: str, variant: wit.Variant) -> Iterator[str]:
        for name, case in zip(self.cases[own], variant.cases, strict=True):
            yield f"@{self.use('dataclass')}(frozen=True, slots=True)"
            yield f"class {name}:"
            yield from _docstring(
                "    ", [*self._text(variant.name, case.name)], [f"Case ``{case}`` of variant ``{variant.name}``."]
            )
            yield ""
            none = f"{self.use('ClassVar')}[None] = None"
            yield f"    value: {none if case.type is None else self.annotate(case.type, Way.HELD)}"
            yield f'    case: ClassVar[{self.use("Literal")}["{case.name}"]] = "{case.name}"'
            yield ""
            yield ""
        yield from (f"#: {line}".rstrip() for line in self._text(variant.name))
        yield from _wrapped(f"{own}: {self.use('TypeAlias')} = ", self.cases[own], " |")

    def _resource(self, own: str, resource: wit.Resource) -> Iterator[str]:
        if not self.is_export:
            yield f"class {own}({self.use('Protocol')}):"
            words = [
                f"Resource ``{resource.name}``, which the host has: any object with these methods.",
                "",
                "When the component drops one for good, its ``close()`` is called, if it has one.",
            ]
            yield from self._class_docstring(resource.name, words)
        else:
            yield f"class {own}({self.use('Resource')}):"
            yield from self._class_docstring(resource.name, [f"Resource ``{resource.name}``."])
            yield ""
            yield "    __slots__ = ()"
        methods = resource.methods
        names = self._attribute_names(*_OF_RESOURCES) if self.is_export else self._attribute_names()
        attributes = {name: names.take(snake(name)) for name in (*methods, *resource.statics)}
        hidden = frozenset(attributes.values())
        if self.is_export and resource.constructor is not None:
            yield from self._function("__new__", resource.constructor, hidden, first="cls", result=self.use("Self"))
        for name, function in methods.items():
            bare = wit.Function(function.name, function.params[1:], function.result)
            yield from self._function(attributes[name], bare, hidden)
        for name, function in resource.statics.items() if self.is_export else ():
            yield from self._function(attributes[name], function, hidden, first="", decorator="    @staticmethod")

    def _function(
        self,
        attribute: str,
        function: wit.Function,
        hidden: frozenset[str],
        *,
        first: str = "self",
        result: str | None = None,
        decorator: str | None = None,
    ) -> Iterator[str]:
        """Lines of a function in a class."""
        if result is None:
            result = self.result(function, hidden)
        yield ""
        if decorator:
            yield decorator
        yield f'    @{self.use("wit_name")}("{function.name}")'
        yield from _wrapped(
            f"    def {attribute}", self.parameters(function.params, first, hidden), ",", f" -> {result}:"
        )
        yield from _docstring("        ", self._text(function.name), _function_words(function))
        yield f"        raise {self.use('Unbound')}" if self.is_export else "        ..."

    # Functions ----------------------------------------------------------------------------------------------------

    def exports(self, words: str, attributes: Iterable[tuple[str, str, str]] = ()) -> Iterator[str]:
        """Lines of the class of what an instance exports: its functions, its resources, and other attributes.

        ``attributes`` are (name, annotation, expression), made when an instance is.
        """
        functions = {name: function for name, function in self.interface.functions.items() if name[0] != "["}
        names = self._attribute_names()
        methods = {name: names.take(snake(name)) for name in functions}
        names = Names(methods.values())  # what is set in an instance hides nothing in its class
        given = [(names.take(name), text, value) for name, text, value in attributes]
        for name, type_ in self.interface.types.items():
            if isinstance(type_, wit.Resource) and self._home_of(type_)[0].is_export:
                given.append((names.take(camel(name)), f"type[{self.name_of(type_)}]", f'exports["{name}"]'))
        hidden = frozenset(methods.values())
        yield f"class {self.own}({self.use('Exports')}):"
        attribute_words = [f"{name} : {text}" for name, text, _ in given]
        section = ["", "Attributes", "----------", *attribute_words] if given else []
        yield from _docstring("    ", self._text(), [words, *section])
        if given:
            yield ""
            yield f"    def __init__(self, exports: {self.use('Namespace')}) -> None:"
            yield "        super().__init__(exports)"
            yield from (f"        self.{name}: {text} = {value}" for name, text, value in given)
        for name, function in functions.items():
            yield from self._function(methods[name], function, hidden)

    def protocol(self, words: str) -> Iterator[str]:
        """Lines of the class of what the host has to have for an interface."""
        names = self._attribute_names()
        attributes = {name: names.take(_host_name(name)) for name in self.interface.functions if name[:8] != "[method]"}
        hidden = frozenset(attributes.values())
        yield f"class {self.own}({self.use('Protocol')}):"
        yield from _docstring("    ", self._text(), [words])
        for name, attribute in attributes.items():
            function = self.interface.functions[name]
            yield from self._function(attribute, function, hidden, result=self.now_or_later(function, hidden))

    def class_table(self) -> Iterator[str]:
        """Lines of the table by which values find their classes."""
        if not self.classes:
            yield "CLASSES: dict[str, object] = {}"
            return
        yield "CLASSES: dict[str, object] = {"
        for own, type_ in self.classes.items():
            if isinstance(type_, wit.Variant):
                cases = self.cases[own]
                items = cases if len(cases) > 1 else (f"{cases[0]},",)
                yield from _wrapped(f'    "{type_.name}": ', items, ",", after=",")
            elif isinstance(type_, wit.Named) and not isinstance(type_, wit.Alias):
                yield f'    "{type_.name}": {own},'
        yield "}"

    def public_lines(self) -> Iterator[str]:
        """Lines of the list of what the module has for its users."""
        yield ""
        if self.public:
            yield "__all__ = ["
            yield from (f'    "{name}",' for name in sorted(self.public))
            yield "]"
        else:
            yield "__all__: list[str] = []"

    def import_lines(self) -> Iterator[str]:
        """Lines that import what the text uses, in groups: Python's, the library's, the package's."""
        whole = {line for line in self.imports if line.startswith("import ")}
        places: dict[str, list[str]] = {}
        for line in sorted(self.imports - whole):
            place, _, name = line.removeprefix("from ").partition(" import ")
            places.setdefault(place, []).append(name)
        whole.update(f"from {place} import {', '.join(names)}" for place, names in places.items())
        groups: dict[int, list[str]] = {}
        for line in sorted(whole, key=lambda line: (line.startswith("from"), line)):
            place = line.split()[1]
            groups.setdefault(2 if place[0] == "." else place.startswith("wasmartifact"), []).append(line)
        for _, lines in sorted(groups.items()):
            yield ""
            yield from lines


def _wrapped(before: str, items: Sequence[str], comma: str, after: str = "") -> Iterator[str]:
    """Lines of items in parentheses: one, where they fit; without parentheses, where that is all that they are for."""
    whole = f"{comma} ".join(items)
    is_expression = comma == " |"
    line = f"{before}{whole}" if is_expression else f"{before}({whole}){after}"
    if len(line) <= _LINE_COLUMNS:
        yield line
        return
    indent = " " * (len(before) - len(before.lstrip()) + 4)
    yield f"{before}("
    if is_expression:
        yield f"{indent}{items[0]}"
        yield from (f"{indent}| {item}" for item in items[1:])
    else:
        yield from (f"{indent}{item.rstrip(',')}{comma}" for item in items)
    yield f"{indent[4:]}){after}"


def _host_name(name: str) -> str:
    """What a function of the host is called: ``new_blob`` makes a resource, ``blob_merge`` is a static function."""
    kind, closing, rest = name.rpartition("]")
    if not closing:
        return snake(name)
    return snake(f"new-{rest}" if kind == "[constructor" else rest.replace(".", "-"))


def _docstring(indent: str, text: list[str], words: list[str]) -> Iterator[str]:
    """Lines of a docstring: what WIT says, and words of our own."""
    first, *more = [*text, *([""] if text else []), *words]
    if not more:
        yield f'{indent}"""{first}"""'
        return
    yield f'{indent}"""{first}'
    yield from (f"{indent}{line}".rstrip() for line in more)
    yield f'{indent}"""'


def _value_type(function: wit.Function) -> wit.Type | None:
    """The type of what a function returns: of a result, what comes with the good outcome; the other one is raised."""
    result = None if function.result is None else meant(function.result)
    return result.ok if isinstance(result, wit.Result) else function.result


def _function_words(function: wit.Function) -> list[str]:
    """What a function is in WIT, and what it raises."""
    words = [f"``{_declaration(function)}``."]
    result = None if function.result is None else meant(function.result)
    if isinstance(result, wit.Result):
        err = result.err
        words += ["", "Raises", "------", "wasmartifact.Err"]
        words.append(f"    With {'no value' if err is None else f'``{err}``'}.")
    return words


def _declaration(function: wit.Function) -> str:
    """A function as WIT has it, among those of its resource where it is of one."""
    kind, closing, rest = function.name.rpartition("]")
    words = str(function).removeprefix(function.name)
    if kind == "[constructor":
        return words.removeprefix(": func").partition(" -> ")[0].join(("constructor", ""))
    if kind == "[static":
        words = words.replace(": func", ": static func", 1)
    return f"{rest.partition('.')[2] if closing else rest}{words}"


def is_importable(name: str) -> bool:
    """Whether a package can be called so."""
    return name.isidentifier() and not keyword.iskeyword(name)
