// Adds items. What is added belongs to the item that it is made from: each key tells which one that is, so that it goes
// when its case goes. Records that were there already are dropped, because their cases make them anew.

import { docketNumberOf, sortable } from './docket-number';

export const description = 'Cases that are ready for trial stand in the catalog of eligible cases, by type and by city';

export const when = 'begins_with(sk, "case|") OR pk = "eligible-for-trial-case-catalog"';

const CATALOG = 'eligible-for-trial-case-catalog';

type Key = { pk: string; sk: string };
type Case = Key & { caseType: string; preferredTrialCity: string; procedureType: string; status: string };

const isReady = (item: Key): item is Case =>
  item.pk === item.sk && (item as Case).status === 'General Docket - At Issue (Ready for Trial)';

const records = (item: Case) => {
  const docketNumber = docketNumberOf(item.pk);
  const city = item.preferredTrialCity.replace(/[\s,.]/g, '');
  const procedure = item.procedureType.charAt(0);
  const record = { docketNumber, pk: CATALOG };
  return [
    { ...record, sk: `byType|${city}-${procedure}-${item.caseType}-${sortable(docketNumber)}|${docketNumber}` },
    { ...record, sk: `byCity|${city}-${sortable(docketNumber)}|${docketNumber}` },
  ];
};

/** From the key of a record to that of its case. */
export const owner = ({ pk, sk }: Key): Key => {
  if (pk !== CATALOG) return { pk, sk };
  const lawsuit = `case|${sk.slice(sk.lastIndexOf('|') + 1)}`;
  return { pk: lawsuit, sk: lawsuit };
};

export const migrateItems = (items: Key[]) =>
  items
    .filter(item => item.pk !== CATALOG)
    .flatMap(item => (isReady(item) ? [item, ...records(item)] : [item]));
