import type { User } from "@rollcall/gen/user/v1/user";
import { Time } from "../components/time.tsx";
import type { UserDraft } from "./user-form-dialog.tsx";

export interface StaleNoticeProps {
  /** As it was when the form was opened. */
  opened: User;
  /** As it is now. */
  theirs: User;
  mine: UserDraft;
  isSaving: boolean;
  /** Why it could not be saved; empty while it was not tried. */
  problem: string;
  onKeepTheirs(): void;
  onKeepMine(): void;
}

/** Shows what somebody else has changed meanwhile, and asks whose version stays. */
export function StaleNotice({ opened, theirs, mine, isSaving, problem, onKeepTheirs, onKeepMine }: StaleNoticeProps) {
  const rows = [
    { label: "Name", field: "name" },
    { label: "E-mail", field: "email" },
  ] as const;
  return (
    <>
      <p role="alert">
        Somebody else changed this user while you did, <Time at={theirs.updatedAt} />.
      </p>
      <table className="comparison">
        <thead>
          <tr>
            <td />
            <th scope="col">When you began</th>
            <th scope="col">Theirs, now</th>
            <th scope="col">Yours</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ label, field }) => (
            <tr key={field}>
              <th scope="row">{label}</th>
              <td>{opened[field]}</td>
              <td data-changed={theirs[field] !== opened[field]}>{theirs[field]}</td>
              <td data-changed={mine[field] !== opened[field]}>
                {mine[field] !== opened[field] ? mine[field] : theirs[field]}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="field-error" role="alert">
        {problem}
      </p>
      <div className="dialog-actions">
        <button type="button" onClick={onKeepTheirs}>
          Keep theirs
        </button>
        <button type="button" className="primary" disabled={isSaving} onClick={onKeepMine}>
          Save mine instead
        </button>
      </div>
    </>
  );
}
