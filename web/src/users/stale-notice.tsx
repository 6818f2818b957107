import { Dialog } from "@base-ui/react/dialog";
import type { User } from "@rollcall/gen/user/v1/user";
import { useEffect, useRef } from "react";
import { describeError } from "../api/errors.ts";
import { Button } from "../ui/button.tsx";
import { Time } from "../ui/time.tsx";
import { type UserDraft, useCurrentUser } from "./use-users.ts";

export interface StaleNoticeProps {
  /** User as it was when the form was opened. */
  opened: User;
  mine: UserDraft;
  onKeepTheirs(theirs: User): void;
  onKeepMine(theirs: User): void;
  /** Called when their version equals mine, since an earlier attempt was saved. */
  onAlreadySaved(theirs: User): void;
}

const FIELDS = ["name", "email"] as const;

/** Shows what somebody else has changed in the meantime, and asks whose version to keep. */
export function StaleNotice({ opened, mine, onKeepTheirs, onKeepMine, onAlreadySaved }: StaleNoticeProps) {
  const { data: theirs, error, refetch } = useCurrentUser(opened.id);
  if (theirs && FIELDS.every((field) => theirs[field] === mine[field])) {
    return <AlreadySaved onClose={() => onAlreadySaved(theirs)} />;
  }
  const versions: { title: string; version: UserDraft | undefined }[] = [
    { title: "When you began", version: opened },
    { title: "Theirs, now", version: theirs },
    { title: "Yours", version: mine },
  ];
  return (
    <>
      <p>
        <span role="alert">Somebody else changed this user while you did</span>
        {theirs && ", "}
        {theirs && <Time at={theirs.updatedAt} />}.
      </p>
      <table className="comparison">
        <thead>
          <tr>
            <td />
            <th scope="col">Name</th>
            <th scope="col">Email</th>
          </tr>
        </thead>
        <tbody>
          {versions.map(({ title, version }) => (
            <tr key={title}>
              <th scope="row">{title}</th>
              {FIELDS.map((field) => {
                const isChanged = version !== undefined && version[field] !== opened[field];
                const isMineAsOpened = version === mine && !isChanged;
                return (
                  <td key={field} data-changed={isChanged}>
                    {isMineAsOpened ? "not changed" : (version?.[field] ?? "…")}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p className="field-error" role="alert">
        {error && describeError(error)}
      </p>
      <div className="dialog-actions">
        {error && <Dialog.Close>Close</Dialog.Close>}
        {error && <Button onClick={() => void refetch()}>Try again</Button>}
        <Button isOff={!theirs} onClick={() => theirs && onKeepTheirs(theirs)}>
          Keep theirs
        </Button>
        <Button className="primary" isOff={!theirs} onClick={() => theirs && onKeepMine(theirs)}>
          Save my changes
        </Button>
      </div>
    </>
  );
}

function AlreadySaved({ onClose }: { onClose(): void }) {
  const close = useRef<HTMLButtonElement>(null);
  // The focus was on one of the comparison's buttons, which are gone.
  useEffect(() => close.current?.focus(), []);
  return (
    <>
      <p role="alert">This user is as you want it already: your change was saved, though its answer was lost.</p>
      <div className="dialog-actions">
        <Button ref={close} className="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    </>
  );
}
