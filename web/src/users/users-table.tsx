import type { ListUsersResponse, User } from "@rollcall/gen/user/v1/user";
import type { UseQueryResult } from "@tanstack/react-query";
import { describeError } from "../api/errors.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { Time } from "../ui/time.tsx";
import { useExpected } from "./use-users.ts";

export interface UsersTableProps {
  page: UseQueryResult<ListUsersResponse>;
  pageSize: number;
  filter: string;
  /** Undefined, like `onDelete`, for people who may only read. */
  onEdit?: (user: User) => void;
  onDelete?: (user: User) => void;
  onShowHistory(user: User): void;
  /** Ids of users that somebody else has changed just now. */
  changedIds: ReadonlySet<string>;
  /** Goes to the first page; undefined on that page. */
  onRestart?: () => void;
}

/** Shows a page of users, or why there is none. */
export function UsersTable(props: UsersTableProps) {
  const { page, pageSize, filter, onEdit, onDelete, onShowHistory, changedIds, onRestart } = props;
  const { data, error, isPending, isPlaceholderData, refetch } = page;
  const users = useExpected(data?.users ?? []);
  if (error && !data) {
    return (
      <div className="notice card" role="alert">
        <p>The users can't be shown. {describeError(error)}</p>
        <div className="choices">
          <Button onClick={() => void refetch()}>Try again</Button>
          {onRestart && <Button onClick={onRestart}>First page</Button>}
        </div>
      </div>
    );
  }
  const isEmpty = data !== undefined && users.length === 0;
  return (
    <>
      {error && (
        <p className="field-error" role="alert">
          This list may be out of date. {describeError(error)}
        </p>
      )}
      {isEmpty ? (
        <div className="notice card">
          <p>{emptyText(filter, onRestart !== undefined)}</p>
          {!filter && !onRestart && onEdit && <p>“New user” adds the first one.</p>}
          {onRestart && <Button onClick={onRestart}>First page</Button>}
        </div>
      ) : (
        <table className="users" aria-busy={isPending || isPlaceholderData}>
          <caption className="visually-hidden">Users in the order of their creation</caption>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Email</th>
              <th scope="col">Created</th>
              <th scope="col">Changed</th>
              <th scope="col">Id</th>
              {onEdit && (
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {isPending && <Placeholders rows={pageSize} columns={onEdit ? 6 : 5} />}
            {users.map(({ user, isChanging }) => (
              <tr key={user.id} aria-busy={isChanging} data-changed={changedIds.has(user.id)}>
                <th scope="row">{user.name}</th>
                <td>{user.email}</td>
                <td data-label="Created">
                  <Time at={user.createdAt} />
                </td>
                <td data-label="Changed">
                  <button type="button" className="history-button" onClick={() => onShowHistory(user)}>
                    <Time at={user.updatedAt} />
                    <span className="visually-hidden">history of {user.name}</span>
                  </button>
                </td>
                <td data-label="Id">
                  <code className="user-id" title={user.id}>
                    {user.id}
                  </code>
                  <CopyButton text={user.id} label={`Copy the id of ${user.name}`} />
                </td>
                {onEdit && (
                  <td className="actions">
                    <Button
                      className="quiet"
                      isOff={isChanging}
                      aria-label={`Edit ${user.name}`}
                      onClick={() => onEdit(user)}
                    >
                      Edit
                    </Button>
                    <Button
                      className="quiet danger"
                      isOff={isChanging}
                      aria-label={`Delete ${user.name}`}
                      onClick={() => onDelete?.(user)}
                    >
                      Delete
                    </Button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function emptyText(filter: string, isLaterPage: boolean): string {
  if (isLaterPage) return "Nobody is on this page any more.";
  return filter ? `Nobody's name or email has words that start with “${filter}”.` : "Nobody is here yet.";
}

/** Placeholder rows, as high as the rows to come, so that nothing moves when they come. */
function Placeholders({ rows, columns }: { rows: number; columns: number }) {
  return Array.from({ length: rows }, (_, row) => row).map((row) => (
    <tr key={row} className="placeholder">
      <td colSpan={columns}>
        <span className="visually-hidden">{row === 0 && "Loading…"}</span>
      </td>
    </tr>
  ));
}
