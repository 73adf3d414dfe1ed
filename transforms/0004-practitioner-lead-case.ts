// Looks another item up to set an attribute of an index.

import { docketNumberOf } from './shared/docket-number';

export const description = 'Practitioners on a case are found by its lead case';

export const when =
  'begins_with(pk, "case|") AND (begins_with(sk, "privatePractitioner|") OR begins_with(sk, "irsPractitioner|"))';

type Practitioner = { pk: string; sk: string; gsi1pk?: string };

export const migrateItems = async (items: Practitioner[], documentClient: any) => {
  for (const item of items) {
    const { Item: lawsuit } = await documentClient
      .get({ Key: { pk: item.pk, sk: item.pk }, TableName: process.env.SOURCE_TABLE })
      .promise();
    // Better a dead letter, which names the item, than a practitioner whom no one finds.
    if (!lawsuit) throw new Error(`there is no case ${docketNumberOf(item.pk)}`);
    item.gsi1pk = `leadCase|${lawsuit.leadDocketNumber ?? docketNumberOf(item.pk)}`;
  }
  return items;
};

const practitioner = { pk: 'case|101-20', sk: 'irsPractitioner|7' };
const lawsuit = { pk: 'case|101-20', sk: 'case|101-20' };

export const cases = [
  {
    name: 'a case with a lead case',
    given: practitioner,
    table: [{ ...lawsuit, leadDocketNumber: '99-20' }],
    expect: { ...practitioner, gsi1pk: 'leadCase|99-20' },
  },
  { name: 'any other case', given: practitioner, table: [lawsuit], expect: { ...practitioner, gsi1pk: 'leadCase|101-20' } },
  { name: 'no case', given: practitioner, fails: 'there is no case 101-20' },
];
