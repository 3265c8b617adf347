"""WIT text of a component's types, as ``wasm-tools component wit`` reads it."""

from __future__ import annotations

from collections.abc import Iterator

from wasmartifact.wit import types as wit

_KEYWORDS = frozenset((
    "as", "async", "bool", "borrow", "char", "constructor", "enum", "error-context", "export", "f32", "f64", "flags",
    "from", "func", "future", "import", "include", "interface", "list", "map", "option", "own", "package", "record",
    "resource", "result", "s16", "s32", "s64", "s8", "static", "stream", "string", "tuple", "type", "u16", "u32", "u64",
    "u8", "use", "variant", "with", "world",
))  # fmt: skip


def identifier(name: str) -> str:
    """A name as it is written: keywords get a percent sign."""
    return f"%{name}" if name in _KEYWORDS else name


def world_text(world: wit.World) -> Iterator[str]:
    """Lines of the WIT of a component: its world, then the packages that its interfaces are of."""
    yield "package root:component;"
    yield ""
    yield "world root {"
    for word, side in (("import", world.imports), ("export", world.exports)):
        yield from _side(word, side)
    yield "}"
    packages: dict[str, dict[str, wit.Interface]] = {}
    for side in (world.exports, world.imports):  # what is imported hides nothing of what is exported
        for name, interface in side.interfaces.items():
            if ":" in name:
                package, _, short = name.partition("/")
                short, _, version = short.partition("@")
                known = packages.setdefault(package + ("@" + version if version else ""), {})
                known[short] = _merged(known[short], interface) if short in known else interface
    for package, interfaces in packages.items():
        yield f"package {package} {{"
        for name, interface in interfaces.items():
            yield f"  interface {identifier(name)} {{"
            yield from _Body(interface, "    ").lines()
            yield "  }"
        yield "}"


def _merged(one: wit.Interface, other: wit.Interface) -> wit.Interface:
    """An interface that is imported and exported: either side may leave out what it does not need."""
    return wit.Interface(one.name, {**other.types, **one.types}, {**other.functions, **one.functions}, {})


def _side(word: str, side: wit.Interface) -> Iterator[str]:
    for name, interface in side.interfaces.items():
        if ":" in name:
            yield f"  {word} {name};"
        else:
            yield f"  {word} {identifier(name)}: interface {{"
            yield from _Body(interface, "    ").lines()
            yield "  }"
    body = _Body(side, "  ")
    yield from body.types()
    for function in side.functions.values():
        if not function.name.startswith("["):
            yield f"  {word} {identifier(function.name)}: {body.signature(function)};"


class _Body:
    """Lines of what stands in an interface, in which types have their names there."""

    def __init__(self, interface: wit.Interface, indent: str) -> None:
        self.interface = interface
        self.indent = indent
        self.names: dict[int, str] = {}
        for name, type_ in interface.types.items():
            self.names.setdefault(id(type_), name)
        self.same = {
            (type_.interface, type_.name): name
            for name, type_ in interface.types.items()
            if isinstance(type_, wit.Named)
        }

    def lines(self) -> Iterator[str]:
        """All lines."""
        yield from self.types()
        for function in self.interface.functions.values():
            if not function.name.startswith("["):
                yield f"{self.indent}{identifier(function.name)}: {self.signature(function)};"

    def types(self) -> Iterator[str]:
        """Lines of its types."""
        for name, type_ in self.interface.types.items():
            for line in self.definition(name, type_):
                yield self.indent + line

    def definition(self, name: str, type_: wit.Type) -> Iterator[str]:
        """A type: defined here, another name for one that is, or used from another interface."""
        written = identifier(name)
        if isinstance(type_, wit.Named) and (type_.interface, type_.name) != (self.interface.name, name):
            if type_.interface == self.interface.name or type_.interface is None or ":" not in type_.interface:
                yield f"type {written} = {identifier(type_.name)};"
                return
            renamed = "" if name == type_.name else f" as {written}"
            yield f"use {self.place(type_.interface)}.{{{identifier(type_.name)}{renamed}}};"
            return
        match type_:
            case wit.Record(fields=fields):
                yield f"record {written} {{"
                yield from (f"  {identifier(field.name)}: {self.text(field.type)}," for field in fields)
                yield "}"
            case wit.Variant(cases=cases):
                yield f"variant {written} {{"
                for case in cases:
                    payload = "" if case.type is None else f"({self.text(case.type)})"
                    yield f"  {identifier(case.name)}{payload},"
                yield "}"
            case wit.Enum(cases=labels) | wit.Flags(flags=labels):
                yield f"{'enum' if isinstance(type_, wit.Enum) else 'flags'} {written} {{"
                yield from (f"  {identifier(label)}," for label in labels)
                yield "}"
            case wit.Alias(type=meant):
                yield f"type {written} = {self.text(meant)};"
            case wit.Resource():
                yield from self.resource(written, type_)
            case _:
                yield f"type {written} = {self.text(type_)};"

    def resource(self, written: str, resource: wit.Resource) -> Iterator[str]:
        """A resource with its functions."""
        lines = []
        if resource.constructor is not None:
            lines.append(self.signature(resource.constructor).replace("func", "constructor", 1).partition(" -> ")[0])
        for name, method in resource.methods.items():
            own = wit.Function(method.name, method.params[1:], method.result)
            lines.append(f"{identifier(name)}: {self.signature(own)}")
        lines += [f"{identifier(name)}: static {self.signature(each)}" for name, each in resource.statics.items()]
        if not lines:
            yield f"resource {written};"
            return
        yield f"resource {written} {{"
        yield from (f"  {line};" for line in lines)
        yield "}"

    def place(self, interface: str) -> str:
        """How another interface is named from here."""
        package, _, rest = interface.partition("/")
        own, _, own_rest = (self.interface.name or "").partition("/")
        short, _, version = rest.partition("@")
        return short if own == package and own_rest.partition("@")[2] == version else interface

    def signature(self, function: wit.Function) -> str:
        """``func(a: u8) -> string``."""
        params = ", ".join(f"{identifier(param.name)}: {self.text(param.type)}" for param in function.params)
        result = "" if function.result is None else f" -> {self.text(function.result)}"
        return f"func({params}){result}"

    def text(self, type_: wit.Type) -> str:
        """A type where it is used."""
        match type_:
            case wit.Own(resource=resource):
                return self.name(resource)
            case wit.Borrow(resource=resource):
                return f"borrow<{self.name(resource)}>"
            case wit.List(element=element):
                return f"list<{self.text(element)}>"
            case wit.Option(some=some):
                return f"option<{self.text(some)}>"
            case wit.Tuple(items=items):
                return f"tuple<{', '.join(map(self.text, items))}>"
            case wit.Result(ok=ok, err=err):
                return str(
                    wit.Result(*(None if part is None else wit.Primitive(self.text(part)) for part in (ok, err)))
                )
            case wit.Primitive(name=name):
                return name
            case _:
                return self.name(type_)

    def name(self, type_: wit.Named) -> str:
        """The name that a type has here."""
        own = self.names.get(id(type_)) or self.same.get((type_.interface, type_.name))
        return identifier(own or type_.name)
