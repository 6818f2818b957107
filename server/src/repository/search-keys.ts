/**
 * Version of the search keys. The number counts changes of `searchKey`; characters added by Unicode change the
 * keys too.
 */
export const SEARCH_KEYS = `2, Unicode ${process.versions.unicode}`;
/** Most ids that are reported. */
export const MAX_REPORTED = 100;

/** E-mails that used to be different and are now equal. */
export interface EqualEmails {
  /** Number of users that keep their old key. */
  readonly count: number;
  /** Their ids, up to 100. */
  readonly userIds: readonly string[];
}
