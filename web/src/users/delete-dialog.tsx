import { AlertDialog } from "@base-ui/react/alert-dialog";
import type { User } from "@rollcall/gen/user/v1/user";
import { type RefObject, useRef } from "react";
import { Button } from "../ui/button.tsx";

export interface DeleteDialogProps {
  user: User;
  /** Element that gets the focus after the deletion, since the button that opened the dialog will be gone. */
  focusAfter: RefObject<HTMLElement | null>;
  onClose(): void;
  onConfirm(): void;
}

/** Asks before a user is deleted. */
export function DeleteDialog({ user, focusAfter, onClose, onConfirm }: DeleteDialogProps) {
  const isConfirmed = useRef(false);
  const confirm = () => {
    isConfirmed.current = true;
    onConfirm();
  };
  return (
    <AlertDialog.Root open onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog card" finalFocus={() => (isConfirmed.current ? focusAfter.current : true)}>
          <AlertDialog.Title>Delete {user.name}?</AlertDialog.Title>
          <AlertDialog.Description>{user.email} is removed from the directory for good.</AlertDialog.Description>
          <div className="dialog-actions">
            <AlertDialog.Close>Cancel</AlertDialog.Close>
            <Button className="danger-fill" onClick={confirm}>
              Delete
            </Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
