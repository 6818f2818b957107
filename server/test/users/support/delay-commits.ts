/**
 * Returns statements after which about every fourth change is committed late, by a random delay. Its number is already
 * assigned by then.
 *
 * @param maxMs Longest delay of one change, in milliseconds.
 */
export function delayCommits(maxMs = 10): string {
  return `
    CREATE FUNCTION delay_commit() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_sleep(random() * ${maxMs / 1_000}); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER delay_commit AFTER INSERT ON changes DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN (NEW.id % 4 = 0) EXECUTE FUNCTION delay_commit();`;
}
