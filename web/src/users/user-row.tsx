import type { User } from "@rollcall/gen/user/v1/user";
import { Breakable } from "../ui/breakable.tsx";
import { Link } from "../ui/location.tsx";
import { MenuButton } from "../ui/menu-button.tsx";
import { Time } from "../ui/time.tsx";
import { SelectBox } from "./select-box.tsx";
import { userPath } from "./user-path.ts";

export interface RowActions {
  /** Undefined, like `onDelete`, for people who may only read. */
  onEdit?: (user: User) => void;
  onDelete?: (user: User) => void;
  onCopyId(user: User): void;
}

export interface UserRowProps extends RowActions {
  user: User;
  isSelected: boolean;
  /** Selects or deselects the user. With `isRange`, selects all users from the previously selected one. */
  onSelect(isRange: boolean): void;
  /** Whether a change of this user is pending. */
  isChanging: boolean;
  /** Whether somebody else has just changed this user. */
  isChanged: boolean;
  /** Date that is shown: the one that the users are ordered by, else that of the creation. */
  date: "createdAt" | "updatedAt";
}

/** Row of the table, with a menu of the actions for its user. */
export function UserRow(props: UserRowProps) {
  const { user, isSelected, onSelect, isChanging, isChanged, date, onEdit, onDelete, onCopyId } = props;
  const actions = [
    ...(onEdit ? [{ label: "Edit…", isOff: isChanging, run: () => onEdit(user) }] : []),
    { label: "Copy id", run: () => onCopyId(user) },
    ...(onDelete ? [{ label: "Delete…", isOff: isChanging, isDanger: true, run: () => onDelete(user) }] : []),
  ];
  return (
    <tr aria-busy={isChanging} data-changed={isChanged}>
      <td className="select">
        <SelectBox label={`Select ${user.name}`} isOn={isSelected} onToggle={onSelect} />
      </td>
      <th scope="row">
        <Link href={userPath(user.id)}>
          <Breakable text={user.name} />
        </Link>
      </th>
      <td className="email">
        <Breakable text={user.email} />
      </td>
      <td className="date">
        <Time at={user[date]} />
      </td>
      <td className="actions">
        <MenuButton label={`Actions for ${user.name}`} actions={actions} />
      </td>
    </tr>
  );
}
