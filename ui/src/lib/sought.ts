// What the editor of a configuration file is to begin at, in its address.

/** A Sought is a scrape job, a receiver, a group of rules, or a rule in its group. */
export interface Sought {
  job?: string;
  receiver?: string;
  group?: string;
  rule?: string;
  /** Which of the group's rules of this name, from 0, as a number. */
  nth?: string;
}

const names = ['job', 'receiver', 'group', 'rule', 'nth'] as const;

/** soughtIn reads an address. */
export function soughtIn(search: string): Sought {
  const params = new URLSearchParams(search);
  return Object.fromEntries(names.flatMap((n) => (params.has(n) ? [[n, params.get(n)]] : [])));
}
