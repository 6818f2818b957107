import { StaleUserError } from "@rollcall/client";
import { type User, UserService } from "@rollcall/gen/user/v1/user";
import { type ReactNode, type RefObject, useEffect, useRef, useState } from "react";
import { describeError, isOutcomeUnknown } from "../api/errors.ts";
import { permits } from "../session/permits.ts";
import { useSession } from "../session/session.ts";
import { copyText } from "../ui/copy-text.ts";
import { useFirstSign } from "../ui/use-first-sign.ts";
import { removalText } from "./remove-all.ts";
import { startTimeToUndo, type TimeToUndo } from "./time-to-undo.ts";
import { type News, NO_NEWS, useNews } from "./use-news.ts";
import { type UserChange, useDirectory, useFailedChange } from "./use-users.ts";

const loadDialogs = () => import("./dialogs.tsx");
const preloadDialogs = () => void loadDialogs().catch(() => {});
type Dialogs = Awaited<ReturnType<typeof loadDialogs>>;

export type Asked =
  | { readonly dialog: "create" | "import" }
  | {
      readonly dialog: "export";
      /** Words of the users to export. */
      readonly filter: string;
    }
  | {
      readonly dialog: "edit" | "delete";
      readonly user: User;
      /** State of the user when the dialog was opened. */
      readonly known?: User | "removed" | undefined;
    };

const { createUser, updateUser, deleteUser } = UserService.method;
const WRITES = [createUser, updateUser, deleteUser];

/** News that a part of the app could not be loaded, since the server is unavailable or has been updated. */
export const NOT_LOADED: News = {
  text: "This part of the app can't be loaded. Load the page again once the server is back.",
  isProblem: true,
};

export interface UserActionsOptions {
  /** Key of the view that the page shows. News is stale when it changes. */
  view: string;
  /** Returns the latest state of a user that the page knows. */
  latestOf(id: string): User | "removed" | undefined;
  /** Element that gets the focus after a deletion. */
  focusAfter: RefObject<HTMLElement | null>;
}

export interface UserActions {
  /** Whether the person may change the directory. */
  readonly canWrite: boolean;
  readonly news: News;
  readonly setNews: (news: News) => void;
  /** Opens a dialog. */
  ask(asked: Asked): Promise<void>;
  /** Removes users unless the person undoes it in time. */
  removeMany(users: readonly User[]): Promise<void>;
  copyId(user: User): Promise<void>;
  copyEmails(users: readonly User[]): Promise<void>;
  /** The dialog that is open. */
  readonly dialog: ReactNode;
}

/** Returns the actions for users, with the dialogs that they open, and the news about their outcome. */
export function useUserActions({ view, latestOf, focusAfter }: UserActionsOptions): UserActions {
  const [asked, setAsked] = useState<Asked>();
  const [dialogs, setDialogs] = useState<Dialogs>();
  const [news, setNews] = useNews(view);
  const directory = useDirectory();
  const failed = useFailedChange();
  const session = useSession();

  useFirstSign(preloadDialogs);
  const hasFailed = failed !== undefined;
  useEffect(() => {
    if (hasFailed) loadDialogs().then(setDialogs, () => {});
  }, [hasFailed]);

  const ask = async (next: Asked) => {
    setNews(NO_NEWS);
    try {
      setDialogs(await loadDialogs());
      setAsked("user" in next ? { ...next, known: latestOf(next.user.id) } : next);
    } catch {
      setNews(NOT_LOADED);
    }
  };
  const close = (outcome: News = NO_NEWS) => {
    setAsked(undefined);
    setNews(outcome);
  };
  const change = async (wanted: UserChange) => {
    close({ text: `Saving ${wanted.draft.name}…`, isOngoing: true });
    try {
      await directory.change(wanted);
      setNews({ text: `${wanted.draft.name} was changed.` });
    } catch (error) {
      // The form opens again and shows the reason; for a stale user, it shows both versions.
      const { name } = wanted.user;
      const text = isOutcomeUnknown(error)
        ? `It is not known whether ${name} was changed.`
        : `${name} was not changed.`;
      setNews(error instanceof StaleUserError ? NO_NEWS : { text, isProblem: true });
    }
  };
  const remove = async (user: User) => {
    close({ text: `Deleting ${user.name}…`, isOngoing: true });
    try {
      const [kept] = await directory.remove({ users: [user] });
      if (kept) throw kept.error;
      setNews({ text: `${user.name} was deleted.` });
    } catch (error) {
      const outcome = isOutcomeUnknown(error)
        ? `It is not known whether ${user.name} was deleted.`
        : `${user.name} was not deleted.`;
      setNews({ text: `${outcome} ${describeError(error)}`, isProblem: true });
    }
  };
  const timeToUndo = useRef<TimeToUndo>(undefined);
  // A person who leaves can no longer undo it.
  useEffect(() => () => timeToUndo.current?.end(), []);
  const removeMany = async (users: readonly User[]) => {
    const count = users.length === 1 ? "1 user" : `${users.length} users`;
    timeToUndo.current?.end();
    const time = startTimeToUndo();
    timeToUndo.current = time;
    setNews({ text: `${count} will be deleted.`, isOngoing: true, onUndo: time.undo });
    time.over.then(() => setNews({ text: `Deleting ${count}…`, isOngoing: true })).catch(() => {});
    try {
      const kept = await directory.remove({ users, begins: time.over });
      setNews({ text: removalText(users, kept), isProblem: kept.length > 0 });
    } catch {
      setNews({ text: `${count} kept.` });
    }
  };
  const copyEmails = async (users: readonly User[]) =>
    setNews(
      (await copyText(users.map(({ email }) => email).join(", ")))
        ? { text: users.length === 1 ? "1 email was copied." : `${users.length} emails were copied.` }
        : { text: "Not copied: the browser does not allow it.", isProblem: true },
    );
  const copyId = async ({ id, name }: User) =>
    setNews(
      (await copyText(id))
        ? { text: `The id of ${name} was copied.` }
        : { text: `Not copied. The id of ${name} is ${id}.`, isProblem: true },
    );

  return {
    canWrite: WRITES.every((method) => permits(session, method)),
    news,
    setNews,
    ask,
    removeMany,
    copyId,
    copyEmails,
    dialog: dialogs && (
      <>
        {asked?.dialog === "delete" && (
          <dialogs.DeleteDialog
            user={asked.user}
            focusAfter={focusAfter}
            onClose={close}
            onConfirm={() => void remove(asked.user)}
          />
        )}
        {(asked?.dialog === "create" || asked?.dialog === "edit") && (
          <dialogs.UserFormDialog
            {...(asked.dialog === "edit" && {
              user: asked.user,
              now: changeSince(latestOf(asked.user.id), asked.known),
            })}
            onChange={(wanted) => void change(wanted)}
            onClose={close}
          />
        )}
        {asked?.dialog === "import" && <dialogs.ImportDialog onClose={close} />}
        {asked?.dialog === "export" && <dialogs.ExportDialog filter={asked.filter} onClose={close} />}
        {!asked && failed && (
          <dialogs.UserFormDialog
            key={failed.id}
            user={failed.change.user}
            failed={failed}
            onChange={(wanted) => {
              failed.forget();
              void change(wanted);
            }}
            onClose={(outcome) => {
              failed.forget();
              close(outcome);
            }}
          />
        )}
      </>
    ),
  };
}

/** Returns what has happened to a user since a dialog about it was opened. */
function changeSince(
  now: User | "removed" | undefined,
  known: User | "removed" | undefined,
): User | "removed" | undefined {
  return now === known ? undefined : now;
}
