// Adds a value to items and renames values deep inside of them.

export const description = "Working copies of trial sessions get filters, and their cases' statuses new names";

export const when = 'begins_with(pk, "trial-session-working-copy|")';

type WorkingCopy = {
  caseMetadata?: Record<string, { trialStatus?: string }>;
  filters?: Record<string, boolean>;
};

const FILTERS = {
  basisReached: true,
  continued: true,
  dismissed: true,
  setForTrial: true,
  showAll: true,
};

const STATUSES: Record<string, string> = {
  'A Basis Reached': 'basisReached',
  Continued: 'continued',
  Dismissed: 'dismissed',
  'Set for Trial': 'setForTrial',
};

export const migrateItems = (items: WorkingCopy[]) => {
  for (const item of items) {
    // An item that has been through here before stays as it is.
    item.filters ??= { ...FILTERS };
    for (const metadata of Object.values(item.caseMetadata ?? {})) {
      const status = metadata.trialStatus;
      if (status !== undefined) metadata.trialStatus = STATUSES[status] ?? status;
    }
  }
  return items;
};

const key = { pk: 'trial-session-working-copy|1', sk: 'user|2' };

export const cases = [
  {
    name: 'a working copy of before',
    given: { ...key, caseMetadata: { '101-20': { trialStatus: 'Set for Trial' }, '102-20': {} } },
    expect: { ...key, caseMetadata: { '101-20': { trialStatus: 'setForTrial' }, '102-20': {} }, filters: FILTERS },
  },
  {
    name: 'one that is new already',
    given: { ...key, caseMetadata: { '101-20': { trialStatus: 'dismissed' } }, filters: { showAll: false } },
    expect: { ...key, caseMetadata: { '101-20': { trialStatus: 'dismissed' } }, filters: { showAll: false } },
  },
];
