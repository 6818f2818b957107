import { type User, UserService } from "@rollcall/gen/user/v1/user";
import { useEffect, useState } from "react";
import { client } from "../api/client.ts";
import { ROUTES } from "../routes.ts";
import { permits } from "../session/permits.ts";
import { useSession } from "../session/session.ts";
import { signOut } from "../session/sign-out.ts";
import { navigate } from "../ui/location.tsx";
import { WANTS_NEW_USER } from "../users/new-user-state.ts";
import { userPath } from "../users/user-path.ts";

/** Something that the palette can find. */
export interface Entry {
  readonly key: string;
  readonly title: string;
  /** Kind of the entry; for a user, the e-mail. */
  readonly kind: string;
  run(): void;
}

/** Pause in typing after which users are searched, in milliseconds. */
const PAUSE_MS = 150;
const MAX_USERS = 6;

/**
 * Returns the entries that match a text: pages and actions whose words begin with it, and users that the server finds.
 */
export function useEntries(text: string): readonly Entry[] {
  const users = useFoundUsers(text.trim());
  const session = useSession();
  const createUser = { key: "new", title: "New user", kind: "Action", run: () => navigate("/users", WANTS_NEW_USER) };
  const fixed: Entry[] = [
    ...ROUTES.map(({ path, title }) => ({ key: path, title, kind: "Page", run: () => navigate(path) })),
    ...(permits(session, UserService.method.createUser) ? [createUser] : []),
    { key: "sign out", title: "Sign out", kind: "Action", run: () => void signOut() },
  ];
  const wanted = text.trim().toLowerCase();
  return [
    ...fixed.filter(({ title }) => ` ${title.toLowerCase()}`.includes(` ${wanted}`)),
    ...users.map(({ id, name, email }) => ({
      key: id,
      title: name,
      kind: email,
      run: () => navigate(userPath(id)),
    })),
  ];
}

/** Returns a few users whom the directory's search finds, once the typing pauses. */
function useFoundUsers(filter: string): readonly User[] {
  const [found, setFound] = useState<{ filter: string; users: readonly User[] }>({ filter: "", users: [] });
  useEffect(() => {
    if (filter === "") return;
    const controller = new AbortController();
    const { signal } = controller;
    const search = async () => {
      try {
        const { users } = await client.users.list({ filter, pageSize: MAX_USERS }, { signal });
        setFound({ filter, users });
      } catch {
        // Pages and actions can be found without a server too, and a token may not allow to read users.
        if (!signal.aborted) setFound({ filter, users: [] });
      }
    };
    const timer = setTimeout(() => void search(), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [filter]);
  return filter === "" ? [] : found.users;
}
