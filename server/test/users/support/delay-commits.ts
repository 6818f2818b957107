/** Has about every fourth change's transaction commit up to 10 ms late, at random, with its number taken. */
export const DELAY_COMMITS = `
  CREATE FUNCTION delay_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(random() * 0.01); RETURN NULL; END $$;
  CREATE CONSTRAINT TRIGGER delay_commit AFTER INSERT ON changes DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.id % 4 = 0) EXECUTE FUNCTION delay_commit();`;
