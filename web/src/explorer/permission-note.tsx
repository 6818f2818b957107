import { useSession } from "../session/session.ts";
import type { Permission } from "./contracts/permission.ts";

/** Says who may call a method, and whether the person who is signed in may. */
export function PermissionNote({ permission }: { permission: Permission }) {
  const session = useSession();
  if (permission.kind === "scope") {
    const isMissing = session?.scopes.includes(permission.scope) === false;
    return (
      <p className="hint permission">
        Scope <code>{permission.scope}</code>
        {isMissing && <span className="missing">, which your token does not have</span>}
      </p>
    );
  }
  const words = {
    "any-token": "Any token",
    public: "Open to all, without a token",
    unstated: "The contract does not say who may call it",
  };
  return <p className="hint permission">{words[permission.kind]}</p>;
}
