import { Dialog } from "@base-ui/react/dialog";
import { Field } from "@base-ui/react/field";
import { Form } from "@base-ui/react/form";
import { Code, ConnectError } from "@connectrpc/connect";
import { CreateUserRequestSchema, UpdateUserRequestSchema, type User } from "@rollcall/gen/user/v1/user";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Button } from "../components/button.tsx";
import { type FieldErrors, fieldErrors } from "../errors.ts";
import { StaleNotice } from "./stale-notice.tsx";
import { changeRequest, type FailedChange, type UserChange, type UserDraft, useDirectory } from "./use-users.ts";

const loadRules = () => import("../validate-message.ts");

export interface UserFormDialogProps {
  /** Whom to change; undefined for a new user. */
  user?: User;
  /** A change of this user that the server has refused, to be mended. */
  failed?: FailedChange | undefined;
  /** Takes a change that the contract's rules allow. */
  onChange(change: UserChange): void;
  /** @param outcome What was done, for people; undefined when nothing was. */
  onClose(outcome?: string): void;
}

/** Creates or changes a user. What the contract's rules refuse is not sent; what the server refuses comes back to its field. */
export function UserFormDialog({ user, failed, onChange, onClose }: UserFormDialogProps) {
  const { create } = useDirectory();
  const requestIdFor = useRequestIds();
  const [draft, setDraft] = useState<UserDraft>(
    failed?.change.draft ?? { name: user?.name ?? "", email: user?.email ?? "" },
  );
  const isStale = failed !== undefined && ConnectError.from(failed.error).code === Code.Aborted;
  const [errors, setErrors] = useState<FieldErrors>(failed && !isStale ? fieldErrors(failed.error) : {});
  const [isSaving, setSaving] = useState(false);
  const popup = useRef<HTMLDivElement>(null);
  // Ready by the time that there is something to check.
  useEffect(() => void loadRules().catch(() => {}), []);

  const createNew = async () => {
    const { validateMessage } = await loadRules();
    const request = { ...draft, requestId: requestIdFor(draft) };
    const invalid = validateMessage(CreateUserRequestSchema, request);
    setErrors(invalid);
    if (Object.keys(invalid).length > 0) return;
    await create(request);
    onClose(`${draft.name} was created.`);
  };
  const change = async (opened: User, etag: string) => {
    const request = changeRequest({ user: opened, draft, etag });
    if (request.updateMask.paths.length === 0) return onClose();
    const { validateMessage } = await loadRules();
    const invalid = validateMessage(UpdateUserRequestSchema, request);
    setErrors(invalid);
    if (Object.keys(invalid).length === 0) onChange({ user: opened, draft, etag });
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (isSaving) return;
    setSaving(true);
    try {
      await (user ? change(user, user.etag) : createNew());
    } catch (error) {
      setErrors(fieldErrors(error));
    }
    setSaving(false);
  };
  const edit = (field: keyof UserDraft) => (value: string) => setDraft((before) => ({ ...before, [field]: value }));

  return (
    <Dialog.Root open onOpenChange={(open) => !open && !isSaving && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup
          ref={popup}
          className="dialog card"
          initialFocus={() =>
            errors.email ? (popup.current?.querySelector<HTMLElement>("[name=email]") ?? true) : true
          }
        >
          <Dialog.Title>{user ? `Edit ${user.name}` : "New user"}</Dialog.Title>
          {isStale && user ? (
            <StaleNotice
              opened={user}
              mine={draft}
              onKeepTheirs={(theirs) => onClose(`${theirs.name} was left as it is.`)}
              onKeepMine={({ etag }) => onChange({ user, draft, etag })}
            />
          ) : (
            <Form errors={errors} onSubmit={save} noValidate>
              <Field.Root name="name" className="field">
                <Field.Label>Name</Field.Label>
                <Field.Control value={draft.name} onValueChange={edit("name")} autoComplete="off" />
                <Field.Error className="field-error" />
              </Field.Root>
              <Field.Root name="email" className="field">
                <Field.Label>E-mail</Field.Label>
                <Field.Control value={draft.email} onValueChange={edit("email")} inputMode="email" autoComplete="off" />
                <Field.Error className="field-error" />
              </Field.Root>
              <p className="field-error" role="alert">
                {Object.entries(errors)
                  .filter(([field]) => field !== "name" && field !== "email")
                  .flatMap(([, messages]) => messages)
                  .join(" ")}
              </p>
              <div className="dialog-actions">
                <Dialog.Close>Cancel</Dialog.Close>
                <Button type="submit" className="primary" isOff={isSaving}>
                  {isSaving ? "Saving…" : "Save"}
                </Button>
              </div>
            </Form>
          )}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** The same content asks with the same id, so that a retry after a lost answer creates nobody twice (AIP-155). */
function useRequestIds(): (draft: UserDraft) => string {
  const ids = useRef(new Map<string, string>());
  return ({ name, email }) => {
    const key = JSON.stringify([name, email]);
    const id = ids.current.get(key) ?? crypto.randomUUID();
    ids.current.set(key, id);
    return id;
  };
}
