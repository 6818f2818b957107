import "./transfer.css";
import { Dialog } from "@base-ui/react/dialog";
import { formatByExtension } from "@rollcall/shared/users-file/file-format";
import { UnreadableFileError } from "@rollcall/shared/users-file/unreadable-file-error";
import { useRef, useState } from "react";
import { describeError } from "../../api/errors.ts";
import { signalOfSession } from "../../session/signal-of-session.ts";
import { Button } from "../../ui/button.tsx";
import { type ImportState, importUsers, NOTHING_IMPORTED } from "./import-users.ts";

/** Imports the users of a file, and shows its progress and the lines that failed. Closing it ends the import. */
export function ImportDialog({ onClose }: { onClose(outcome?: { readonly text: string }): void }) {
  const input = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<File>();
  const [state, setState] = useState<ImportState>(NOTHING_IMPORTED);
  const [skipsExisting, setSkipsExisting] = useState(true);
  /** Ends the running import. */
  const [running, setRunning] = useState<AbortController>();
  const [outcome, setOutcome] = useState<{ readonly problem?: string }>();
  const isOff = running !== undefined;
  const isDone = outcome !== undefined && outcome.problem === undefined;

  const start = async (chosen: File | undefined) => {
    if (!chosen || running) return;
    setState(NOTHING_IMPORTED);
    setFile(chosen);
    setOutcome(undefined);
    const format = formatByExtension(chosen.name);
    if (!format) return setOutcome({ problem: "The file's name has to end with .csv, .jsonl or .ndjson." });
    const controller = new AbortController();
    setRunning(controller);
    const signal = AbortSignal.any([controller.signal, signalOfSession()]);
    let latest = NOTHING_IMPORTED;
    let frame = 0;
    // Update once for each frame: a server may create thousands of users a second.
    const show = () => {
      frame = 0;
      setState(latest);
    };
    const onChange = (next: ImportState) => {
      latest = next;
      if (frame === 0) frame = requestAnimationFrame(show);
    };
    try {
      await importUsers(chosen, { format, skipsExisting, signal, onChange });
      setOutcome({});
    } catch (error) {
      setOutcome({ problem: problemOf(error, signal) });
      controller.abort();
    }
    show();
    setRunning(undefined);
  };
  const close = () => {
    running?.abort();
    onClose(running && { text: `The import was stopped: ${countsText(state)}` });
  };

  return (
    <Dialog.Root open disablePointerDismissal onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog card">
          <Dialog.Title>Import users</Dialog.Title>
          <Dialog.Description>
            From a file in UTF-8: CSV whose first line names the columns email and name, or JSON Lines with email and
            name.
          </Dialog.Description>
          <fieldset className="transfer-options">
            <label>
              <input
                type="checkbox"
                checked={skipsExisting}
                disabled={isOff}
                onChange={({ target }) => setSkipsExisting(target.checked)}
              />
              Skip users whose email is already in the directory
            </label>
          </fieldset>
          <input
            ref={input}
            type="file"
            accept=".csv,.jsonl,.ndjson"
            className="visually-hidden"
            aria-label="File"
            tabIndex={-1}
            onChange={({ target }) => {
              void start(target.files?.[0]);
              target.value = "";
            }}
          />
          {file && (
            <progress
              aria-label={`Import of ${file.name}`}
              value={isDone ? 1 : (0.99 * state.readBytes) / Math.max(1, file.size)}
              max={1}
            />
          )}
          <p className="status" role="status">
            {(isOff || state.readBytes > 0) && (isDone ? "Done: " : "") + countsText(state)}
          </p>
          {outcome?.problem && (
            <p className="field-error" role="alert">
              {outcome.problem}
            </p>
          )}
          {state.faults.length > 0 && (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to reach it
            <ol className="faults" aria-label="Lines that failed" tabIndex={0}>
              {state.faults.map(({ line, text }) => (
                <li key={line}>
                  Line {line}: {text}
                </li>
              ))}
            </ol>
          )}
          <div className="dialog-actions">
            <Button onClick={() => (running ? running.abort() : close())}>{isOff ? "Stop" : "Close"}</Button>
            <Button className="primary" isOff={isOff} onClick={() => input.current?.click()}>
              {file ? "Choose another file" : "Choose a file"}
            </Button>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function countsText({ created, skipped, failed, faults }: ImportState): string {
  const hidden = failed > faults.length ? `, the first ${faults.length} of them below` : "";
  return `${created} created, ${skipped} skipped, ${failed} failed${hidden}.`;
}

function problemOf(error: unknown, signal: AbortSignal): string {
  if (error instanceof UnreadableFileError) {
    return `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
  }
  if (error instanceof DOMException && !signal.aborted) {
    return "The file can't be read: it is a folder, or was changed or removed since it was chosen.";
  }
  const reason = signal.aborted ? "It was stopped." : describeError(error);
  return `${reason} Import the file again to go on: nobody is added twice.`;
}
