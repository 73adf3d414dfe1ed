// What `benches/script.rs` measures ("set and remove one attribute"), in Node with the AWS document client's marshalling:
//   npm install @aws-sdk/util-dynamodb && node script.mjs
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';

const item = number =>
  `{"pk":{"S":"case|${number}-20"},"sk":{"S":"case|${number}-20"},"docketNumber":{"S":"${number}-20"},"entityName":{"S":"Case"},"caseCaption":{"S":"Petitioner ${number}, Petitioner"},"status":{"S":"General Docket - Not at Issue"},"caseType":{"S":"CDP (Lien/Levy)"},"procedureType":{"S":"Regular"},"preferredTrialCity":{"S":"Birmingham, Alabama"},"receivedAt":{"S":"2020-03-01T21:40:46.415Z"},"createdAt":{"S":"2020-03-01T21:40:46.415Z"},"isPaper":{"BOOL":false},"isSealed":{"BOOL":false},"orderForOds":{"BOOL":true},"noticeOfAttachments":{"BOOL":false},"qcCompleteForTrial":{"M":{}},"statistics":{"L":[]},"petitioners":{"L":[{"M":{"name":{"S":"A. Person"},"city":{"S":"Somewhere"},"state":{"S":"AL"}}}]},"sortableDocketNumber":{"N":"${number}"},"docketNumberSuffix":{"NULL":true},"hasVerifiedIrsNotice":{"BOOL":false},"highPriority":{"BOOL":false},"leadDocketNumber":{"S":"101-20"},"gsi1pk":{"S":"leadCase|101-20"},"partyType":{"S":"Petitioner"}}`;
const migrateItems = items =>
  items.map(one => {
    one.migrated = true;
    delete one.orderForOds;
    return one;
  });

const items = Array.from({ length: 1000 }, (_, index) => item(10_000 + index));
let bytes = 0;
const run = count => {
  const started = process.hrtime.bigint();
  for (let at = 0; at < count; at++) {
    const [output] = migrateItems([unmarshall(JSON.parse(items[at % items.length]))]);
    bytes += JSON.stringify(marshall(output, { removeUndefinedValues: true })).length;
  }
  return Number(process.hrtime.bigint() - started) / 1e3 / count;
};
run(20_000);
const best = Math.min(run(20_000), run(20_000), run(20_000));
console.log(`Node ${process.version}: ${best.toFixed(2)} us per item`);
