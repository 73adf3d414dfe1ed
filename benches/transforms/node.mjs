// What the benchmark's script costs in Node, with the AWS document client's marshalling around it.
//   node node.mjs ITEMS DIRECTORY TURNS WARM_UP
// ITEMS: lines of DynamoDB's JSON. DIRECTORY: has node_modules. TURNS: times over all items, of which the least counts.
// WARM_UP: items before that. Prints a line of figures, then what comes of each item.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [itemsFile, directory, turns, warmUp] = process.argv.slice(2);
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
for (let at = 0; at < Number(warmUp); at++) transformed(items[at % items.length]);
let least = Infinity;
for (let turn = 0; turn < Number(turns); turn++) {
  const begun = process.hrtime.bigint();
  for (const text of items) transformed(text);
  least = Math.min(least, Number(process.hrtime.bigint() - begun) / 1e3 / items.length);
}
console.log(JSON.stringify({ node: process.version, us_per_item: least }));
console.log(items.map(transformed).join('\n'));
