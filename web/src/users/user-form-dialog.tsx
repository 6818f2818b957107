import { Dialog } from "@base-ui/react/dialog";
import { Field } from "@base-ui/react/field";
import { Form } from "@base-ui/react/form";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { callUnaryMethod, useTransport } from "@connectrpc/connect-query";
import { CreateUserRequestSchema, UpdateUserRequestSchema, type User, UserService } from "@rollcall/gen/user/v1/user";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { type FieldErrors, fieldErrors } from "../errors.ts";
import { StaleNotice } from "./stale-notice.tsx";
import { useUserChanges } from "./use-users.ts";

const loadRules = () => import("../validate-message.ts");

export interface UserFormDialogProps {
  /** Whom to change; undefined for a new user. */
  user?: User;
  /** @param outcome What was done, for people; undefined when nothing was. */
  onClose(outcome?: string): void;
}

export interface UserDraft {
  readonly name: string;
  readonly email: string;
}

/** Creates or changes a user. What the contract's rules refuse is not sent; what the server refuses comes back to its field. */
export function UserFormDialog({ user, onClose }: UserFormDialogProps) {
  const { create, update } = useUserChanges();
  const transport = useTransport();
  const requestIdFor = useRequestIds();
  const [draft, setDraft] = useState<UserDraft>({ name: user?.name ?? "", email: user?.email ?? "" });
  const [errors, setErrors] = useState<FieldErrors>({});
  /** The user as the server has it, when somebody else has changed it meanwhile. */
  const [theirs, setTheirs] = useState<User>();
  // Ready by the time that there is something to check.
  useEffect(() => void loadRules().catch(() => {}), []);
  const isSaving = create.isPending || update.isPending;

  /** Checks a request by the contract's rules, and shows what they find. */
  const isValid = async <M extends DescMessage>(schema: M, request: MessageInitShape<M>) => {
    const { validateMessage } = await loadRules();
    const invalid = await validateMessage(schema, request);
    setErrors(invalid);
    return Object.keys(invalid).length === 0;
  };
  const submitNew = async () => {
    const request = { ...draft, requestId: requestIdFor(draft) };
    if (!(await isValid(CreateUserRequestSchema, request))) return;
    await create.mutateAsync(request);
    onClose(`${draft.name} was created.`);
  };
  /** Sends what was changed since the form was opened, and nothing else, on top of the version that has this etag. */
  const submitChange = async (opened: User, etag: string) => {
    const paths = (["name", "email"] as const).filter((field) => draft[field] !== opened[field]);
    if (paths.length === 0) return onClose();
    const request = { id: opened.id, ...draft, etag, updateMask: { paths } };
    if (!(await isValid(UpdateUserRequestSchema, request))) return;
    await update.mutateAsync(request);
    onClose(`${draft.name} was changed.`);
  };
  const attempt = async (save: () => Promise<void>) => {
    try {
      await save();
    } catch (error) {
      if (user && ConnectError.from(error).code === Code.Aborted) await compare(user);
      else setErrors(fieldErrors(error));
    }
  };
  const compare = async ({ id }: User) => {
    try {
      setTheirs((await callUnaryMethod(transport, UserService.method.getUser, { id })).user);
    } catch (error) {
      setErrors(fieldErrors(error));
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void attempt(() => (user ? submitChange(user, user.etag) : submitNew()));
  };
  const edit = (field: keyof UserDraft) => (value: string) => setDraft((before) => ({ ...before, [field]: value }));

  return (
    <Dialog.Root open onOpenChange={(open) => !open && !isSaving && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog card">
          <Dialog.Title>{user ? `Edit ${user.name}` : "New user"}</Dialog.Title>
          {theirs && user ? (
            <StaleNotice
              opened={user}
              theirs={theirs}
              mine={draft}
              isSaving={isSaving}
              onKeepTheirs={() => onClose(`${theirs.name} was left as it is.`)}
              onKeepMine={() => void attempt(() => submitChange(user, theirs.etag))}
              problem={Object.values(errors).flat().join(" ")}
            />
          ) : (
            <Form errors={errors} onSubmit={submit} noValidate>
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
                <button type="submit" className="primary" disabled={isSaving}>
                  {isSaving ? "Saving…" : "Save"}
                </button>
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
