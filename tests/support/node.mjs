// The far end of node.py: instances of WebAssembly modules in V8, driven by a line of JSON at a time.
//
// A JSON string stands for a BigInt, [reference] for a tag or an export that an earlier request made.

import { readSync, writeSync } from 'node:fs';

const instances = [];
const memoryOf = (instance) => Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory);
const toJson = (value) => (typeof value === 'bigint' ? value.toString() : value);
const fromJson = (value) => (typeof value === 'string' ? BigInt(value) : value);
const listOf = (values) => (values === undefined ? [] : Array.isArray(values) ? values : [values]);

// Tags in the order in which they became known, with the number of their values.
const tags = [];

// Traps: the same object must go on, since V8 marks it as one that catch_all does not catch.
const traps = [];

class HostError extends Error {}

let pending = Buffer.alloc(0);

function receive() {
  const chunk = Buffer.alloc(1 << 16);
  let end;
  while ((end = pending.indexOf(10)) < 0) {
    const size = readSync(0, chunk);
    if (size === 0) process.exit(0);
    pending = Buffer.concat([pending, chunk.subarray(0, size)]);
  }
  const line = pending.subarray(0, end);
  pending = pending.subarray(end + 1);
  return JSON.parse(line);
}

function send(message) {
  const line = Buffer.from(JSON.stringify(message) + '\n');
  for (let done = 0; done < line.length; ) done += writeSync(1, line, done);
}

function rememberTag(tag, count) {
  if (!tags.some((entry) => entry.tag === tag)) tags.push({ tag, count });
  return tags.findIndex((entry) => entry.tag === tag);
}

function thrown(error) {
  if (error instanceof HostError) return ['host'];
  if (error instanceof WebAssembly.Exception) {
    const index = tags.findIndex((entry) => error.is(entry.tag));
    if (index < 0) return ['threw', null, []];
    const { tag, count } = tags[index];
    return ['threw', index, Array.from({ length: count }, (_, position) => toJson(error.getArg(tag, position)))];
  }
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
    return ['trap', error.message, traps.push(error) - 1];
  }
  throw error;
}

// A function that the near end implements; while it does, that may send requests.
const hostFunction = (identity) => (...values) => {
  send(['import', identity, values.map(toJson)]);
  const [kind, ...rest] = serve();
  if (kind === 'throw') throw new WebAssembly.Exception(tags[rest[0]].tag, rest[1].map(fromJson));
  if (kind === 'trap') throw traps[rest[0]];
  if (kind === 'fail') throw new HostError();
  return rest[0] === null ? undefined : fromJson(rest[0]);
};

function importOf([kind, ...rest]) {
  if (kind === 'func') return hostFunction(rest[0]);
  if (kind === 'tag') return tags[rest[0]].tag;
  return instances[rest[0]].exports[rest[1]];
}

const requests = {
  tag: (parameters) => ['tag', rememberTag(new WebAssembly.Tag({ parameters }), parameters.length)],
  instantiate(module, imports, tagCounts) {
    const given = {};
    for (const [moduleName, name, what] of imports) (given[moduleName] ??= {})[name] = importOf(what);
    let instance;
    try {
      instance = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(module, 'base64')), given);
    } catch (error) {
      return thrown(error);
    }
    instances.push(instance);
    const known = tagCounts.map(([name, count]) => [name, rememberTag(instance.exports[name], count)]);
    return ['instance', instances.length - 1, known];
  },
  call(instance, name, values) {
    try {
      return ['return', listOf(instances[instance].exports[name](...values.map(fromJson))).map(toJson)];
    } catch (error) {
      return thrown(error);
    }
  },
  global: (instance, name) => ['return', [toJson(instances[instance].exports[name].value)]],
  read: (instance, offset, size) => [
    'bytes', Buffer.from(memoryOf(instances[instance]).buffer, offset, size).toString('base64'),
  ],
  write(instance, offset, data) {
    Buffer.from(memoryOf(instances[instance]).buffer).set(Buffer.from(data, 'base64'), offset);
    return ['return', []];
  },
  grow: (instance, pages) => ['return', [memoryOf(instances[instance]).grow(pages)]],
  forget() {
    instances.length = tags.length = traps.length = 0;
    return ['return', []];
  },
};

// Answers requests until the near end has the result of a host function.
function serve() {
  for (;;) {
    const message = receive();
    const [kind, ...values] = message;
    if (['result', 'throw', 'trap', 'fail'].includes(kind)) return message;
    send(requests[kind](...values));
  }
}

serve();
