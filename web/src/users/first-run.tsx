import "./first-run.css";
import { UserService } from "@rollcall/gen/user/v1/user";
import { BASE_URL } from "../base.ts";
import { importCommand, unaryCommand } from "../calls/shell-commands.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";

const { createUser } = UserService.method;
const EXAMPLE = { name: "Ada Lovelace", email: "ada@example.com" };
const COMMANDS = [
  { title: "Create one with curl", name: "curl", command: unaryCommand(BASE_URL, createUser, EXAMPLE) },
  { title: "Import a file, CSV or JSON Lines", name: "import", command: importCommand(BASE_URL, "users.csv") },
];

export interface FirstRunProps {
  onCreate(): void;
  onImport(): void;
}

/** Explains how to fill an empty directory. */
export function FirstRun({ onCreate, onImport }: FirstRunProps) {
  return (
    <section className="first-run card" aria-label="First steps">
      <h2>Nobody is here yet.</h2>
      <p>Add the first user by hand, from a terminal, or many at once from a file.</p>
      <div className="choices">
        <Button className="primary" onClick={onCreate}>
          Create a user
        </Button>
        <Button onClick={onImport}>Import a file</Button>
      </div>
      {COMMANDS.map(({ title, name, command }) => (
        <div key={name} className="step">
          <h3>{title}</h3>
          <pre>
            <code>{command}</code>
          </pre>
          <CopyButton text={command} label={`Copy the ${name} command`} />
        </div>
      ))}
      <p className="hint">
        Run them in the repository's root, with your token in <code>ROLLCALL_TOKEN</code>. New users appear here at
        once.
      </p>
    </section>
  );
}
