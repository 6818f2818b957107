import type { UserChange } from "@rollcall/gen/user/v1/user";
import { describeError } from "../api/errors.ts";
import { Breakable } from "../ui/breakable.tsx";
import { Button } from "../ui/button.tsx";
import { Time } from "../ui/time.tsx";
import { useHistory } from "./use-history.ts";

/** Shows who changed a user, when and how, the latest change first. */
export function History({ id }: { id: string }) {
  const { data, error, isPending, isFetching, hasNextPage, fetchNextPage, refetch } = useHistory(id);
  const changes = data?.pages.flatMap((page) => page.changes) ?? [];
  return (
    <section className="card user-history" aria-label="History">
      <h2>History</h2>
      {isPending && <p role="status">Loading…</p>}
      {data && changes.length === 0 && <p>No changes of this user are kept any more.</p>}
      <ol className="history">
        {changes.map((change) => (
          <li key={change.id}>
            <p>
              <Breakable text={sentenceFor(change)} />
            </p>
            <Time at={change.changedAt} />
          </li>
        ))}
      </ol>
      {error && (
        <p className="field-error" role="alert">
          {describeError(error)}
        </p>
      )}
      {error && <Button onClick={() => void refetch()}>Try again</Button>}
      {hasNextPage && (
        <Button isOff={isFetching} onClick={() => void fetchNextPage()}>
          Older changes
        </Button>
      )}
    </section>
  );
}

function sentenceFor({ changedBy, before, after }: UserChange): string {
  const who = changedBy || "Somebody";
  if (!before) return `${who} created ${after?.name}, ${after?.email}.`;
  if (!after) return `${who} deleted ${before.name}, ${before.email}.`;
  const changed = (["name", "email"] as const)
    .filter((field) => before[field] !== after[field])
    .map((field) => `${field} from ${before[field]} to ${after[field]}`);
  return changed.length > 0 ? `${who} changed the ${changed.join(", and the ")}.` : `${who} saved it without a change.`;
}
