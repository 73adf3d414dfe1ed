// Runs in a fresh context before the script: what transforms have in place of a clock, dice and a network.
// It hands back the values that the engine works with, so that a script cannot exchange them.
(native, settings) => {
  'use strict';
  const { defineProperty, freeze, getOwnPropertyDescriptor, keys } = Object;
  const Clock = Date;
  const toBase64 = Function.prototype.call.bind(Uint8Array.prototype.toBase64);
  const { isView } = ArrayBuffer;

  const hidden = (object, name, value) =>
    defineProperty(object, name, { configurable: true, enumerable: false, value, writable: true });

  // --- the clock stands still, and is in UTC wherever the machine is

  const read = text => {
    if (/^\d{4}-\d\d-\d\dT[\d:.]+$/.test(text)) return Clock.parse(`${text}Z`);
    const time = Clock.parse(text);
    const hasZone = /(?:[zZ]|[+-]\d\d:?\d\d|GMT|UTC|[ECMP][SD]T)\s*(?:\(.*\))?$/.test(text);
    if (Number.isNaN(time) || hasZone || /^[+-]?\d{4,6}(?:-\d\d){0,2}$/.test(text)) return time;
    return time - local.getTimezoneOffset.call(new Clock(time)) * 60_000;
  };
  const local = { getTimezoneOffset: Clock.prototype.getTimezoneOffset };

  function FixedDate(...parts) {
    if (!new.target) return new FixedDate().toString();
    let [time] = parts;
    if (parts.length === 0) time = settings.now;
    else if (parts.length > 1) time = Clock.UTC(...parts);
    else if (typeof time === 'string') time = read(time);
    return Reflect.construct(Clock, [time], new.target);
  }
  defineProperty(FixedDate, 'name', { value: 'Date' });
  defineProperty(FixedDate, 'length', { value: 7 });
  defineProperty(FixedDate, 'prototype', { value: Clock.prototype, writable: false });
  hidden(FixedDate, 'now', () => settings.now);
  hidden(FixedDate, 'parse', text => read(`${text}`));
  hidden(FixedDate, 'UTC', Clock.UTC);
  hidden(Clock.prototype, 'constructor', FixedDate);
  for (const unit of ['FullYear', 'Month', 'Date', 'Day', 'Hours', 'Minutes', 'Seconds', 'Milliseconds']) {
    for (const verb of ['get', 'set']) {
      const utc = Clock.prototype[`${verb}UTC${unit}`];
      if (utc) hidden(Clock.prototype, `${verb}${unit}`, utc);
    }
  }
  const words = date => /^(\w+), (\d+) (\w+) (\S+) (\S+)/.exec(date.toUTCString());
  hidden(Clock.prototype, 'getTimezoneOffset', () => 0);
  hidden(Clock.prototype, 'getYear', function () { return this.getUTCFullYear() - 1900; });
  hidden(Clock.prototype, 'toDateString', function () {
    const [, weekday, day, month, year] = words(this) ?? [];
    return weekday ? `${weekday} ${month} ${day} ${year}` : 'Invalid Date';
  });
  hidden(Clock.prototype, 'toTimeString', function () {
    const [, , , , , time] = words(this) ?? [];
    return time ? `${time} GMT+0000 (Coordinated Universal Time)` : 'Invalid Date';
  });
  hidden(Clock.prototype, 'toString', function () {
    return words(this) ? `${this.toDateString()} ${this.toTimeString()}` : 'Invalid Date';
  });
  for (const name of ['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']) {
    hidden(Clock.prototype, name, () => {
      throw new Error(`Date.${name} is not available: it depends on the machine; use toISOString()`);
    });
  }
  hidden(globalThis, 'Date', FixedDate);

  // --- what would make a transform give another result another time

  const missing = (name, remedy) => () => {
    throw new Error(`${name} is not available in a transform: ${remedy}`);
  };
  hidden(Math, 'random', missing('Math.random', 'the same item has to give the same result every time'));
  const noTimers = 'there is no clock; what has to be awaited are promises';
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) hidden(globalThis, name, missing(name, noTimers));
  hidden(globalThis, 'fetch', missing('fetch', 'there is no network; documentClient reads the source table'));
  hidden(globalThis, 'require', missing('require', "write import { name } from './file'"));
  for (const name of ['Atomics', 'SharedArrayBuffer', 'performance', 'WeakRef', 'FinalizationRegistry']) {
    delete globalThis[name];
  }
  hidden(globalThis, 'process', freeze({ env: freeze({ SOURCE_TABLE: settings.table }) }));

  // --- numbers with more digits than a double has

  class NumberValue {
    constructor(digits) {
      const value = `${digits}`;
      if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value)) throw new TypeError(`${value} is not a number`);
      defineProperty(this, 'value', { enumerable: true, value });
      freeze(this);
    }

    static from(digits) {
      return new NumberValue(digits);
    }

    toString() {
      return this.value;
    }

    toBigInt() {
      return BigInt(this.value);
    }

    [Symbol.toPrimitive](hint) {
      if (hint === 'string') return this.value;
      throw new TypeError(
        `${this.value} has more digits than JavaScript's numbers: use its toBigInt(), toString() or value`,
      );
    }
  }
  hidden(globalThis, 'NumberValue', NumberValue);
  const digitsOf = value => getOwnPropertyDescriptor(value, 'value')?.value;

  // --- what a value is to DynamoDB

  const refused = [
    [Date, 'a Date (write its toISOString() or getTime())'],
    [Map, 'a Map (write Object.fromEntries(map))'],
    [WeakMap, 'a WeakMap'],
    [WeakSet, 'a WeakSet'],
    [RegExp, 'a regular expression'],
    [Promise, 'a Promise (was an await forgotten?)'],
    [Error, 'an Error'],
    [String, 'a String object (write a text)'],
    [Number, 'a Number object (write a number)'],
    [Boolean, 'a Boolean object (write true or false)'],
  ];
  const describe = value => {
    switch (typeof value) {
      case 'function':
        return ['other', 'a function'];
      case 'symbol':
        return ['other', 'a symbol'];
      case 'object':
        break;
      default:
        return ['other', `a ${typeof value}`];
    }
    if (value instanceof NumberValue) return ['number', `${digitsOf(value)}`];
    if (value instanceof Set) return ['set', [...value]];
    if (value instanceof ArrayBuffer) return ['bytes', toBase64(new Uint8Array(value))];
    if (isView(value)) {
      if (value instanceof Uint8Array) return ['bytes', toBase64(value)];
      return ['bytes', toBase64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))];
    }
    for (const [kind, name] of refused) if (value instanceof kind) return ['other', name];
    return ['map'];
  };

  // --- console, for `transform test`

  const shown = (value, level) => {
    switch (typeof value) {
      case 'string':
        return level === 0 ? value : JSON.stringify(value);
      case 'bigint':
        return `${value}n`;
      case 'function':
        return `[function ${value.name}]`;
      case 'object':
        break;
      default:
        return String(value);
    }
    if (value === null) return 'null';
    if (value instanceof NumberValue) return value.value;
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (value instanceof Clock) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (level > 4) return Array.isArray(value) ? '[...]' : '{...}';
    const list = parts => parts.slice(0, 100).map(part => shown(part, level + 1)).join(', ');
    if (Array.isArray(value)) return `[${list(value)}]`;
    if (value instanceof Set) return `Set {${list([...value])}}`;
    if (value instanceof Uint8Array) return `Uint8Array [${list([...value.slice(0, 100)])}]`;
    return `{${keys(value)
      .slice(0, 100)
      .map(name => `${name}: ${shown(value[name], level + 1)}`)
      .join(', ')}}`;
  };
  const log = (...values) => native.log(values.map(value => shown(value, 0)).join(' '));
  hidden(globalThis, 'console', freeze({ debug: log, error: log, info: log, log, trace: log, warn: log }));

  // --- a copy of plain data

  const copy = (value, around) => {
    if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError('a function cannot be cloned');
    if (typeof value !== 'object' || value === null || value instanceof NumberValue) return value;
    if (around.includes(value)) throw new TypeError('a value that contains itself cannot be cloned');
    const inside = [...around, value];
    if (Array.isArray(value)) return value.map(part => copy(part, inside));
    if (value instanceof Clock) return new FixedDate(value.getTime());
    if (value instanceof Set) return new Set([...value].map(part => copy(part, inside)));
    if (value instanceof Map) return new Map([...value].map(pair => copy(pair, inside)));
    if (value instanceof Uint8Array) return value.slice();
    const result = {};
    for (const name of keys(value)) {
      defineProperty(result, name, {
        configurable: true,
        enumerable: true,
        value: copy(value[name], inside),
        writable: true,
      });
    }
    return result;
  };
  hidden(globalThis, 'structuredClone', value => copy(value, []));

  // --- looking up other items

  const unavailable = (what, name, remedy) => {
    throw new Error(`${what}.${String(name)} is not available in a transform: ${remedy}`);
  };
  const ask = name => params => {
    const promise = new Promise(resolve => resolve(native.lookup(name, params)));
    return hidden(promise, 'promise', () => promise);
  };
  const methods = freeze({ batchGet: ask('batchGet'), get: ask('get'), query: ask('query') });
  const silent = name => typeof name === 'symbol' || name === 'then' || name === 'toJSON';
  const documentClient = new Proxy(methods, {
    get: (_, name) => {
      if (silent(name)) return undefined;
      return methods[name] ?? unavailable('documentClient', name, 'it has get, query and batchGet, and writes nothing');
    },
  });
  const applicationContext = new Proxy(freeze({}), {
    get: (_, name) => {
      if (silent(name)) return undefined;
      return unavailable('applicationContext', name, 'import what is needed from a file beside the script');
    },
  });

  // --- what the script exports, as a module or as CommonJS

  const exported = (namespace, commonjs) => {
    const known = ['migrateItems', 'when', 'batch', 'drops', 'keys', 'owner', 'description', 'cases'];
    const found = { known, others: [] };
    for (const from of [commonjs, namespace.default, namespace]) {
      if (typeof from !== 'object' || from === null) continue;
      for (const name of Object.keys(from)) {
        if (!known.includes(name)) found.others.push(name);
        else if (from[name] !== undefined) found[name] = from[name];
      }
    }
    if (!found.migrateItems && typeof namespace.default === 'function') found.migrateItems = namespace.default;
    if (!found.migrateItems && typeof commonjs === 'function') found.migrateItems = commonjs;
    return found;
  };

  const makeSet = array => new Set(array);
  const makeNumber = digits => new NumberValue(digits);
  return {
    exported,
    handles: [Object.prototype, makeSet, makeNumber, describe, documentClient, applicationContext],
  };
};
