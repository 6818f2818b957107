import "./transfer.css";
import { Dialog } from "@base-ui/react/dialog";
import type { FileFormat } from "@rollcall/shared/users-file/file-format";
import { useState } from "react";
import { describeError } from "../../api/errors.ts";
import { signalOfSession } from "../../session/signal-of-session.ts";
import { Button } from "../../ui/button.tsx";
import { exportUsers, TooLargeError } from "./export-users.ts";
import { saveFile } from "./save-file.ts";

const FORMATS: readonly (readonly [format: FileFormat, name: string])[] = [
  ["csv", "CSV, for spreadsheets"],
  ["jsonl", "JSON Lines, for programs"],
];

export interface ExportDialogProps {
  /** Words of the users to export; empty for all. */
  filter: string;
  onClose(outcome?: { readonly text: string }): void;
}

/** Exports the users that match the search to a file, and shows its progress. Closing it ends the export. */
export function ExportDialog({ filter, onClose }: ExportDialogProps) {
  const [format, setFormat] = useState<FileFormat>("csv");
  const [progress, setProgress] = useState<{ readonly exported: number; readonly total: number | undefined }>();
  /** Ends the running export. */
  const [running, setRunning] = useState<AbortController>();
  const [problem, setProblem] = useState<string>();

  const start = async () => {
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, signalOfSession()]);
    setRunning(controller);
    setProblem(undefined);
    let count = 0;
    const onProgress = (exported: number, total: number | undefined) => {
      count = exported;
      setProgress({ exported, total });
    };
    try {
      const file = await exportUsers({ format, filter, signal, onProgress });
      const name = `users.${format}`;
      saveFile(file, name);
      onClose({ text: `${count === 1 ? "1 user was" : `${count} users were`} exported to ${name}.` });
    } catch (error) {
      if (!signal.aborted) setProblem(problemOf(error));
      setRunning(undefined);
    }
  };
  const close = () => {
    running?.abort();
    onClose();
  };

  return (
    <Dialog.Root open disablePointerDismissal onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog card">
          <Dialog.Title>Export users</Dialog.Title>
          <Dialog.Description>
            {filter ? `Users that match “${filter}”` : "All users"}, oldest first.
          </Dialog.Description>
          <fieldset className="transfer-options" disabled={running !== undefined}>
            <legend className="visually-hidden">Format</legend>
            {FORMATS.map(([value, name]) => (
              <label key={value}>
                <input type="radio" name="format" checked={format === value} onChange={() => setFormat(value)} />
                {name}
              </label>
            ))}
          </fieldset>
          {running && (
            <progress aria-label="Export" value={progress?.total && progress.exported} max={progress?.total} />
          )}
          <p className="status" role="status">
            {running && progress && progressText(progress)}
          </p>
          {problem && (
            <p className="field-error" role="alert">
              {problem}
            </p>
          )}
          <div className="dialog-actions">
            <Dialog.Close>{running ? "Stop" : "Close"}</Dialog.Close>
            <Button className="primary" isOff={running !== undefined} onClick={() => void start()}>
              Export
            </Button>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function progressText({ exported, total }: { exported: number; total: number | undefined }): string {
  return total === undefined ? `${exported} users` : `${exported} of ${total} users`;
}

function problemOf(error: unknown): string {
  return error instanceof TooLargeError
    ? "There are too many for a browser to save. Export them from a terminal: rollcall users export users.csv"
    : describeError(error);
}
