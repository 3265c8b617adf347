"""As much of Node-API as modules of napi-rs need that take bytes, texts and numbers and return numbers.

They are built for threads: their memory is shared, and each thread has an instance of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import wasmartifact as wa

ENVIRONMENT: Final = 1
#: Kinds of values (napi_valuetype), and of typed arrays.
UNDEFINED, NUMBER, STRING, OBJECT = 0, 3, 4, 6
UINT8_ARRAY: Final = 1
#: The handle of undefined.
NOTHING: Final = 1


class Napi:
    """An instance of a module, and what it exports to JavaScript: functions of Python, by name.

    Parameters
    ----------
    artifact : Artifact
        The module.
    memory : Memory
        That it imports.
    worker : int
        The block of a thread that is not the main one, from `new_worker` of the main instance; 0: the main one.
    """

    def __init__(self, artifact: wa.Artifact, memory: wa.Memory, worker: int = 0) -> None:
        self.memory = memory
        self.exports: dict[str, Callable[..., Any]] = {}
        self._values: list[Any] = [None, None]  # by handle
        self._calls: list[tuple[list[int], int]] = []  # handles of the arguments, and the function's own data
        self._problem: str | None = None
        functions = {
            row.name: wa.Func(self._function(row.name), list(row.type.params), list(row.type.results))
            for row in artifact.metadata.imports
            if row.module == "env" and isinstance(row.type, wa.FuncType)
        }
        imports: dict[str, Any] = dict(wa.Wasi().imports())
        imports["env"] = {**functions, "memory": memory}
        self._guest: Any = artifact.instantiate(imports).exports
        if worker:
            self._guest.emnapi_async_worker_init(worker)
        for name in self._guest:
            if name.startswith("__napi_register__"):
                self._guest[name]()
        self._guest.napi_register_wasm_v1(ENVIRONMENT, self._handle(self.exports))

    def new_worker(self) -> int:
        """Stack and thread-local variables for another thread."""
        return int(self._guest.emnapi_async_worker_create())

    def _function(self, name: str) -> Callable[..., int]:
        """The function of this name, without its environment, as C has it: 0 is success."""
        found = getattr(self, name, None)

        def call(_environment: int, *arguments: int) -> int:
            if found is None:
                raise NotImplementedError(name)
            found(*(argument & 0xFFFFFFFF for argument in arguments))
            return 0

        return call

    def _handle(self, value: Any) -> int:
        self._values.append(value)
        return len(self._values) - 1

    def _put(self, place: int, number: int) -> None:
        if place:
            self.memory[place : place + 4] = number.to_bytes(4, "little")

    def _get(self, place: int) -> int:
        return int.from_bytes(self.memory[place : place + 4], "little")

    def _text(self, place: int, size: int = 0xFFFFFFFF) -> str:
        data = self.memory.read_cstring(place) if size == 0xFFFFFFFF else self.memory[place : place + size]
        return data.decode()

    # ---- functions and objects

    def napi_create_function(self, _name: int, _size: int, callback: int, data: int, result: int) -> None:
        def call(*arguments: Any) -> Any:
            self._calls.append(([self._handle(argument) for argument in arguments], data))
            returned = self._guest["__indirect_function_table"][callback](ENVIRONMENT, len(self._calls))
            self._calls.pop()
            if self._problem is not None:
                problem, self._problem = self._problem, None
                raise ValueError(problem)
            return self._values[returned]

        self._put(result, self._handle(call))

    def napi_get_cb_info(self, _call: int, count: int, values: int, this: int, data: int) -> None:
        handles, own = self._calls[-1]
        for index in range(self._get(count)):
            self._put(values + 4 * index, handles[index] if index < len(handles) else NOTHING)
        self._put(count, len(handles))
        self._put(this, NOTHING)
        self._put(data, own)

    def napi_create_object(self, result: int) -> None:
        self._put(result, self._handle({}))

    def napi_set_named_property(self, target: int, name: int, value: int) -> None:
        self._values[target][self._text(name)] = self._values[value]

    def napi_get_named_property(self, target: int, name: int, result: int) -> None:
        self._put(result, self._handle(self._values[target].get(self._text(name))))

    def napi_get_global(self, result: int) -> None:
        self._put(result, self._handle({}))

    def napi_create_reference(self, value: int, _count: int, result: int) -> None:
        self._put(result, value)

    def napi_throw_error(self, _code: int, message: int) -> None:
        self._problem = self._text(message)

    # ---- values

    def napi_typeof(self, value: int, result: int) -> None:
        kinds = {type(None): UNDEFINED, int: NUMBER, str: STRING}
        self._put(result, kinds.get(type(self._values[value]), OBJECT))

    def napi_is_typedarray(self, value: int, result: int) -> None:
        self.memory[result] = isinstance(self._values[value], bytes)

    def napi_get_typedarray_info(self, value: int, kind: int, size: int, data: int, _buffer: int, offset: int) -> None:
        contents = self._values[value]
        place = self._guest.malloc(len(contents) + 1) & 0xFFFFFFFF
        self.memory[place : place + len(contents)] = contents
        for at, number in ((kind, UINT8_ARRAY), (size, len(contents)), (data, place), (offset, 0)):
            self._put(at, number)

    def napi_get_value_uint32(self, value: int, result: int) -> None:
        self._put(result, self._values[value])

    def napi_create_uint32(self, number: int, result: int) -> None:
        self._put(result, self._handle(number))

    def napi_get_undefined(self, result: int) -> None:
        self._put(result, NOTHING)

    def napi_get_value_string_utf8(self, value: int, place: int, room: int, size: int) -> None:
        data = self._values[value].encode()
        if place:
            data = data[: room - 1]
            self.memory[place : place + len(data) + 1] = data + b"\0"
        self._put(size, len(data))
