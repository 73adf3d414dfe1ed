/** `101-20` of `case|101-20`. */
export const docketNumberOf = (key: string): string => key.slice(key.indexOf('|') + 1);

/** A docket number with its parts filled up, so that texts sort as cases do: `101-20` becomes `2020-00101`. */
export const sortable = (docketNumber: string): string => {
  const [number, year] = docketNumber.split('-');
  return `${Number(year) < 50 ? '20' : '19'}${year}-${number.padStart(5, '0')}`;
};
