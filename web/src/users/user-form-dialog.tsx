import { Dialog } from "@base-ui/react/dialog";
import { Field } from "@base-ui/react/field";
import { Form } from "@base-ui/react/form";
import { randomId, StaleUserError } from "@rollcall/client";
import { CreateUserRequestSchema, UpdateUserRequestSchema, type User } from "@rollcall/gen/user/v1/user";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { type FieldErrors, fieldErrors } from "../api/errors.ts";
import { checkRules, loadRules } from "../api/rules/index.ts";
import { Button } from "../ui/button.tsx";
import { StaleNotice } from "./stale-notice.tsx";
import { changeRequest, type FailedChange, type UserChange, type UserDraft, useDirectory } from "./use-users.ts";

/** Result of a dialog. */
export interface Outcome {
  /** Sentence for people. */
  readonly text: string;
  /** Email of a new user, who may not be on the page that is shown. */
  readonly createdEmail?: string;
}

export interface UserFormDialogProps {
  /** User to change; undefined for a new one. */
  user?: User;
  /** The user's present state, if it has changed since the page was opened. */
  now?: User | "removed" | undefined;
  /** Change of this user that failed, for another attempt. */
  failed?: FailedChange | undefined;
  /** Called with a change that keeps the contract's rules. */
  onChange(change: UserChange): void;
  onClose(outcome?: Outcome): void;
}

/**
 * Form that creates or changes a user. It sends nothing that breaks the contract's rules,
 * and shows the server's refusals at the fields that they name.
 */
export function UserFormDialog({ user, now, failed, onChange, onClose }: UserFormDialogProps) {
  const { create } = useDirectory();
  const requestIdFor = useRequestIds();
  const [draft, setDraft] = useState<UserDraft>(
    failed?.change.draft ?? { name: user?.name ?? "", email: user?.email ?? "" },
  );
  const isStale = failed?.error instanceof StaleUserError;
  const [errors, setErrors] = useState<FieldErrors>(failed && !isStale ? fieldErrors(failed.error) : {});
  /** Cancels the call that creates a user; undefined while there is none. */
  const [saving, setSaving] = useState<AbortController>();
  const isSent = useRef(false);
  const popup = useRef<HTMLDivElement>(null);
  // Loaded now, so that the rules are available when there is something to check.
  useEffect(loadRules, []);

  const createNew = async (wanted: UserDraft, signal: AbortSignal) => {
    const request = { ...wanted, requestId: requestIdFor(wanted) };
    const invalid = await checkRules(CreateUserRequestSchema, request);
    setErrors(invalid);
    if (Object.keys(invalid).length > 0 || signal.aborted) return;
    isSent.current = true;
    await create({ user: request, signal });
    if (!signal.aborted) onClose({ text: `${wanted.name} was created.`, createdEmail: wanted.email });
  };
  const change = async (wanted: UserChange, signal: AbortSignal) => {
    const request = changeRequest(wanted);
    if (request.updateMask.paths.length === 0) return onClose();
    const invalid = await checkRules(UpdateUserRequestSchema, request);
    setErrors(invalid);
    if (Object.keys(invalid).length === 0 && !signal.aborted) onChange(wanted);
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (saving) return;
    const controller = new AbortController();
    setSaving(controller);
    isSent.current = false;
    // Pasted text often has blanks around it.
    const wanted = { name: draft.name.trim(), email: draft.email.trim() };
    setDraft(wanted);
    try {
      const { signal } = controller;
      await (user ? change({ user, draft: wanted, etag: user.etag }, signal) : createNew(wanted, signal));
    } catch (error) {
      setErrors(fieldErrors(error));
    }
    setSaving(undefined);
  };
  const close = () => {
    saving?.abort();
    onClose(saving && isSent.current ? { text: `It is not known whether ${draft.name} was created.` } : undefined);
  };
  const edit = (field: keyof UserDraft) => (value: string) => setDraft((before) => ({ ...before, [field]: value }));

  return (
    // A click outside of the dialog must not discard the input.
    <Dialog.Root open disablePointerDismissal onOpenChange={(open) => !open && close()}>
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
              onKeepTheirs={({ name }) => onClose({ text: `${name} was left as it is.` })}
              onAlreadySaved={({ name }) => onClose({ text: `${name} was changed.` })}
              onKeepMine={({ etag }) => onChange({ user, draft, etag })}
            />
          ) : (
            <Form errors={errors} onSubmit={save} noValidate>
              {user && (
                <p className="field-error" role="alert">
                  {now && newsFor(user, now)}
                </p>
              )}
              <Field.Root name="name" className="field">
                <Field.Label>Name</Field.Label>
                <Field.Control value={draft.name} onValueChange={edit("name")} autoComplete="off" />
                <Field.Error className="field-error" />
              </Field.Root>
              <Field.Root name="email" className="field">
                <Field.Label>Email</Field.Label>
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
                <Button type="submit" className="primary" isOff={saving !== undefined}>
                  {saving ? "Saving…" : "Save"}
                </Button>
              </div>
            </Form>
          )}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Describes what somebody else has done with a user since its form was opened. */
function newsFor(opened: User, now: User | "removed"): string | undefined {
  if (now === "removed") return "Somebody else has deleted this user.";
  if (now.etag === opened.etag) return undefined;
  const changed = (["name", "email"] as const).filter((field) => now[field] !== opened[field]);
  const what = changed.map((field) => `the ${field} is now ${now[field]}`).join(", and ");
  return `Somebody else has just changed this user${what && `: ${what}`}. If you save, you are asked whose version to keep.`;
}

/** Keeps one request id for the same content, so that a retry after a lost answer creates nobody twice (AIP-155). */
function useRequestIds(): (draft: UserDraft) => string {
  const ids = useRef(new Map<string, string>());
  return ({ name, email }) => {
    const key = JSON.stringify([name, email]);
    const id = ids.current.get(key) ?? randomId();
    ids.current.set(key, id);
    return id;
  };
}
