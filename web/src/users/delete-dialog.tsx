import { AlertDialog } from "@base-ui/react/alert-dialog";
import type { User } from "@rollcall/gen/user/v1/user";

export interface DeleteDialogProps {
  user: User;
  onClose(): void;
  onConfirm(): void;
}

/** Asks before a user is removed. */
export function DeleteDialog({ user, onClose, onConfirm }: DeleteDialogProps) {
  return (
    <AlertDialog.Root open onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog card">
          <AlertDialog.Title>Delete {user.name}?</AlertDialog.Title>
          <AlertDialog.Description>{user.email} is removed from the directory for good.</AlertDialog.Description>
          <div className="dialog-actions">
            <AlertDialog.Close>Cancel</AlertDialog.Close>
            <button type="button" className="danger-fill" onClick={onConfirm}>
              Delete
            </button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
