/** `101-20` of `case|101-20`. */
export const docketNumberOf = (key: string): string => key.slice(key.indexOf('|') + 1);
