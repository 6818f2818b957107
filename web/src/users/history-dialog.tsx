import { Dialog } from "@base-ui/react/dialog";
import type { User, UserChange } from "@rollcall/gen/user/v1/user";
import { describeError } from "../api/errors.ts";
import { Button } from "../ui/button.tsx";
import { Time } from "../ui/time.tsx";
import { useHistory } from "./use-history.ts";

export interface HistoryDialogProps {
  user: User;
  onClose(): void;
}

/** Shows who changed a user, when and how, the latest change first. */
export function HistoryDialog({ user, onClose }: HistoryDialogProps) {
  const { data, error, isPending, hasNextPage, fetchNextPage, refetch } = useHistory(user.id);
  const changes = data?.pages.flatMap((page) => page.changes) ?? [];
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog card">
          <Dialog.Title>History of {user.name}</Dialog.Title>
          {isPending && <p role="status">Loading…</p>}
          {data && changes.length === 0 && <p>No changes of this user are kept any more.</p>}
          <ol className="history">
            {changes.map((change) => (
              <li key={change.id}>
                <Time at={change.changedAt} /> {sentenceFor(change)}
              </li>
            ))}
          </ol>
          <p className="field-error" role="alert">
            {error && describeError(error)}
          </p>
          <div className="dialog-actions">
            {error && <Button onClick={() => void refetch()}>Try again</Button>}
            {hasNextPage && <Button onClick={() => void fetchNextPage()}>Older changes</Button>}
            <Dialog.Close>Close</Dialog.Close>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
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
