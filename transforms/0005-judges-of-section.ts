// Drops items, by what is said elsewhere.

export const description = "Users who are no judges leave the judges' section";

export const when = 'pk = "section|judge" AND begins_with(sk, "user|")';
export const drops = true;

type Member = { pk: string; sk: string };

const isJudge = async (member: Member, documentClient: any): Promise<boolean> => {
  const { Item: user } = await documentClient.get({ Key: { pk: member.sk, sk: member.sk } });
  return user?.role === 'judge';
};

export const migrateItems = async (items: Member[], documentClient: any) => {
  const kept: Member[] = [];
  for (const item of items) {
    if (await isJudge(item, documentClient)) kept.push(item);
  }
  return kept;
};

const member = { pk: 'section|judge', sk: 'user|7' };
const user = { pk: 'user|7', sk: 'user|7' };

export const cases = [
  { name: 'a judge', given: member, table: [{ ...user, role: 'judge' }], expect: member },
  { name: 'a clerk', given: member, table: [{ ...user, role: 'clerk' }], expect: [] },
  { name: 'nobody', given: member, expect: [] },
];
