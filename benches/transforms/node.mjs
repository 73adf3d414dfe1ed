// What the benchmark's script costs in Node, with the AWS document client's marshalling around it.
//   node node.mjs ITEMS DIRECTORY: items are lines of DynamoDB's JSON, node_modules is in the directory
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [itemsFile, directory] = process.argv.slice(2);
const { marshall, unmarshall } = createRequire(join(resolve(directory), 'any.js'))('@aws-sdk/util-dynamodb');

const migrateItems = items =>
  items.map(item => {
    item.orderForCds = item.orderForOds;
    delete item.orderForOds;
    return item;
  });

const transformed = text => {
  const [output] = migrateItems([unmarshall(JSON.parse(text))]);
  return JSON.stringify(marshall(output, { removeUndefinedValues: true }));
};

const items = readFileSync(itemsFile, 'utf8').trim().split('\n');
const microsPerItem = count => {
  const begun = process.hrtime.bigint();
  for (let at = 0; at < count; at++) transformed(items[at % items.length]);
  return Number(process.hrtime.bigint() - begun) / 1e3 / count;
};
microsPerItem(20_000);
const micros = Math.min(microsPerItem(20_000), microsPerItem(20_000));
console.log(JSON.stringify({ node: process.version, micros, first: transformed(items[0]) }));
